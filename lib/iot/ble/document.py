"""The configuration while it comes in pieces, over one connection or several."""

import hashlib
import struct

from micropython import const

from iot.ble.codes import Refused

_BEGIN = const(">I32s")  # length, SHA-256
_BEGIN_SIZE = const(36)
_OFFSET_SIZE = const(4)
_DOCUMENT_MAX = const(16384)


class Document:
    """Attributes: at: bytes that are there; size: bytes there shall be, 0 before a `begin`."""

    def __init__(self):
        self.clear()

    def clear(self):
        """Forgets all of it."""
        self._bytes = self._sha256 = None
        self.at = self.size = 0

    def begin(self, body):
        """Begins a document, or goes on with the same one. Refused where it would be too large."""
        if len(body) != _BEGIN_SIZE:
            raise Refused("INVALID_REQUEST")
        size, sha256 = struct.unpack(_BEGIN, body)
        if size == self.size and sha256 == self._sha256:
            return
        self.clear()
        if not 1 <= size <= _DOCUMENT_MAX:
            raise Refused("TOO_LARGE", "a configuration has 1 to {} bytes".format(_DOCUMENT_MAX))
        try:
            self._bytes = bytearray(size)
        except MemoryError:
            raise Refused("TOO_LARGE", "no memory for {} bytes".format(size))
        self.size, self._sha256 = size, sha256

    def add(self, body):
        """Takes the piece that follows. Refused MISSING_PACKETS, with `at`, for any other."""
        if self._bytes is None or len(body) <= _OFFSET_SIZE:
            raise Refused("INVALID_REQUEST")
        offset = struct.unpack(">I", body[:_OFFSET_SIZE])[0]
        end = offset + len(body) - _OFFSET_SIZE
        if offset != self.at:
            raise Refused("MISSING_PACKETS", at=self.at)
        if end > self.size:
            raise Refused("TOO_LARGE", at=self.at)
        self._bytes[offset:end] = body[_OFFSET_SIZE:]
        self.at = end

    def whole(self):
        """All of it. Refused: MISSING_PACKETS before the last piece, CHECKSUM_FAILED for another document."""
        if self._bytes is None or self.at < self.size:
            raise Refused("MISSING_PACKETS", at=self.at)
        if hashlib.sha256(self._bytes).digest() != self._sha256:
            self.clear()
            raise Refused("CHECKSUM_FAILED")
        return self._bytes
