"""A front under test: opens raw peers, remembers events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.host.cloud.support import DEADLINE_S, Identity, Peer, client_context
from tools.cloud import Event
from tools.clouds.front import Front


class Bench:
    """Its peers reach `front`, whose events it takes."""

    def __init__(self, front: Front, folder: Path) -> None:
        self.front = front
        self.events: list[Event] = []
        self._folder = folder
        self._changed = asyncio.Event()
        self._peers: list[Peer] = []
        front.tell = self._on_event

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def event(self, kind: str, wanted: Callable[[Event], bool] = lambda event: True) -> Event:
        """The first event of a kind, already there or still to come."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self._changed.clear()
                for event in self.events:
                    if event.kind == kind and wanted(event):
                        return event
                await self._changed.wait()

    async def open(self, identity: Identity | None = None) -> Peer:
        """A TLS connection, with a certificate where one is given."""
        context = client_context(self.front.root_pem, identity, self._folder)
        reader, writer = await asyncio.open_connection("localhost", self.front.port, ssl=context)
        peer = Peer(reader, writer)
        self._peers.append(peer)
        return peer

    async def client(self, client_id: str, identity: Identity | None = None, **options: Any) -> Peer:
        """A connected client."""
        peer = await self.open(identity)
        await peer.connect(client_id, **options)
        return peer

    def close(self) -> None:
        for peer in self._peers:
            peer.writer.transport.abort()


@asynccontextmanager
async def bench(front: Front, folder: Path) -> AsyncIterator[Bench]:
    """A front that runs."""
    it = Bench(front, folder)
    await front.start()
    try:
        yield it
    finally:
        it.close()
        await front.stop()
