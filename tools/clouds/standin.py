"""What stand-ins with one front have in common: they are started, stopped, and reached."""

import time
from collections.abc import Callable
from pathlib import Path

from tools.cloud.ca import ServerChain
from tools.cloud.events import Event
from tools.started import Started

from .front import Front
from .manners import Manners

HOSTS = ("localhost", "127.0.0.1")


class StandIn(Manners, Started):
    """A vendor's manners with a front of their own. All it keeps but sessions and its CA ends with it.

    Args:
        folder, hosts, tell, clock, server_chain: as Front has them.

    Raises:
        StateError: the folder is in use, or damaged.
    """

    def __init__(
        self,
        folder: Path,
        hosts: tuple[str, ...] = HOSTS,
        tell: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.time,
        server_chain: ServerChain = "p256",
    ) -> None:
        self.front = Front(folder, self, hosts, tell, clock, server_chain)

    async def start(self, listen: str = "127.0.0.1", port: int = 0) -> int:
        """Listen on an address; returns the port, 0 takes any free one. Raises OSError."""
        return await self.front.start(listen, port)

    async def stop(self) -> None:
        """Disconnect everyone and stop listening."""
        await self.front.stop()

    @property
    def port(self) -> int:
        return self.front.port

    @property
    def root_pem(self) -> str:
        """The certificate (PEM) that devices have to trust."""
        return self.front.root_pem
