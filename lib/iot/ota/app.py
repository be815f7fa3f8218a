"""An update of the application on its way into flash: a pack, into the slot that is free."""

import binascii
import hashlib

from micropython import const

from iot.ota import slots

_SAFE_BYTES = const(32768)  # littlefs keeps nothing of a file that was neither flushed nor closed
_STARTS = const(3)  # of a new version, to reach the cloud
_HEAD = const(5)  # bytes of a pack: four that say so, and its window's bits (lib/pack.py)
_WINDOW_MOST = const(12)  # that is 4 KiB, beside an application


class Target:
    """Takes the file of a version, and has the next start try it.

    Args:
        space: the system's esp32.NVS.
        manifest: what it says, as iot.ota.forms reads it.
        buffer: a bytearray, for reading.
        log: a Log.
        is_whole: False where a patch makes it: then what flash has of it does not count.

    Attributes:
        start: bytes that flash has already.

    Raises ValueError where there is no slot for it, or no room.
    """

    def __init__(self, space, manifest, buffer, log, is_whole=True):
        self._space = space
        self._manifest = manifest
        self._buffer = buffer
        self._slot = slots.free(space)
        if not self._slot:
            raise ValueError("the version that runs is on trial itself")
        size = manifest["size"]
        self.start = slots.prepare(self._slot, size if is_whole else -1)
        slots.demand(size - self.start)
        self._path = slots.path(self._slot)
        self._file = open(self._path, "ab")  # noqa: SIM115 - until it is closed
        self._unsafe = 0  # bytes that a cut of power would take

    def write(self, view):
        """Takes what follows."""
        self._file.write(view)
        self._unsafe += len(view)
        if self._unsafe >= _SAFE_BYTES:
            self._file.flush()
            self._unsafe = 0

    def close(self):
        """What was written is in flash; to be called in any case."""
        self._file.close()

    def digest(self):
        """SHA-256 of what flash has."""
        digest, room = hashlib.sha256(), memoryview(self._buffer)
        with open(self._path, "rb") as file:
            while count := file.readinto(room):
                digest.update(room[:count])
        return digest.digest()

    def finish(self):
        """`check` and `begin_trial`, with their errors."""
        self.check()
        self.begin_trial()

    def check(self):
        """Reads back what flash has, since not all that is written can be read.

        Raises:
            ValueError: it is another file, or no pack that a start has room for.
            OSError: flash fails, or what an earlier life has left was torn: the slot is empty.
        """
        manifest, found = self._manifest, str(binascii.hexlify(self.digest()), "ascii")
        if found != manifest["sha256"]:
            slots.clear(self._slot)
            text = "the file's hash begins with {}, not with {} (arbitrary software)"
            error = OSError if self.start else ValueError
            raise error(text.format(found[:16], manifest["sha256"][:16]))
        self.check_form()

    def check_form(self):
        """Raises ValueError, and makes the slot empty, where what flash has is no pack to start from."""
        with open(self._path, "rb") as file:
            head = file.read(_HEAD)
        if head[:4] not in (b"PAC2", b"PACK") or head[4] > _WINDOW_MOST:
            slots.clear(self._slot)
            raise ValueError("no pack with a window of at most 4 KiB: it begins with {}".format(head))

    def begin_trial(self):
        """Has the next start try what flash has."""
        slots.seal(self._slot, self._manifest["text"])
        slots.begin_trial(self._space, self._slot, _STARTS)
