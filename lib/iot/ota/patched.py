"""An image that comes as a patch to the one that runs (iot.ota.delta).

What is wrong with that is no reason to give the update up: the whole file may come in its place.
"""

import binascii
import hashlib
import struct

from micropython import const

from iot.memory import borrow

_HEADER = const(24)  # bytes of an image's, its segments' number in the second
_SEGMENT = const(8)  # of a segment's, its length in the second half
_HAS_HASH_AT = const(23)
_HASH = const(32)


class WrongBase(ValueError):
    """The patch leads nowhere, for whatever reason: the whole file is needed."""


class Patched:
    """As iot.ota.image.Target, but for what comes: the patch. No life goes on with it where another stood.

    Args:
        base: the SHA-256 of the image that it is made for, in hexadecimal.
        the others: as for Target.

    Raises:
        WrongBase: another image runs.
        ValueError, OSError: as with Target.
    """

    start = 0

    def __init__(self, space, manifest, buffer, log, base):
        read = borrow("iot.ota.partitions").read_running
        size = base_size(read)
        digest = base_hash(read, size, buffer)
        if digest != base:
            raise WrongBase("the patch is for image {}, {} runs".format(str(base)[:16], digest[:16]))
        self._target = borrow("iot.ota.image").Target(space, manifest, buffer, log, False)
        size_out = manifest["size"] - int(manifest["blocks"].split()[0]) * _HASH
        self._patch = borrow("iot.ota.delta").Patch(read, self._target.write, size, size_out)

    def write(self, view):
        """Takes the patch's next bytes. WrongBase where it is none; OSError where flash fails."""
        self._wrong(self._patch.feed, view)

    def close(self):
        """Nothing is open between two calls."""
        self._target.close()

    def finish(self):
        """As Target's; WrongBase where something else came out than the manifest's image."""
        self._wrong(self._patch.finish)
        self._wrong(self._target.finish)

    def _wrong(self, function, *args):
        try:
            function(*args)
        except ValueError as error:
            raise WrongBase("the patch: {}".format(error))


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


def base_hash(read, size, buffer):
    """The SHA-256 of it, in hexadecimal."""
    digest, room = hashlib.sha256(), memoryview(buffer)
    for at in range(0, size, len(room)):
        view = room[: size - at]
        read(at, view)
        digest.update(view)
    return str(binascii.hexlify(digest.digest()), "ascii")
