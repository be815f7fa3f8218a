"""Hands a device its configuration over the line commands of its console."""

import binascii
import json
from collections.abc import Awaitable, Callable, Iterator

_PIECE = 160  # bytes: with the command's name well under the device's 240 of a line

Ask = Callable[[str], Awaitable[str]]
"""Sends one line and returns the device's answer, without the `= `."""


class ConfigureError(Exception):
    """The device refused; the text is its reason."""


async def configure(
    ask: Ask,
    document: dict[str, object],
    progress: Callable[[int, int], None] = lambda done, total: None,
    now_s: float | None = None,
) -> None:
    """Send `document` in pieces and have it stored; the device then restarts with it.

    Every piece waits for its answer, since a UART has no other flow control.

    Args:
        ask: sends a line, returns the answer.
        document: the configuration, as docs/configuration.md describes it.
        progress: called with the lines that are done and the lines in all.
        now_s: seconds since 1970, for a device that reaches no time server; None: it is not told. An older
            firmware refuses it, which is no error.

    Raises:
        ConfigureError: the device did not take it.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    data = text.encode()
    check = f"{len(data)} {binascii.crc32(data):08x}"  # a line may be lost: what came is proved whole
    lines = ("begin", *(f"data {piece}" for piece in _pieces(text)), f"commit {check}")
    for done, line in enumerate(lines, 1):
        answer = await ask(f"configure {line}")
        status, _, detail = answer.partition(" ")
        if status != "ok":
            raise ConfigureError(detail)
        if now_s is not None and line == "begin":
            await ask(f"time {int(now_s)}")
        progress(done, len(lines))


def _pieces(text: str) -> Iterator[str]:
    """`text` in pieces of whole characters."""
    piece, size = "", 0
    for character in text:
        size += len(character.encode())
        if size > _PIECE:
            yield piece
            piece, size = "", len(character.encode())
        piece += character
    yield piece
