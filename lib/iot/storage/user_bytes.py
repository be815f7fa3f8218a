"""The 256 bytes in flash that belong to the application."""

import asyncio

from micropython import const

_KEY = const("app")
_JOIN_MS = const(100)  # writes that come this close together are written once
_RETRY_MS = const(5000)

SIZE = 256


class Flash:
    """256 bytes that belong to the application and survive power cuts, resets and updates.

    Reads and writes work on memory and return at once; `run` writes in the background, `flush` at once.

    Args:
        record: called with a key and a size for the Record that holds them; it is not kept.
        log: a Log.

    Attributes:
        memory: the bytes, which may be moved (iot.bt_memory).

    Raises:
        OSError: from making it, where NVS fails.
    """

    def __init__(self, record, log):
        self._record = record
        self._log = log
        self.memory = bytearray(SIZE)
        self._changed = asyncio.Event()
        stored = record(_KEY, SIZE).load()
        if stored:  # another firmware may have kept more
            self.memory[: len(stored)] = stored[:SIZE]

    def read(self, offset=0, length=SIZE):
        """`length` bytes from `offset` on, as bytes. ValueError where that is not within 0 to 256."""
        self._check(offset, length)
        return bytes(self.memory[offset : offset + length])

    def write(self, offset, data):
        """Writes `data` (bytes) at `offset`. ValueError, and nothing is written, outside the 256 bytes."""
        self._check(offset, len(data))
        if self.memory[offset : offset + len(data)] != data:
            self.memory[offset : offset + len(data)] = data
            self._changed.set()

    def erase(self):
        """Sets all 256 bytes to zero."""
        self.write(0, bytes(SIZE))

    async def flush(self):
        """Returns when everything written is in flash; OSError or MemoryError where it is not."""
        if self._changed.is_set():
            self._record(_KEY, SIZE).store(self.memory)
            self._changed.clear()

    async def run(self):
        """Writes what was changed, for ever."""
        while True:
            await self._changed.wait()
            await asyncio.sleep_ms(_JOIN_MS)
            try:
                await self.flush()
            except (OSError, MemoryError) as error:
                self._log.error("flash", "not written, will try again: {}", error)
                await asyncio.sleep_ms(_RETRY_MS)

    def _check(self, offset, length):
        if offset < 0 or length < 0 or offset + length > SIZE:
            raise ValueError(
                "{} bytes at {} are not within the {} bytes of flash".format(length, offset, SIZE)
            )
