"""`camera` of images that are built with cnadler86's micropython-camera-API; what it sees is the world's."""

import binascii

import _world

_SIZES = (
    "R96X96 QQVGA R128x128 QCIF HQVGA R240X240 QVGA R320X320 CIF HVGA VGA SVGA XGA HD SXGA UXGA FHD P_HD "
    "P_3MP QXGA QHD WQXGA P_FHD QSXGA"
)


class PixelFormat:
    """As the sensor has them."""

    RGB565, YUV422, YUV420, GRAYSCALE, JPEG, RGB888, RAW, RGB444, RGB555 = range(9)


class FrameSize:
    """By their names; a simulated picture has a size of its own."""


for _number, _name in enumerate(_SIZES.split()):
    setattr(FrameSize, _name, _number)


class GrabMode:
    """Which frame a capture gives."""

    WHEN_EMPTY, LATEST = range(2)


class Camera:
    """The only one there is."""

    def __init__(self, *, pixel_format=0, frame_size=6, jpeg_quality=85, init=True, **others):
        self._is_on = init
        self._frame = None

    def init(self):
        """Switch it on."""
        self._is_on = True

    def deinit(self):
        """Switch it off; the picture is gone."""
        self._is_on = False
        self._frame = None

    def capture(self):
        """A picture, until the next one; None where there is none."""
        if not self._is_on:
            raise OSError("Camera not initialized")
        self._frame = _Frame(_world.call("part", "camera"))
        return self._frame

    def free_buffer(self):
        """Let go of the picture."""
        self._frame = None


class _Frame:
    """What the driver gives as a memoryview: it lies in PSRAM there, and here in the world."""

    def __init__(self, size):
        self._size = size

    def __len__(self):
        return self._size

    def __getitem__(self, part):
        start, stop = part.start or 0, self._size if part.stop is None else min(part.stop, self._size)
        return binascii.unhexlify(_world.call("part", "camera_part", start, stop - start))
