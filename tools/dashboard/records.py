"""The file of the last days: telemetry, log lines and modes in SQLite, bounded by days and by bytes."""

import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

FILE = "history.sqlite3"
_PART = 16  # where there are too many bytes, so great a part of the time goes at once
_DAY_MS = 24 * 3600 * 1000
_TABLES = ("points", "log", "modes")
_VERSION = 1
_SCHEMA = """
CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE fields (thing INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (thing, name)) WITHOUT ROWID;
CREATE TABLE points (
  thing INTEGER NOT NULL, time_ms INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (thing, time_ms)
) WITHOUT ROWID;
CREATE TABLE log (
  id INTEGER PRIMARY KEY, thing INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  level TEXT NOT NULL, area TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX log_thing ON log (thing, time_ms);
CREATE TABLE modes (thing INTEGER NOT NULL, time_ms INTEGER NOT NULL, mode TEXT NOT NULL);
CREATE INDEX modes_thing ON modes (thing, time_ms);
"""
_INSERTS = {
    "fields": "INSERT OR IGNORE INTO fields VALUES (?, ?)",
    "points": "INSERT OR REPLACE INTO points VALUES (?, ?, ?)",
    "log": "INSERT OR REPLACE INTO log (thing, id, time_ms, level, area, text) VALUES (?, ?, ?, ?, ?, ?)",
    "modes": "INSERT INTO modes VALUES (?, ?, ?)",
}
_DELETES = tuple(f"DELETE FROM {table} WHERE thing = ? AND time_ms < ?" for table in _TABLES)  # noqa: S608
_SPANS = " UNION ALL ".join(f"SELECT min(time_ms) a, max(time_ms) b FROM {table}" for table in _TABLES)  # noqa: S608
_SPAN = f"SELECT min(a), max(b) FROM ({_SPANS})"  # noqa: S608
Row = tuple[Any, ...]
Entry = tuple[str, str, Row]
"""Table, device, and the row without the device."""


class Records:
    """One process's, one thread's at a time.

    Args:
        path: the file; made if it does not exist. One that is damaged is put aside.
        say: called with what a person should know.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        try:
            self._database = _opened(path)
        except sqlite3.OperationalError as error:
            raise OSError(f"{path}: {error}") from None
        except sqlite3.DatabaseError as error:
            aside = path.with_suffix(".damaged")
            say(f"{path}: {error}; it is now {aside.name}, and the history begins anew")
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            os.replace(path, aside)
            self._database = _opened(path)
        self.things: dict[str, int] = dict(self._database.execute("SELECT name, id FROM things"))

    def close(self) -> None:
        self._database.close()

    def fields(self) -> dict[str, set[str]]:
        """Of each device those that it has ever sent."""
        found: dict[str, set[str]] = {name: set() for name in self.things}
        sql = "SELECT things.name, fields.name FROM fields JOIN things ON things.id = fields.thing"
        for name, field in self._database.execute(sql):
            found[name].add(field)
        return found

    def last_line(self) -> int:
        """The number of the last log line."""
        return int(self._database.execute("SELECT coalesce(max(id), 0) FROM log").fetchone()[0])

    def write(self, entries: Iterable[Entry]) -> None:
        """All of them or none. Raises sqlite3.Error."""
        new: dict[str, int] = {}
        batches: dict[str, list[Row]] = {}
        with self._database:
            for table, name, row in entries:
                thing = self.things.get(name) or new.get(name)
                if thing is None:
                    cursor = self._database.execute("INSERT INTO things (name) VALUES (?)", (name,))
                    thing = new[name] = int(cursor.lastrowid or 0)
                batches.setdefault(table, []).append((thing, *row))
            for table, rows in batches.items():
                self._database.executemany(_INSERTS[table], rows)
        self.things |= new

    def prune(self, now_ms: int, days: float, size_bytes: int) -> None:
        """Let go of what is older than that, and of the oldest of what is more. Raises sqlite3.Error."""
        self._forget_before(now_ms - int(days * _DAY_MS))
        for _ in range(2 * _PART):
            if self.size_bytes() <= size_bytes:
                return
            oldest, newest = self._database.execute(_SPAN).fetchone()
            if oldest is None:
                return
            self._forget_before(oldest + max(1, (newest - oldest) // _PART))

    def size_bytes(self) -> int:
        """What is in use of the file; the rest of it is used again."""
        pages, free, size = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _forget_before(self, time_ms: int) -> None:
        with self._database:
            for thing in self.things.values():
                for sql in _DELETES:
                    self._database.execute(sql, (thing, time_ms))


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        # A batch is in the kernel's hands when its commit returns, and survives the process's death.
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
