"""How MicroPython's streams read: None where nothing has come yet, and with -1 all until the end.

One that may wait waits for all that is asked for.
"""

_PIECE_BYTES = 4096


class Reads:
    """How a stream is read whose `_some(size)` gives what is there: b"" at its end, or None.

    `_blocks()` says whether it may wait.
    """

    def read(self, size=-1):
        """Up to `size` bytes, or for -1 all until the peer closes; None when nothing is there yet."""
        data = b""
        while True:
            part = self._some(_PIECE_BYTES if size < 0 else size - len(data))
            if part is None:
                return data or None
            data += part
            if not part or len(data) == size or (size >= 0 and not self._blocks()):
                return data

    def readinto(self, buffer, size=None):
        """Fill the start of `buffer`; None when nothing is there yet."""
        data = self.read(len(buffer) if size is None else min(size, len(buffer)))
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def readline(self):
        """A line, or what there is of one; None when nothing is there yet."""
        line = b""
        while not line.endswith(b"\n"):
            part = self.read(1)
            if not part:
                return line or part
            line += part
        return line
