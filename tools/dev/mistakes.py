"""A traceback's lines as a developer wants them: with the file here, and the source line that is meant."""

import re
from collections.abc import Callable
from pathlib import Path

from tools.board.files import located
from tools.board.view import own_names

# Of a device's file: /firmware/app.py, in a pack /pack/firmware/app.mpy; mpy-cross says firmware/app.py. And
# of a module of the library's in a pack, where it has no lines: all is line 1.
_PLACE = re.compile(r'^(\s*)File "(?:/?(?:pack/)?([\w./-]+?)\.m?py|(iot\.[\w.]+))", line (\d+)(.*)$')
_TRACEBACK = "Traceback (most recent call last):"
_UNDERLINED = re.compile(r"^\s+[~^ ]+$")  # CPython shows source lines itself, and what of them it means


def with_source(text: str) -> str:
    """A traceback with the lines that it names, and where those are here."""
    return "\n".join(line for given in text.splitlines() for line in explained(given))


def explained(line: str) -> list[str]:
    """A line of a traceback, and behind it the source's, where it names one of the device's files."""
    found = _PLACE.match(own_names(line))
    source = found and _source(found[2] or found[3].replace(".", "/"))
    if not found or not source:
        return [line]
    number, lines = int(found[4]), source.read_text("utf-8", "replace").splitlines()
    told = f'{found[1]}File "{short(source)}", line {number}{found[5]}'
    known = number > 1 or not (found[3] or "/pack/" in line)
    text = lines[number - 1].strip() if known and number <= len(lines) else ""
    return [told, f"{found[1]}  {text}"] if text else [told]


def short(file: Path) -> Path:
    """A path for people: from the current folder on, where it is in that."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


class Tracebacks:
    """Passes a console's lines on, those of tracebacks explained.

    Args:
        show: gets each line.
        on_traceback: called where one begins.
    """

    def __init__(self, show: Callable[[str], None], on_traceback: Callable[[], None]) -> None:
        self._show = show
        self._on_traceback = on_traceback
        self._text = ""  # the source line that was shown last

    def line(self, line: str) -> None:
        """A line of the device's."""
        if line.endswith(_TRACEBACK):
            self._on_traceback()
        if self._text and (line.strip() == self._text or _UNDERLINED.match(line)):
            return
        told = explained(line)
        self._text = told[1].strip() if len(told) > 1 else ""
        for one in told:
            self._show(one)


def _source(stem: str) -> Path | None:
    """The file here of a module on the device, by its path without ending."""
    names = (f"{stem}.py", f"lib/{stem}.py")
    return next((file for name in names if (file := located(Path(name))).is_file()), None)
