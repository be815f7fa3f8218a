"""What is read of the last days, each call with a connection of its own, in any thread."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

Row = tuple[Any, ...]
Span = tuple[int, int, int]
"""A thing's number in the file, and the time from and up to."""
_POINTS = "FROM points WHERE thing = ? AND time_ms >= ? AND time_ms < ?"


class Past:
    """Reads.

    Args:
        path: the file, which exists.
    """

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.absolute().as_uri()}?mode=ro"

    def series(self, span: Span, fields: list[str], points: int) -> dict[str, Any]:
        """Times, and of each field the values: all there are or, where that are more than `points`, of each
        piece of time the least and the most.
        """
        paths = [f'$."{field}"' for field in fields]
        columns = "".join(", json_extract(data, ?)" for _ in fields)
        with closing(self._open()) as reader:
            found = reader.execute(f"SELECT count(*) FROM (SELECT 1 {_POINTS} LIMIT ?)", (*span, points + 1))  # noqa: S608
            if found.fetchone()[0] <= points:
                sql = f"SELECT time_ms{columns} {_POINTS} ORDER BY time_ms"
                rows = reader.execute(sql, (*paths, *span)).fetchall()
            else:
                rows = list(_thinned(reader, paths, span, max(1, points // 2)))
        values = [[row[place] for row in rows] for place in range(1, len(fields) + 1)]
        return {"fields": fields, "times": [row[0] for row in rows], "values": values}

    def rows(self, span: Span, count: int) -> list[tuple[int, dict[str, float]]]:
        """The first so many points."""
        sql = f"SELECT time_ms, data {_POINTS} ORDER BY time_ms LIMIT ?"
        with closing(self._open()) as reader:
            return [(time_ms, json.loads(data)) for time_ms, data in reader.execute(sql, (*span, count))]

    def last(self, thing: int) -> tuple[int, dict[str, float]] | None:
        """The newest point."""
        sql = "SELECT time_ms, data FROM points WHERE thing = ? ORDER BY time_ms DESC LIMIT 1"
        with closing(self._open()) as reader:
            row = reader.execute(sql, (thing,)).fetchone()
        return None if row is None else (row[0], json.loads(row[1]))

    def lines(self, thing: int, before: int, count: int) -> list[dict[str, Any]]:
        """The last so many log lines before one, in the order of their coming."""
        names = ("id", "time", "level", "area", "text")
        # Numbers and times rise together; the index is by time.
        sql = (
            "SELECT id, time_ms, level, area, text FROM log WHERE thing = ? AND id < ? "
            "ORDER BY time_ms DESC, id DESC LIMIT ?"
        )
        with closing(self._open()) as reader:
            found = reader.execute(sql, (thing, before, count)).fetchall()
        return [dict(zip(names, row, strict=True)) for row in reversed(found)]

    def after(self, line: int, start_ms: int, count: int) -> list[dict[str, Any]]:
        """The first so many log lines of all behind one, from a time on, in the order of their coming."""
        names = ("id", "source", "time", "level", "area", "text")
        sql = (
            "SELECT log.id, things.name, time_ms, level, area, text FROM log "
            "JOIN things ON things.id = log.thing WHERE log.id > ? AND time_ms >= ? ORDER BY log.id LIMIT ?"
        )
        with closing(self._open()) as reader:
            found = reader.execute(sql, (line, start_ms, count)).fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    def modes(self, thing: int, count: int) -> list[list[Any]]:
        """The last so many changes of mode, [ms, mode]."""
        sql = "SELECT time_ms, mode FROM modes WHERE thing = ? ORDER BY time_ms DESC, rowid DESC LIMIT ?"
        with closing(self._open()) as reader:
            return [list(row) for row in reversed(reader.execute(sql, (thing, count)).fetchall())]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True)


def _thinned(reader: sqlite3.Connection, paths: list[str], span: Span, pieces: int) -> Iterator[Row]:
    """Two rows for each piece of time: at its first point the least values, at its last the most."""
    thing, _, end_ms = span
    first, last = reader.execute(f"SELECT min(time_ms), max(time_ms) {_POINTS}", span).fetchone()
    width = max(1, -(-(last + 1 - first) // pieces))
    columns = "".join(", min(json_extract(data, ?)), max(json_extract(data, ?))" for _ in paths)
    twice = [path for path in paths for _ in range(2)]
    sql = f"SELECT min(time_ms), max(time_ms){columns} {_POINTS}"
    for start in range(first, last + 1, width):
        row = reader.execute(sql, (*twice, thing, start, min(start + width, end_ms))).fetchone()
        if row[0] is not None:
            yield row[0], *row[2::2]
            if row[1] != row[0]:
                yield row[1], *row[3::2]
