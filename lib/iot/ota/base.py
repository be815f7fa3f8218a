"""What runs, as what a patch is for: the image, or the pack. In memory for a moment."""

import binascii
import hashlib
import struct

from micropython import const

from iot.memory import borrow

_HEADER = const(24)  # bytes of an image's, its segments' number in the second
_SEGMENT = const(8)  # of a segment's, its length in the second half
_HAS_HASH_AT = const(23)
_HASH = const(32)


def digest(kind, buffer):
    """Its SHA-256 in hexadecimal; `buffer` is a bytearray, for reading. ValueError as `opened`."""
    (read, size), found, room = opened(kind), hashlib.sha256(), memoryview(buffer)
    for at in range(0, size, len(room)):
        view = room[: size - at]
        read(at, view)
        found.update(view)
    return str(binascii.hexlify(found.digest()), "ascii")


def opened(kind):
    """What reads it, called with an offset and a view to be filled, and its bytes.

    kind: "image" or "app". ValueError where no pack runs, but modules that somebody has copied.
    """
    if kind == "image":
        read = borrow("iot.ota.partitions").read_running
        return read, image_size(read)
    slots = borrow("iot.ota.slots")
    try:
        file = open(slots.path(slots.running()), "rb")  # noqa: SIM115 - until this life ends
    except OSError:
        raise ValueError("no pack runs")

    def read_pack(offset, view):
        file.seek(offset)
        file.readinto(view)

    return read_pack, file.seek(0, 2)


def image_size(read):
    """Bytes of the image that runs, as its own headers tell; `read` is iot.ota.partitions.read_running."""
    header, segment = bytearray(_HEADER), bytearray(_SEGMENT)
    read(0, header)
    at = _HEADER
    for _ in range(header[1]):
        read(at, segment)
        at += _SEGMENT + struct.unpack("<II", segment)[1]
    at = at // 16 * 16 + 16  # a checksum is the last of these bytes
    return at + _HASH if header[_HAS_HASH_AT] else at
