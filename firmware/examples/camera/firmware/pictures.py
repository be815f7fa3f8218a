"""The camera's pictures, in pieces: of the module `camera`, which some images have (docs/camera.md)."""

from firmware import settings


class Picture:
    """One that is taken now, as a JPEG. OSError where the camera has none, ValueError where there is none.

    Attributes:
        size: its bytes.
    """

    def __init__(self):
        try:
            from camera import Camera, FrameSize, PixelFormat
        except ImportError:
            raise ValueError("this image has no module camera")
        self._camera = Camera(
            pixel_format=PixelFormat.JPEG,
            frame_size=getattr(FrameSize, settings.FRAME_SIZE),
            jpeg_quality=settings.JPEG_QUALITY,
            **settings.CAMERA_PINS,
        )
        try:
            for _ in range(settings.FRAMES_BEFORE):  # while it gets used to the light
                self._camera.capture()
            self._frame = self._camera.capture()
            if not self._frame:
                raise OSError("the camera gives no picture")
        except BaseException:
            self.close()
            raise
        self.size = len(self._frame)
        self._at = 0

    def read(self, view):
        """Puts the next bytes at the beginning of `view`; returns how many."""
        count = min(len(view), self.size - self._at)
        view[:count] = self._frame[self._at : self._at + count]
        self._at += count
        return count

    def close(self):
        """Switches the camera off, with which the picture is gone."""
        self._frame = None
        self._camera.deinit()
