"""A board's own word, by its console: what it is, and that it takes its configuration."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tools.board.errors import BoardError
from tools.board.link import ANSWER_S, Link
from tools.board.progress import Progress
from tools.configure import ConfigureError, configure

_STORE_S = 120.0
_TRIES, _AWAKE_S = 12, 5.0
_WORKING = r" system: mode NORMAL$"


@dataclass(frozen=True)
class Told:
    """What a device says of itself."""

    code: str
    name: str
    version: str


async def ask(port: str) -> Told:
    """Ask a device; BoardError where it does not tell."""
    async with Link(port) as link:
        await _awake(link)
        label = await link.ask("code")
        status = (await link.ask("status")).value or {}
    if not label.ok:
        raise BoardError(
            f"{port}: the board does not tell its code: {label.text}",
            f"Its log may tell more: python3 -m tools console {port}",
        )
    code, _, name = label.text.partition(" ")
    return Told(code, name, str(status.get("version", "")))


async def _awake(link: Link) -> None:
    """Wait until the console answers: what is typed while a device starts is lost."""
    for _ in range(_TRIES):
        with suppress(BoardError):
            await link.ask("mode", _AWAKE_S)
            return


async def hand_over(port: str, document: dict[str, Any], show: Progress) -> None:
    """Give a device its configuration, and wait until it has started with it. Raises BoardError."""
    async with Link(port) as link:

        async def answered(line: str) -> str:
            return str(await link.ask(line, _STORE_S if line.startswith("configure commit") else ANSWER_S))

        try:
            await configure(
                answered, document, lambda done, total: show("configuring", done, total), time.time()
            )
        except ConfigureError as error:
            raise BoardError(
                f"{port}: the board refuses the configuration: {error}",
                "Nothing was changed: correct the file.",
            ) from None
        try:
            await link.expect(_WORKING, _STORE_S)
        except TimeoutError:
            raise BoardError(
                f"{port}: configured, but the board does not come up in mode NORMAL",
                f"Look what it does: python3 -m tools console {port}",
            ) from None
