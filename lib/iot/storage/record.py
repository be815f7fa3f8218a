"""A value in NVS, in two copies. In memory while one is read or written."""

import binascii
import struct

from micropython import const

from iot.storage import nvs

_HEADER = const(">II")  # sequence number, CRC-32 over sequence number and value
_HEADER_SIZE = const(8)
_INVALID_LENGTH = const(-0x110C)  # ESP_ERR_NVS_INVALID_LENGTH: a copy larger than the buffer
_LARGEST = const(8192)  # bytes of a copy that is still read: another firmware may store more than this one


class Record:
    """One value in NVS, in two copies that take turns.

    NVS keeps every key over a cut of power but the one being written; so a write goes to the copy that is
    older or damaged, and the other stays as it was.

    Args:
        nvs: an esp32.NVS; None is an OSError.
        key: 1 to 14 characters; the copies are `key + "0"` and `key + "1"`.
        size: bytes that `store` takes at the most.
    """

    def __init__(self, nvs, key, size):
        if nvs is None:
            raise OSError("flash could not be initialised")
        self._nvs = nvs
        self._keys = (key + "0", key + "1")
        self._size = size

    def load(self):
        """The value last stored, as bytes, or None where there is none. It may be larger than `size`."""
        newest = self._newest()
        return newest[1] if newest else None

    def store(self, value):
        """Stores `value` (bytes). ValueError where it is too long; OSError where NVS is full or fails."""
        if len(value) > self._size:
            raise ValueError("{}: {} bytes, at most {}".format(self._keys[0][:-1], len(value), self._size))
        newest = self._newest()
        sequence, slot = (newest[0] + 1, 1 - newest[2]) if newest else (0, 0)
        copy = bytearray(_HEADER_SIZE + len(value))
        struct.pack_into(">I", copy, 0, sequence & 0xFFFFFFFF)
        copy[_HEADER_SIZE:] = value
        struct.pack_into(_HEADER, copy, 0, sequence & 0xFFFFFFFF, _checksum(copy))
        nvs.set(self._nvs, self._keys[slot], copy)

    def erase(self):
        """Removes both copies, the older one first, so that a cut leaves the value or nothing."""
        newest = self._newest()
        first = 1 - newest[2] if newest else 0
        for slot in (first, 1 - first):
            nvs.erase_key(self._nvs, self._keys[slot])

    def _newest(self):
        """(sequence, value, slot) of the newer sound copy, or None."""
        newest = None
        buffer = bytearray(_HEADER_SIZE + self._size)
        for slot, key in enumerate(self._keys):
            copy = self._copy(key, buffer) or b""
            if len(copy) < _HEADER_SIZE:
                continue
            sequence, checksum = struct.unpack_from(_HEADER, copy)
            if checksum != _checksum(copy):
                continue
            # Serial number arithmetic (RFC 1982): right also after the 32 bits have wrapped.
            if newest is None or (sequence - newest[0]) & 0xFFFFFFFF < 0x80000000:
                newest = (sequence, bytes(copy[_HEADER_SIZE:]), slot)
        return newest

    def _copy(self, key, buffer):
        """The bytes of one copy; None where there is none, or one that is too large to be read."""
        while True:
            try:
                return nvs.get_blob(self._nvs, key, buffer)
            except OSError as error:
                if error.errno != _INVALID_LENGTH:
                    raise
                if len(buffer) >= _LARGEST:
                    return None
            buffer = bytearray(min(2 * len(buffer), _LARGEST))


def _checksum(copy):
    """CRC-32 over a copy without the four bytes in which the checksum itself stands."""
    return binascii.crc32(copy[_HEADER_SIZE:], binascii.crc32(copy[:4]))
