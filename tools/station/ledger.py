"""A batch's boards, and how far each is: in an SQLite file, which outlives any cut, and a CSV made of it.

The file decides: an address is in it once, a code once, a number once. All else in the folder is made of it.
"""

import sqlite3
import threading
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.ble.session import new_code, spell_code
from tools.board.errors import BoardError, writing

from .files import table, write

DATABASE, CSV = "station.db", "boards.csv"
_OWNER_ONLY = 0o700
_TRIES = 8  # for a code that no other has: the second is never needed


@dataclass(frozen=True)
class Board:
    """One board; what has not happened yet is None."""

    mac: str
    name: str  # as the device calls itself
    code: str
    chip: str
    flashed: str | None = None  # the image's SHA-256
    image: str | None = None  # and what it is, in words
    coded: str | None = None  # since when it has its code
    wifi: str | None = None
    led: str | None = None
    button: str | None = None
    firmware: str | None = None  # the version that it told
    configured: str | None = None
    number: int | None = None  # of its label
    printed: str | None = None  # "begun", or since when
    done: str | None = None


_NAMES = tuple(field.name for field in fields(Board))
_COLUMNS = ", ".join(_NAMES)
_SHOWN = (
    *("number", "name", "mac", "code", "chip", "image", "firmware"),
    *("wifi", "led", "button", "configured", "printed", "done"),
)
_CREATE = f"""
CREATE TABLE IF NOT EXISTS boards
    ({_COLUMNS}, PRIMARY KEY (mac), UNIQUE (name), UNIQUE (code), UNIQUE (number));
CREATE TABLE IF NOT EXISTS facts (key PRIMARY KEY, value);
"""


class Ledger:
    """A batch's folder, for one station at a time; its methods may be called by any thread.

    Raises:
        BoardError: another station uses it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        path = folder / DATABASE
        with writing(folder):
            folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        try:
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # until it is closed, however that comes
            self._db.execute("PRAGMA synchronous = EXTRA")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute("COMMIT")
            self._db.executescript(_CREATE)
        except sqlite3.DatabaseError as error:
            raise _unusable(folder, error) from None

    def close(self) -> None:
        """Let others have the folder."""
        with self._lock:
            self._db.close()

    def agree(self, key: str, value: str, why: str) -> None:
        """Have the batch keep to the first value of `key`; BoardError for another, and `why`."""
        with self._lock:
            self._run("INSERT OR IGNORE INTO facts VALUES (?, ?)", key, value)
            there = self.fact(key)
        if there != value:
            text = f"{self.folder}: the batch was begun with --{key} {there}"
            raise BoardError(text, f"{why} Keep to it, or begin another batch: --batch DIR.")

    def fact(self, key: str) -> str:
        """What was agreed; "" where nothing was."""
        found = self._run("SELECT value FROM facts WHERE key = ?", key)
        return str(found[0][0]) if found else ""

    def begin(self, mac: str, name: str, chip: str) -> Board:
        """The board with this address; a new one gets a code that no other has."""
        with self._lock:
            for _ in range(_TRIES):
                if there := self.board(mac):
                    return there
                code = new_code()
                with suppress(sqlite3.IntegrityError):
                    self._run(
                        "INSERT INTO boards (mac, name, code, chip) VALUES (?, ?, ?, ?)",
                        mac,
                        name,
                        code,
                        chip,
                    )
        raise BoardError(f"{self.folder}: another board is called {name}", "Name another batch: --batch DIR.")

    def board(self, mac: str) -> Board | None:
        """The board with this address, if it was ever here."""
        found = self._run(f"SELECT {_COLUMNS} FROM boards WHERE mac = ?", mac)  # noqa: S608
        return Board(*found[0]) if found else None

    def boards(self) -> list[Board]:
        """All, by the numbers of their labels; those without come last."""
        sql = f"SELECT {_COLUMNS} FROM boards ORDER BY number IS NULL, number, rowid"  # noqa: S608
        return [Board(*row) for row in self._run(sql)]

    def record(self, board: Board, **values: str | None) -> Board:
        """Write down what has become of a board; returns it as it is now."""
        sets = ", ".join(f"{name} = ?" for name in values)
        self._run(f"UPDATE boards SET {sets} WHERE mac = ?", *values.values(), board.mac)  # noqa: S608
        return self._again(board)

    def number(self, board: Board) -> Board:
        """Give it the next label's number, once for all."""
        sql = (
            "UPDATE boards SET number = (SELECT COALESCE(MAX(number), 0) + 1 FROM boards) "
            "WHERE mac = ? AND number IS NULL"
        )
        self._run(sql, board.mac)
        return self._again(board)

    def write_csv(self) -> None:
        """Write `boards.csv` anew: a line for each board that is done."""
        with self._lock:
            done = [board for board in self.boards() if board.done]
            write(
                self.folder / CSV, table(_SHOWN, ([_shown(board, name) for name in _SHOWN] for board in done))
            )

    def _again(self, board: Board) -> Board:
        there = self.board(board.mac)
        assert there is not None
        return there

    def _run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:  # a full disk, for example
                text = f"{self.folder / DATABASE}: {error}"
                raise BoardError(text, "Mend that, and plug the board in again.") from None


def now() -> str:
    """The time, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(board: Board, name: str) -> str:
    value = getattr(board, name)
    return spell_code(board.code) if name == "code" else "" if value is None else str(value)


def _unusable(folder: Path, error: sqlite3.DatabaseError) -> BoardError:
    if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
        return BoardError(
            f"{folder}: another station uses it", "End that one, or name another batch: --batch DIR."
        )
    if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
        return BoardError(f"{folder / DATABASE}: damaged", "Bring it back from a copy of the folder.")
    return BoardError(f"{folder / DATABASE}: {error}", "Name a folder that can be written: --batch DIR.")
