"""The last days, in SQLite: telemetry, log lines and modes, written by batches in a thread of its own."""

import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

FILE = "history.sqlite3"
DAYS = 7
BYTES = 256 << 20
BATCH_S = 2.0
_WAITING_MAX = 50_000  # rows that wait for a disk that takes none; then the oldest go
_PRUNE_EVERY_S = 60.0
_PART = 16  # where it has too many bytes, so great a part of its time goes at once
_DAY_MS = 24 * 3600 * 1000
_TABLES = ("points", "log", "modes")
_VERSION = 1
_SCHEMA = """
CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE points (
  thing INTEGER NOT NULL, time_ms INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (thing, time_ms)
) WITHOUT ROWID;
CREATE TABLE log (
  id INTEGER PRIMARY KEY, thing INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  level TEXT NOT NULL, area TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX log_thing ON log (thing, id);
CREATE TABLE modes (thing INTEGER NOT NULL, time_ms INTEGER NOT NULL, mode TEXT NOT NULL);
CREATE INDEX modes_thing ON modes (thing, time_ms);
CREATE TABLE fields (thing INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (thing, name)) WITHOUT ROWID;
"""
_INSERTS = {
    "points": "INSERT OR REPLACE INTO points VALUES (?, ?, ?)",
    "log": "INSERT INTO log (thing, id, time_ms, level, area, text) VALUES (?, ?, ?, ?, ?, ?)",
    "modes": "INSERT INTO modes VALUES (?, ?, ?)",
    "fields": "INSERT OR IGNORE INTO fields VALUES (?, ?)",
}
Row = tuple[Any, ...]
_log = logging.getLogger(__name__)


def _no_say(text: str) -> None:
    pass


