"""What a station shows: a table that is kept up to date on a terminal, lines elsewhere, or JSON."""

import json
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .ledger import Board
from .watch import DONE, FAILED, WAITING, Place

_STYLES = {DONE: "green", FAILED: "bold red", WAITING: "dim"}
_SHOWN = (
    "mac",
    "name",
    "number",
    "chip",
    "image",
    "firmware",
    "wifi",
    "led",
    "button",
    "configured",
    "printed",
)
_BAR, _STEP = 20, 32  # columns, which do not jump


class View:
    """Codes are on labels and in the CSV, and nowhere here.

    Args:
        as_json: an object a change, on stdout.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._is_live = self._console.is_terminal and not as_json
        self._lock = threading.Lock()

    def shown(self) -> AbstractContextManager[Any]:
        """While it lasts, `draw` keeps a table."""
        return self._live if self._is_live else nullcontext()

    def note(self, text: str) -> None:
        """What is about no board: on stderr where stdout is a program's."""
        with self._lock:
            if self._as_json:
                print(text, file=sys.stderr, flush=True)
            else:
                self._console.print(Text(text))

    def tell(self, place: Place) -> None:
        """A place has changed."""
        with self._lock:
            if self._as_json:
                print(json.dumps(_object(place)), flush=True)
            elif not self._is_live or place.state in (DONE, FAILED):
                self._console.print(_line(place))

    def draw(self, places: Iterable[Place], finished: int, failures: int) -> None:
        """The places there are now."""
        if self._is_live:
            with self._lock:
                self._live.update(_table(places, finished, failures), refresh=True)

    def ended(self, boards: list[Board], finished: int, failures: int) -> None:
        """The last word."""
        done, left = sum(bool(board.done) for board in boards), sum(not board.done for board in boards)
        if self._as_json:
            value = {"finished": finished, "failed": failures, "done": done, "begun": left}
            print(json.dumps({"ok": True, "value": value}), flush=True)
            return
        more = f", {left} begun: they go on where they are once they are plugged in again" if left else ""
        self.note(f"{finished} boards done in this run, {done} in the batch{more}")


def _line(place: Place) -> Text:
    line = Text().append(time.strftime("%H:%M:%S  "), style="dim").append(f"{place.port}  ")
    line.append(f"{_name(place)}  " if place.board else "")
    return line.append(_says(place), style=_STYLES.get(place.state, ""))


def _says(place: Place) -> str:
    if place.failure:
        return f"failed: {place.failure.text}\n{' ' * 10}{place.failure.remedy}"
    if place.state == DONE and place.board:
        label = f"label {place.board.number}"
        if place.was_done:
            return f"was done before: {label}; take it off"
        said = f", Wi-Fi {place.board.wifi}" if place.board.wifi else ""
        unsure = "; look whether its label was printed" if place.board.printed == "unknown" else ""
        return f"done: {label}{said}; take it off{unsure}"
    return place.step or place.state


def _table(places: Iterable[Place], finished: int, failures: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, width in (("port", 12), ("board", 18), ("", _STEP), ("", _BAR), ("since", 6)):
        table.add_column(title, no_wrap=True, min_width=width)
    for place in places:
        style = _STYLES.get(place.state, "")
        step = "failed" if place.failure else _says(place)
        bar = "" if place.share is None else ProgressBar(total=1, completed=place.share, width=_BAR)
        seconds = f"{time.monotonic() - place.since_s:.0f} s"
        table.add_row(place.port, _name(place), Text(step, style=style), bar, seconds)
    word = f"{finished} done, {failures} failed; Ctrl-C ends, and what was begun goes on the next time"
    return Group(table, Text(word, style="dim"))


def _name(place: Place) -> str:
    return place.board.name if place.board else ""


def _object(place: Place) -> dict[str, Any]:
    told: dict[str, Any] = {"port": place.port, "state": place.state, "step": place.step}
    if place.board:
        told |= {name: value for name in _SHOWN if (value := getattr(place.board, name)) is not None}
    if place.failure:
        told |= {"text": place.failure.text, "remedy": place.failure.remedy}
    return told
