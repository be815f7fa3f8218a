"""Links that get lost are made again: a configuration goes on where it stopped."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .client import Client
from .errors import LinkLost

_CONNECTIONS = 3


@dataclass
class Effort:
    """What it took: frames each way, and connections."""

    sent: int = 0
    received: int = 0
    connections: int = 0


async def persevere(connect: Callable[[], Client], use: Callable[[Client], Awaitable[None]]) -> Effort:
    """Call `use` with a connected client, and again with a new one where the link gets lost meanwhile.

    Raises:
        BleError: what connecting or `use` raises; LinkLost for the third link that was lost.
    """
    effort = Effort()
    while True:
        effort.connections += 1
        client = connect()
        try:
            async with client:
                await use(client)
            return effort
        except LinkLost:
            if effort.connections == _CONNECTIONS:
                raise
        finally:
            sent, received = client.frames
            effort.sent, effort.received = effort.sent + sent, effort.received + received
