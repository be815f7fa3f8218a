"""Hands a device its configuration over the line commands of its console."""

import json
from collections.abc import Awaitable, Callable

_PIECE = 128  # characters: with the command's name well under the device's 240 bytes a line

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
    text = json.dumps(document, separators=(",", ":"))
    pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
    lines = ("begin", *(f"data {piece}" for piece in pieces), "commit")
    for done, line in enumerate(lines, 1):
        answer = await ask(f"configure {line}")
        status, _, detail = answer.partition(" ")
        if status != "ok":
            raise ConfigureError(detail)
        if now_s is not None and line == "begin":
            await ask(f"time {int(now_s)}")
        progress(done, len(lines))
