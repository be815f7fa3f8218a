"""The application's packets that a device has sent, until somebody reads them."""

import asyncio
from collections import deque
from typing import NamedTuple

from .errors import BleError

_CAPACITY = 100


class Packet(NamedTuple):
    """One of the application's own messages."""

    name: str
    payload: bytes


class Packets:
    """A bounded queue, as an async iterator that ends when the client is closed.

    Attributes:
        dropped: how many of the oldest were dropped because nobody had read them.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self.dropped = 0
        self._packets: deque[Packet] = deque(maxlen=capacity)
        self._news = asyncio.Event()
        self._over = False
        self._error: BleError | None = None

    def put(self, packet: Packet) -> None:
        self.dropped += len(self._packets) == self._packets.maxlen
        self._packets.append(packet)
        self._news.set()

    def close(self, error: BleError | None = None) -> None:
        """What is there can still be read; then comes `error`, or the end. The first call counts."""
        if not self._over:
            self._over, self._error = True, error
            self._news.set()

    def __aiter__(self) -> "Packets":
        return self

    async def __anext__(self) -> Packet:
        """The next packet; BleError once the connection has failed."""
        while not self._packets:
            if self._error:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._packets.popleft()
