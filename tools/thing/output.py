"""Results and changes, for a person or for a program."""

import datetime as dt
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tools.cloud.events import printable

_GAP = 2
Cell = str | tuple[str, str]  # a text, or one and its style


class Output:
    """On stdout, in colours on a terminal alone.

    Args:
        as_json: one object a result or change instead.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        # A bar on the same terminal takes in what is printed to sys.stdout, not what goes to another file.
        file = None if sys.stdout.isatty() else sys.stdout
        self._console = Console(file=file, highlight=False, soft_wrap=True, color_system="auto")

    def result(self, value: Any, rows: Iterable[Sequence[Cell]] = ()) -> None:
        """{"ok": true, "value": …}, or the rows."""
        if self.as_json:
            self._json({"ok": True, "value": value})
        else:
            self.table(rows)

    def change(self, value: dict[str, Any], *cells: Cell) -> None:
        """One of several: the object, or a line that begins with the time."""
        if self.as_json:
            self._json(value)
        else:
            self.table([((dt.datetime.now().strftime("%H:%M:%S"), "dim"), *cells)])

    def table(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Columns, each as wide as it must be."""
        lines = [[_styled(cell) for cell in row] for row in rows]
        widths: dict[int, int] = {}
        for line in lines:
            for column, cell in enumerate(line[:-1]):
                widths[column] = max(widths.get(column, 0), cell_len(cell.plain))
        for line in lines:
            joined = Text()
            for column, cell in enumerate(line):
                joined.append_text(cell)
                if column < len(line) - 1:
                    joined.append(" " * (widths[column] - cell_len(cell.plain) + _GAP))
            joined.rstrip()
            self._console.print(joined)

    def _json(self, value: Any) -> None:
        self._console.out(json.dumps(value, default=_plain), highlight=False)


def note(text: str) -> None:
    """What is not the result, on stderr."""
    print(text, file=sys.stderr, flush=True)


def moment(value: dt.datetime | float | None) -> dt.datetime | None:
    """A time as boto3 gives it: a datetime, or milliseconds since 1970."""
    if value is None or isinstance(value, dt.datetime):
        return value
    return dt.datetime.fromtimestamp(value / 1000, dt.UTC)


def when(value: dt.datetime | None) -> str:
    """A time for people, in their time zone."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if value else ""


def members(value: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those of an answer's members that it has."""
    return {name: value[name] for name in names if name in value}


def _styled(cell: Cell) -> Text:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return Text(printable(text), style=style)


def _plain(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is not JSON")
