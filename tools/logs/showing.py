"""Lines for a person at a terminal, or for a program."""

import datetime as dt
import json
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from tools.board.view import own_names
from tools.cloud.events import printable
from tools.timeline import AREAS, LEVELS

from .reading import Found

_SOURCE_CHARS = 18  # a device's name, as it comes from its hardware's address
_NO_MEMBERS = ("time", "kind", "source", "thing", "level", "area", "text", "left_out")


class Show:
    """On stdout, in colours on a terminal alone.

    Args:
        as_json: an object a line.
        count: so many at most; None: all.
        tell: shows one to a person, in another form.
    """

    def __init__(
        self, as_json: bool, count: int | None = None, tell: Callable[[Found], None] | None = None
    ) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False, soft_wrap=True, color_system="auto")
        self._count = count
        self._tell = tell or self._print
        self.shown = 0

    @property
    def is_done(self) -> bool:
        return self._count is not None and self.shown >= self._count

    def line(self, found: Found) -> int:
        """How many were shown: 1, or 0 where that were too many."""
        if self.is_done:
            return 0
        self.shown += 1
        found = {name: _own(value) for name, value in found.items()}
        if self._as_json:
            self._console.out(json.dumps(found), highlight=False)
        else:
            self._tell(found)
        return 1

    def _print(self, found: Found) -> None:
        self._console.print(_text(found))


def _text(found: Found) -> Text:
    level = str(found.get("level", "I"))[:1].upper()
    area = printable(str(found.get("area") or ""))
    said = found.get("text")
    rest = {name: value for name, value in found.items() if name not in _NO_MEMBERS}
    words = said if isinstance(said, str) else json.dumps(rest, ensure_ascii=False)
    left_out = f" ({found['left_out']} left out)" if found.get("left_out") else ""
    line = Text().append(f"{_local(str(found.get('time', '')))}  ", style="dim")
    line.append(f"{printable(str(found.get('source', ''))):<{_SOURCE_CHARS}}  ", style="blue")
    line.append(f"{printable(level)} ", style=LEVELS.get(level, ""))
    if area:
        line.append(f"{area}: ", style=AREAS.get(area, "dim"))
    return line.append(printable(words + left_out), style=LEVELS.get(level, ""))


def _own(value: object) -> object:
    """A traceback with its functions' own names; any other value as it is."""
    return own_names(value) if isinstance(value, str) else value


def _local(time: str) -> str:
    """As people here have it, without its zone; what is no time as it is."""
    try:
        at = dt.datetime.fromisoformat(time).astimezone()
    except (ValueError, OverflowError):  # at an end of the calendar
        return printable(time[:24])
    return at.isoformat(" ", "milliseconds")[:23]
