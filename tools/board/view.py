"""What a board says, shown to a person or to a program."""

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from tools.timeline import AREAS, LEVELS, LOG_LINE

from .link import Answer, parse_answer

if TYPE_CHECKING:
    from rich.table import Table

_LEVEL_NAMES = {"E": "error", "W": "warning", "I": "info", "D": "debug"}
_SECRET = "configure data "  # noqa: S105 - what follows it may hold passwords and keys

# MicroPython's objects have no order; this is the one of `status`, what it does not name comes last.
_ORDER = """
    mode version id thing uptime_s reset_cause wifi ip rssi networks clock cloud unreached certificate_ends
    queued dropped heap_total heap_used heap_free heap_piece idf_free idf_largest idf_lowest
    starved starved_reason slots
""".split()  # noqa: SIM905


def mask(command: str) -> str:
    """A typed command as it may be shown and remembered."""
    return _SECRET + "…" if command.startswith(_SECRET) else command


def own_names(line: str) -> str:
    """A line of a traceback with its function's own name, which is short on the chip; others as they are."""
    if 'File "iot.' not in line and 'File "/pack/' not in line:
        return line
    from .tracebacks import readable  # noqa: PLC0415  it brings the compiler

    return readable(line)


class JsonView:
    """One JSON object a line: a log line, an answer, or what else the board prints."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, color_system=None)  # which also ends well where nobody reads on

    def line(self, line: str) -> None:
        """A line from the board."""
        line = own_names(line)
        if answer := parse_answer(line):
            self.answer(answer)
        elif match := LOG_LINE.match(line):
            level = _LEVEL_NAMES[match["level"]]
            uptime_s = float(match["uptime_s"])
            self._print({"uptime_s": uptime_s, "level": level, "area": match["area"], "text": match["text"]})
        else:
            self._print({"text": line})

    def answer(self, answer: Answer) -> None:
        """An answer: `value` where it is JSON, else `text`."""
        key = "text" if answer.value is None else "value"
        self._print({"ok": answer.ok, key: answer.text if answer.value is None else answer.value})

    def _print(self, value: dict[str, Any]) -> None:
        self._out.out(json.dumps(value))


class TextView:
    """Text: in colours and tables on a terminal, elsewhere as the board sends it."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._error = Console(highlight=False, soft_wrap=True, stderr=True)

    def line(self, line: str) -> None:
        """A line from the board."""
        line = own_names(line)
        if answer := parse_answer(line):
            self.answer(answer)
        elif match := LOG_LINE.match(line):
            text = Text(line, style=LEVELS[match["level"]])
            text.stylize("dim", 0, match.start("level"))
            if match["level"] == "I":
                text.stylize(AREAS.get(match["area"], "dim"), *match.span("area"))
            self._out.print(text)
        else:
            self._out.print(Text.from_ansi(line))

    def answer(self, answer: Answer) -> None:
        """An answer; one that is JSON becomes a table on a terminal."""
        if not answer.ok:
            self._error.print(Text(f"error: {answer.text}", style="bold red"))
        elif answer.value is not None and self._out.is_terminal:
            self._out.print(table(answer.value))
        else:
            self._out.print(Text(answer.text, style="green"))

    def say(self, text: str, style: str = "dim") -> None:
        """A word of our own."""
        self._error.print(Text(text, style=style))


def table(value: Any) -> "Table":
    """A JSON object as names and values; an array of objects with a column for each member."""
    from rich.table import Table  # noqa: PLC0415  # takes a while

    if isinstance(value, dict):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="cyan")
        for name, member in sorted(value.items(), key=lambda item: _rank(item[0])):
            grid.add_row(name.removesuffix("_s").replace("_", " "), Text(_readable(name, member)))
        return grid
    rows = [row if isinstance(row, dict) else {"": row} for row in value]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = Table(
        *(name.replace("_", " ") for name in names), box=None, header_style="cyan", pad_edge=False
    )
    for row in rows:
        columns.add_row(*(Text(_readable(name, row.get(name))) for name in names))
    return columns


def _rank(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _readable(name: str, value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_readable(key, member)}" for key, member in value.items())
    if isinstance(value, list):
        return ", ".join(_readable("", member) for member in value)
    if name.endswith("_s") and isinstance(value, int):
        return _duration(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _duration(seconds: int) -> str:
    """The two largest units."""
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
