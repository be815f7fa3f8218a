"""MicroPython's `io` on CPython."""

import io
from io import IOBase, StringIO, open

__all__ = ["BytesIO", "IOBase", "StringIO", "open"]


class BytesIO(io.BytesIO):
    """A stream in memory, over bytes or with room for so many."""

    def __init__(self, initial=b""):
        super().__init__(b"" if isinstance(initial, int) else initial)
