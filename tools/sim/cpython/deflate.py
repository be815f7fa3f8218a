"""MicroPython's `deflate` on CPython: reading alone, as ESP32 images have it.

As on the chip, no byte of the stream is read before it is needed. Otherwise than there, a window too small
for what was deflated may do, the size that gzip tells has to be right, and no data comes after an error.
"""

import io
import os
import zlib

AUTO, RAW, ZLIB, GZIP = range(4)

_EINVAL = 22
_SMALLEST, _LARGEST = 5, 15  # bits of a window
_RAW_SMALLEST = 8  # that zlib has
_RAW_DEFAULT = 8  # that MicroPython has
_GZIP_BITS, _AUTO_BITS = 16, 32  # how zlib is told of the form
_PIECE_BYTES = 512


class DeflateIO(io.RawIOBase):
    """What is deflated in `stream`, as a stream.

    Reading raises OSError (EINVAL) where that is damaged, EOFError where it ends too early.
    """

    def __init__(self, stream, format=AUTO, wbits=0, close=False):
        if not AUTO <= format <= GZIP:
            raise ValueError("format")
        if wbits and not _SMALLEST <= wbits <= _LARGEST:
            raise ValueError("wbits")
        self._stream = stream
        self._closes = close
        self._is_file = getattr(type(stream), "seek", io.IOBase.seek) is not io.IOBase.seek
        self._ready = bytearray()
        if format == RAW:
            bits = -max(wbits or _RAW_DEFAULT, _RAW_SMALLEST)
        else:
            bits = _LARGEST + (_GZIP_BITS if format == GZIP else _AUTO_BITS if format == AUTO else 0)
        self._inflate = zlib.decompressobj(bits)

    def __del__(self):
        pass

    def readable(self):
        return True

    def readinto(self, buffer):
        byte = bytearray(1)
        while len(self._ready) < len(buffer) and not self._is_at_end():
            if not self._stream.readinto(byte):
                raise EOFError
            self._add(byte)
        data = self._ready[: len(buffer)]
        del self._ready[: len(data)]
        buffer[: len(data)] = data
        return len(data)

    def readall(self):
        """All that is left. A file is read in pieces and brought back to what is behind the end: byte by byte
        that takes much longer.
        """
        while self._is_file and not self._is_at_end():
            if not (piece := self._stream.read(_PIECE_BYTES)):
                raise EOFError
            self._add(piece)
            if self._inflate.unused_data:
                self._stream.seek(-len(self._inflate.unused_data), 1)
        return super().readall()

    def close(self):
        if self._closes and not self.closed:
            self._stream.close()
        super().close()

    def _is_at_end(self):
        if self.closed:
            raise OSError(_EINVAL, os.strerror(_EINVAL))
        return self._inflate.eof

    def _add(self, data):
        try:
            self._ready += self._inflate.decompress(data)
        except zlib.error:
            raise OSError(_EINVAL, os.strerror(_EINVAL)) from None
