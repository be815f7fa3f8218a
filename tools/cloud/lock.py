"""A state directory belongs to one process at a time."""

import sqlite3
from pathlib import Path


class StateError(Exception):
    """The state directory cannot be used; its text says why and what to do."""


class Lock:
    """Holds a directory until close() or the process's end, however that comes, on every system alike.

    The lock is SQLite's own on an empty database beside the real one, which whoever likes may look into.

    Args:
        folder: what is held.
        name: the database's; who holds one holds no other.

    Raises:
        StateError: another one holds it, or it cannot be written to.
    """

    def __init__(self, folder: Path, name: str = "lock") -> None:
        path = folder / name
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
            try:
                self._connection.execute("BEGIN EXCLUSIVE")
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                text = f"{folder} is in use by another cloud; stop that one or use another directory"
            else:
                text = f"{path}: {error}; use a directory that can be written"
            raise StateError(text) from None

    def close(self) -> None:
        """Give it back; closing twice does no harm."""
        self._connection.close()
