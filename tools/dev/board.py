"""`tools dev PORT`: a board's console, which gives up the port while a change goes to the board."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tools.board.deploy import Deployment, deploy
from tools.board.errors import BoardError
from tools.board.files import look_again
from tools.board.link import Link
from tools.board.progress import bar
from tools.news import until_first

from .loop import Say
from .versions import Files, here

_RETRY_S = 0.5


class Board:
    """A board on a port.

    Args:
        port: as `open_port` takes it.
        on_line: called with each line of its console.
        say: tells what becomes of the port.
    """

    def __init__(self, port: str, on_line: Callable[[str], None], say: Say) -> None:
        self._port = port
        self._on_line = on_line
        self._say = say
        self._link: Link | None = None
        self._free = asyncio.Lock()  # the port
        self._wanted = asyncio.Event()  # by a deployment

    async def deploy(self, packages: Path | None, with_packages: bool, files: Files) -> Deployment:
        """Put these files on the board, and start it. Raises BoardError."""
        disk = here()
        others = {path[1:]: data.decode() for path, data in files.items() if disk.get(path) != data}
        look_again()
        self._wanted.set()
        async with self._free:
            self._wanted.clear()
            with bar() as progress:
                return await asyncio.to_thread(
                    deploy, self._port, packages, progress, with_packages, None, others
                )

    async def bring(self, files: Files, _changed: Files, _removed: list[str]) -> None:
        """Have it run these files: only what has changed of its pack goes there."""
        done = await self.deploy(None, False, files)
        self._say(f"{done.sent_bytes} bytes sent, mode {done.mode}, in {done.seconds} s", "dim")

    async def send(self, line: str) -> None:
        """Type a line on its console."""
        if not self._link:
            raise ConnectionError("the port is in use for a change")
        try:
            await self._link.send(line)
        except BoardError as error:
            raise ConnectionError(f"{error}") from None

    async def follow(self) -> None:
        """Show its console, for ever; a cable that is pulled is waited for."""
        lost = False
        while True:
            async with self._free:
                try:
                    async with Link(self._port, self._on_line) as self._link:
                        if lost:
                            self._say(f"{self._port}: connected again", "dim")
                        lost = False
                        await until_first(self._link.gone(), self._wanted.wait())
                except BoardError as error:
                    if not lost:
                        self._say(f"{error.text}; waiting for it to come back", "yellow")
                    lost = True
                finally:
                    self._link = None
            await asyncio.sleep(_RETRY_S if lost else 0)
