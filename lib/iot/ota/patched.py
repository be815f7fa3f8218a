"""An image that comes as a patch to the one that runs (iot.ota.delta).

The patch lies in a file until it is whole: so its arithmetic has no TLS beside it, and a cut costs none of
its bytes. It is not signed: what is wrong with it is a reason to get the whole file, never to give up.
"""

import asyncio
import binascii
import hashlib
import os
import struct

from micropython import const

from iot.memory import borrow

_FILE = const("/update.patch")
_HEADER = const(24)  # bytes of an image's, its segments' number in the second
_SEGMENT = const(8)  # of a segment's, its length in the second half
_HAS_HASH_AT = const(23)
_HASH = const(32)
_HEAD = const(16)  # hexadecimal digits of two hashes that stand before the patch in its file


class Patched:
    """As iot.ota.image.Target, but `write` takes the patch; `apply` has to come before `finish`.

    Args:
        delta: `base`, the SHA-256 of the image that it is for, in hexadecimal, and `size` of the patch.
        the others: as for Target.

    Raises:
        ValueError: another image runs; and as Target does.
        OSError: flash fails.
    """

    def __init__(self, space, manifest, buffer, log, delta):
        self._read = borrow("iot.ota.partitions").read_running
        self._base_size = base_size(self._read)
        digest = _hash(self._read, self._base_size, buffer)
        if digest != delta["base"]:
            raise ValueError("it is for image {}, {} runs".format(delta["base"][:16], digest[:16]))
        self._target = borrow("iot.ota.image").Target(space, manifest, buffer, log, False)
        self._size = manifest["size"] - int(manifest["blocks"].split()[0]) * _HASH
        self._buffer = buffer
        head = (digest[:_HEAD] + manifest["sha256"][:_HEAD]).encode()  # whose patch it is
        self.start = _left(head, delta["size"])
        self._file = open(_FILE, "ab")  # noqa: SIM115 - until it is closed
        if not self.start:
            self._file.write(head)
        self.write = self._file.write

    def close(self):
        """What was written is in flash; to be called in any case."""
        self._file.close()

    async def apply(self):
        """Makes the image, in turns with the loop. ValueError where it is no patch; OSError: flash fails."""
        patch = borrow("iot.ota.delta").Patch(self._read, self._target.write, self._base_size, self._size)
        room = memoryview(self._buffer)
        with open(_FILE, "rb") as file:  # noqa: ASYNC230 - there is no other way
            file.seek(2 * _HEAD)
            while count := file.readinto(room):
                view = room[:count]
                while view or patch.is_busy:
                    view = view[patch.step(view) :]
                    await asyncio.sleep_ms(0)
        patch.finish()

    def finish(self):
        """As Target's; ValueError where something else came out than the manifest's image."""
        remove()
        self._target.finish()


def remove():
    """Nothing of a patch is left."""
    try:
        os.remove(_FILE)
    except OSError:  # it was not there, or the next one takes its place
        pass


def base_size(read):
    """Bytes of the image that runs, as its own headers tell; `read` is iot.ota.partitions.read_running."""
    header, segment = bytearray(_HEADER), bytearray(_SEGMENT)
    read(0, header)
    at = _HEADER
    for _ in range(header[1]):
        read(at, segment)
        at += _SEGMENT + struct.unpack("<II", segment)[1]
    at = at // 16 * 16 + 16  # a checksum is the last of these bytes
    return at + _HASH if header[_HAS_HASH_AT] else at


def _left(head, size):
    """Bytes of the patch that an earlier life has left; what is no part of it is removed."""
    try:
        start = os.stat(_FILE)[6] - len(head)
        with open(_FILE, "rb") as file:
            if 0 < start <= size and file.read(len(head)) == head:
                return start
    except OSError:  # there is none
        pass
    remove()
    return 0


def _hash(read, size, buffer):
    """The SHA-256 of the image that runs, in hexadecimal."""
    digest, room = hashlib.sha256(), memoryview(buffer)
    for at in range(0, size, len(room)):
        view = room[: size - at]
        read(at, view)
        digest.update(view)
    return str(binascii.hexlify(digest.digest()), "ascii")
