"""An update of the application on its way into flash: a pack, into the slot that is free."""

import binascii
import hashlib

from micropython import const

from iot.ota import slots

_STARTS = const(3)  # of a new version, to reach the cloud


class Target:
    """Takes the file of a version, and has the next start try it.

    Args:
        space: the system's esp32.NVS.
        manifest: what it says, as iot.ota.forms reads it.
        buffer: a bytearray, for reading.
        log: a Log.

    Attributes:
        start: bytes that flash has already.

    Raises ValueError where there is no slot for it.
    """

    def __init__(self, space, manifest, buffer, log):
        self._space = space
        self._manifest = manifest
        self._buffer = buffer
        self._slot = slots.free(space)
        if not self._slot:
            raise ValueError("the version that runs is on trial itself")
        self._path, self.start = slots.prepare(self._slot, manifest["size"])
        self._file = open(self._path, "ab")  # noqa: SIM115 - until it is closed
        self.write = self._file.write

    def close(self):
        """What was written is in flash; to be called in any case."""
        self._file.close()

    def finish(self):
        """Reads back what flash has, since not all that is written can be read, and begins its trial.

        Raises:
            ValueError: it is another file.
            OSError: flash fails, or what an earlier life has left was torn: the slot is empty.
        """
        manifest, digest = self._manifest, hashlib.sha256()
        room = memoryview(self._buffer)
        with open(self._path, "rb") as file:
            while count := file.readinto(room):
                digest.update(room[:count])
        found = str(binascii.hexlify(digest.digest()), "ascii")
        if found != manifest["sha256"]:
            slots.clear(self._slot)
            text = "the file's hash begins with {}, not with {} (arbitrary software)"
            error = OSError if self.start else ValueError
            raise error(text.format(found[:16], manifest["sha256"][:16]))
        slots.seal(self._slot, manifest["text"])
        slots.begin_trial(self._space, self._slot, _STARTS)