class History:
    """Adding never waits for the disk; reading does, and belongs into a thread. `with History(…) as history: …`.

    A process that is killed loses what came within the last two seconds. A disk that takes nothing is told,
    once, and the latest rows wait for it. A file that cannot be read is put aside.

    Args:
        folder: where its file is; made if it does not exist.
        days, size_bytes: what is older goes, and the oldest of what is more.
        say: called with what a person should know, in any thread.
        clock_ms: the time.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        days: float = DAYS,
        size_bytes: int = BYTES,
        say: Callable[[str], None] = _no_say,
        clock_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / FILE
        self.days = days
        self._bytes = size_bytes
        self._say = say
        self._clock_ms = clock_ms
        self._waiting: list[tuple[str, str, Row]] = []  # table, device, row
        self._lost = 0
        self._is_failing = False
        self._adding = threading.Lock()
        self._writing = threading.Lock()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._database = self._open()
        self._things: dict[str, int] = dict(self._database.execute("SELECT name, id FROM things"))
        self._known = {name: set(self._fields(number)) for name, number in self._things.items()}
        found = self._database.execute("SELECT max(id) FROM log").fetchone()[0]
        self._last_id = found or 0

    def __enter__(self) -> "History":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        with self._writing:
            self._database.close()

    def point(self, name: str, time_ms: int, values: dict[str, float]) -> None:
        """Numbers that a device has sent."""
        known = self._known.setdefault(name, set())
        for field in values.keys() - known:
            known.add(field)
            self._add("fields", name, (field,))
        self._add("points", name, (time_ms, json.dumps(values, ensure_ascii=False, separators=(",", ":"))))

    def log(self, name: str, time_ms: int, level: str, area: str, text: str) -> int:
        """A line of a device's log; its number, by which later ones are greater."""
        self._last_id += 1
        self._add("log", name, (self._last_id, time_ms, level, area, text))
        return self._last_id

    def mode(self, name: str, time_ms: int, mode: str) -> None:
        """A mode that a device has entered."""
        self._add("modes", name, (time_ms, mode))

    def fields(self, name: str) -> list[str]:
        """Those that a device has ever sent."""
        return sorted(self._known.get(name, ()))

    def _add(self, table: str, name: str, row: Row) -> None:
        with self._adding:
            if len(self._waiting) >= _WAITING_MAX:
                del self._waiting[: _WAITING_MAX // 10]
                self._lost += _WAITING_MAX // 10
            self._waiting.append((table, name, row))

    def series(self, name: str, fields: list[str], start_ms: int, end_ms: int, points: int) -> dict[str, Any]:
        """Times, and of each field the values: all there are or, of each piece of time, the least and the most."""
        thing = self._thing(name)
        span = (thing, start_ms, end_ms)
        paths = [f'$."{field}"' for field in fields]
        columns = "".join(", json_extract(data, ?)" for _ in fields)
        where = "FROM points WHERE thing = ? AND time_ms >= ? AND time_ms < ?"
        with closing(self._reader()) as reader:
            few = reader.execute(
                f"SELECT count(*) FROM (SELECT 1 {where} LIMIT ?)", (*span, points + 1)
            ).fetchone()[0]
            if few <= points:
                rows = list(
                    reader.execute(f"SELECT time_ms{columns} {where} ORDER BY time_ms", (*paths, *span))
                )
            else:
                rows = list(_thinned(reader, where, paths, span, max(1, points // 2)))
        times = [row[0] for row in rows]
        values = [[row[place] for row in rows] for place in range(1, len(fields) + 1)]
        return {"fields": fields, "times": times, "values": values}

    def rows(self, name: str, start_ms: int, end_ms: int, count: int) -> list[tuple[int, dict[str, float]]]:
        """The first so many points of a span of time."""
        sql = "SELECT time_ms, data FROM points WHERE thing = ? AND time_ms >= ? AND time_ms < ? ORDER BY time_ms LIMIT ?"
        with closing(self._reader()) as reader:
            found = reader.execute(sql, (self._thing(name), start_ms, end_ms, count))
            return [(time_ms, json.loads(data)) for time_ms, data in found]

    def lines(self, name: str, before: int | None, count: int) -> list[dict[str, Any]]:
        """The last so many log lines, or those before one; in the order of their coming."""
        sql = "SELECT id, time_ms, level, area, text FROM log WHERE thing = ? AND id < ? ORDER BY id DESC LIMIT ?"
        limit = self._last_id + 1 if before is None else before
        with closing(self._reader()) as reader:
            found = reader.execute(sql, (self._thing(name), limit, count)).fetchall()
        names = ("id", "time", "level", "area", "text")
        return [dict(zip(names, row, strict=True)) for row in reversed(found)]

    def modes(self, name: str, count: int = 500) -> list[list[Any]]:
        """The last so many changes of a device's mode, [ms, mode]."""
        sql = "SELECT time_ms, mode FROM modes WHERE thing = ? ORDER BY time_ms DESC, rowid DESC LIMIT ?"
        with closing(self._reader()) as reader:
            found = reader.execute(sql, (self._thing(name), count)).fetchall()
        return [list(row) for row in reversed(found)]

    def flush(self) -> None:
        """Write what waits."""
        with self._writing, suppress(sqlite3.Error):
            self._write()

    def prune(self) -> None:
        """Let go of what is too old, or too much. Raises sqlite3.Error."""
        with self._writing:
            self._forget_before(self._clock_ms() - int(self.days * _DAY_MS))
            for _ in range(_PART):
                if self._used() <= self._bytes:
                    break
                oldest, newest = self._database.execute(
                    "SELECT min(least), max(most) FROM ("
                    + " UNION ALL ".join(
                        f"SELECT min(time_ms) least, max(time_ms) most FROM {t}" for t in _TABLES
                    )
                    + ")"
                ).fetchone()
                if oldest is None:
                    break
                self._forget_before(oldest + max(1, (newest - oldest) // _PART))

    def _forget_before(self, time_ms: int) -> None:
        with self._database:
            for thing in self._things.values():
                for table in _TABLES:
                    self._database.execute(
                        f"DELETE FROM {table} WHERE thing = ? AND time_ms < ?", (thing, time_ms)
                    )

    def _used(self) -> int:
        pages, free, size = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _fields(self, thing: int) -> Iterator[str]:
        for (name,) in self._database.execute("SELECT name FROM fields WHERE thing = ?", (thing,)):
            yield name

    def _thing(self, name: str) -> int:
        self.flush()
        return self._things.get(name, -1)

    def _reader(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)

    def _open(self) -> sqlite3.Connection:
        try:
            return _opened(self.path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise OSError(0, f"{self.path}: {error}") from None
            aside = self.path.with_suffix(".damaged")
            self._say(f"{self.path}: {error}; it is now {aside.name}, and the history begins anew")
            for ending in ("-wal", "-shm"):
                self.path.with_name(FILE + ending).unlink(missing_ok=True)
            os.replace(self.path, aside)
            return _opened(self.path)

    def _run(self) -> None:
        pruned_s = 0.0
        while not self._ends.wait(BATCH_S):
            self._turn(self._write)
            if time.monotonic() - pruned_s > _PRUNE_EVERY_S:
                pruned_s = time.monotonic()
                self._turn(None)
        self._turn(self._write)

    def _turn(self, write: Callable[[], None] | None) -> None:
        try:
            if write is None:
                self.prune()
            else:
                with self._writing:
                    write()
        except sqlite3.Error as error:
            if not self._is_failing:
                self._say(f"{self.path}: {error}; the history waits for room")
            self._is_failing = True
            return
        if self._is_failing and write:
            self._say(f"{self.path}: the history goes on; {self._lost} rows were lost")
            self._is_failing, self._lost = False, 0

    def _write(self) -> None:
        with self._adding:
            taken, self._waiting = self._waiting, []
        if not taken:
            return
        try:
            with self._database:
                batches: dict[str, list[Row]] = {}
                new: dict[str, int] = {}
                for table, name, row in taken:
                    thing = self._things.get(name) or new.get(name)
                    if thing is None:
                        cursor = self._database.execute("INSERT INTO things (name) VALUES (?)", (name,))
                        thing = new[name] = int(cursor.lastrowid or 0)
                    batches.setdefault(table, []).append((thing, *row))
                for table, rows in batches.items():
                    self._database.executemany(_INSERTS[table], rows)
        except sqlite3.Error:
            with self._adding:
                kept = (
                    taken[-(_WAITING_MAX - len(self._waiting)) :] if len(self._waiting) < _WAITING_MAX else []
                )
                self._lost += len(taken) - len(kept)
                self._waiting = kept + self._waiting
            raise
        self._things |= new


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            database.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={_VERSION};COMMIT;")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"of version {version}, not {_VERSION}")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _thinned(
    reader: sqlite3.Connection, where: str, paths: list[str], span: tuple[int, int, int], pieces: int
) -> Iterator[Row]:
    """Two rows for each piece of time that has any: at its first point the least values, at its last the most."""
    thing, start_ms, end_ms = span
    first, last = reader.execute(f"SELECT min(time_ms), max(time_ms) {where}", span).fetchone()
    width = max(1, -(-(last + 1 - first) // pieces))
    columns = "".join(", min(json_extract(data, ?)), max(json_extract(data, ?))" for _ in paths)
    twice = [path for path in paths for _ in range(2)]
    sql = f"SELECT min(time_ms), max(time_ms){columns} {where}"
    for start in range(first, last + 1, width):
        row = reader.execute(sql, (*twice, thing, start, min(start + width, end_ms))).fetchone()
        if row[0] is None:
            continue
        yield row[0], *row[2::2]
        if row[1] != row[0]:
            yield row[1], *row[3::2]
