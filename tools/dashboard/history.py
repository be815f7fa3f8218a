"""The last days of all devices: what comes is kept by batches, in a thread, and can be asked for."""

import contextlib
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tools.cloud.lock import Lock, StateError
from tools.dashboard.past import Past
from tools.dashboard.records import FILE, Entry, Records, Row

DAYS = 7
BYTES = 256 << 20
BATCH_S = 2.0
WAITING_MAX = 50_000  # rows that wait for a disk that takes none; then the oldest go
_PRUNE_EVERY_S = 60.0
_LOCK = "history.lock"


class History:
    """Adding never waits for the disk; reading does, and belongs into a thread. A context manager.

    A process that is killed loses what came within the last two seconds. A disk that takes nothing is told,
    once, and the latest rows wait for it. Where another process keeps its history in the folder, this one's
    is somewhere else, and ends with it.

    Args:
        folder: where its file is; made if it does not exist.
        days, size_bytes: what is older goes, and the oldest of what is more.
        say: called with what a person should know, in any thread.
        clock_ms: the time.

    Raises:
        OSError: the folder or the file cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        days: float = DAYS,
        size_bytes: int = BYTES,
        say: Callable[[str], None] = lambda text: None,
        clock_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place = contextlib.ExitStack()
        try:
            self._place.callback(Lock(folder, _LOCK).close)
        except StateError:
            say(f"another page keeps its history in {folder}: this one's begins now, and ends with the page")
            folder = Path(self._place.enter_context(tempfile.TemporaryDirectory(prefix="history-")))
        self.path = folder / FILE
        self.days = days
        self._bytes = size_bytes
        self._say = say
        self._clock_ms = clock_ms
        self._waiting: list[Entry] = []
        self._lost = 0
        self._is_failing = False
        self._adding = threading.Lock()
        self._writing = threading.Lock()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._records = Records(self.path, say)
        self._past = Past(self.path)
        self._known = self._records.fields()
        self._last_line = self._records.last_line()

    def __enter__(self) -> "History":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Let go of the file; what waits is not written."""
        with self._writing:
            self._records.close()
        self._place.close()

    def point(self, name: str, time_ms: int, values: dict[str, float]) -> None:
        """Numbers that a device has sent, their names without quotes and backslashes."""
        known = self._known.setdefault(name, set())
        for field in values.keys() - known:
            known.add(field)
            self._add("fields", name, (field,))
        self._add("points", name, (time_ms, json.dumps(values, ensure_ascii=False, separators=(",", ":"))))

    def log(self, name: str, time_ms: int, level: str, area: str, text: str) -> int:
        """A line of a device's log; its number, by which later ones are greater."""
        self._last_line += 1
        self._add("log", name, (self._last_line, time_ms, level, area, text))
        return self._last_line

    def mode(self, name: str, time_ms: int, mode: str) -> None:
        """A mode that a device has entered."""
        self._add("modes", name, (time_ms, mode))

    def fields(self, name: str) -> list[str]:
        """Those that a device has ever sent."""
        return sorted(self._known.get(name, ()))

    def series(self, name: str, fields: list[str], start_ms: int, end_ms: int, points: int) -> dict[str, Any]:
        """As Past.series; fields that the device has never sent have nothing."""
        return self._past.series((self._thing(name), start_ms, end_ms), fields, points)

    def rows(self, name: str, start_ms: int, end_ms: int, count: int) -> list[tuple[int, dict[str, float]]]:
        """The first so many points of a span of time."""
        return self._past.rows((self._thing(name), start_ms, end_ms), count)

    def last(self, name: str) -> tuple[int, dict[str, float]] | None:
        """A device's newest point."""
        return self._past.last(self._thing(name))

    def lines(self, name: str, before: int | None, count: int) -> list[dict[str, Any]]:
        """The last so many log lines, or those before one; in the order of their coming."""
        return self._past.lines(self._thing(name), self._last_line + 1 if before is None else before, count)

    def modes(self, name: str, count: int = 500) -> list[list[Any]]:
        """The last so many changes of a device's mode, [ms, mode]."""
        return self._past.modes(self._thing(name), count)

    def flush(self) -> None:
        """Write what waits, if the disk takes it."""
        with self._writing, contextlib.suppress(sqlite3.Error):
            self._write()

    def _thing(self, name: str) -> int:
        """A device's number in the file, which then has all that came."""
        self.flush()
        return self._records.things.get(name, -1)

    def _add(self, table: str, name: str, row: Row) -> None:
        with self._adding:
            if len(self._waiting) >= WAITING_MAX:
                gone = WAITING_MAX // 10
                del self._waiting[:gone]
                self._lost += gone
            self._waiting.append((table, name, row))

    def _run(self) -> None:
        pruned_s = 0.0
        while not self._ends.wait(BATCH_S):
            with self._telling():
                self._write()
                if time.monotonic() - pruned_s > _PRUNE_EVERY_S:
                    pruned_s = time.monotonic()
                    self._prune()
        with self._telling():
            self._write()

    def prune(self) -> None:
        """Keep to the bounds, which happens by itself each minute. Raises sqlite3.Error."""
        with self._writing:
            self._prune()

    def _prune(self) -> None:
        self._records.prune(self._clock_ms(), self.days, self._bytes)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """While it has the file: what fails is told at its begin and at its end."""
        try:
            with self._writing:
                yield
        except sqlite3.Error as error:
            if not self._is_failing:
                self._say(f"{self.path}: {error}; the history waits")
            self._is_failing = True
            return
        if self._is_failing:
            self._say(f"{self.path}: the history goes on; {self._lost} rows were lost")
            self._is_failing, self._lost = False, 0

    def _write(self) -> None:
        """Raises sqlite3.Error, and what waited still waits."""
        with self._adding:
            taken, self._waiting = self._waiting, []
        try:
            if taken:
                self._records.write(taken)
        except sqlite3.Error:
            with self._adding:
                both = taken + self._waiting
                self._waiting = both[-WAITING_MAX:]
                self._lost += len(both) - len(self._waiting)
            raise
