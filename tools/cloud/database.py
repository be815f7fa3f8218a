"""The SQLite file that holds all the cloud must not lose, and its lock against a second process."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .lock import Lock, StateError

_VERSION = 1
_SCHEMA = """
CREATE TABLE certificates (
  certificate_id TEXT PRIMARY KEY, pem TEXT NOT NULL, status TEXT NOT NULL, created_s REAL NOT NULL
);
CREATE TABLE policies (name TEXT PRIMARY KEY, document TEXT NOT NULL, created_s REAL NOT NULL);
CREATE TABLE policy_targets (policy TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (target, policy));
CREATE TABLE things (
  name TEXT PRIMARY KEY, thing_type TEXT, attributes TEXT NOT NULL, version INTEGER NOT NULL
);
CREATE TABLE thing_principals (thing TEXT NOT NULL, principal TEXT NOT NULL, PRIMARY KEY (principal, thing));
CREATE TABLE templates (
  name TEXT PRIMARY KEY, body TEXT NOT NULL, description TEXT NOT NULL, role TEXT NOT NULL,
  enabled INTEGER NOT NULL, created_s REAL NOT NULL
);
CREATE TABLE tokens (token TEXT PRIMARY KEY, certificate_id TEXT NOT NULL, expires_s REAL NOT NULL);
CREATE TABLE retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL);
CREATE TABLE sessions (client_id TEXT PRIMARY KEY, expires_s REAL);  -- NULL while connected
CREATE TABLE subscriptions (
  client_id TEXT NOT NULL, filter TEXT NOT NULL, qos INTEGER NOT NULL, PRIMARY KEY (client_id, filter)
);
CREATE TABLE queued (
  id INTEGER PRIMARY KEY AUTOINCREMENT, client_id TEXT NOT NULL, packet_id INTEGER,  -- NULL until sent
  topic TEXT NOT NULL, payload BLOB NOT NULL, retain INTEGER NOT NULL
);
CREATE INDEX queued_by_client ON queued (client_id);
CREATE TABLE presence (client_id TEXT PRIMARY KEY, version INTEGER NOT NULL);
"""


class Database:
    """The database of a state directory, for one process and one thread.

    Args:
        folder: the state directory, which exists.

    Raises:
        StateError: in use by another cloud, of another version, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = Lock(folder)
        path = folder / "cloud.sqlite3"
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._open()
        except (OSError, sqlite3.Error) as error:
            self._lock.close()
            raise StateError(f"{path}: {error}; restore it or delete {folder}") from error
        except StateError:
            self.close()
            raise

    def _open(self) -> None:
        # A commit in WAL mode is in the kernel's hands when it returns and survives the process's death.
        # synchronous=NORMAL does not wait for the disk: only the machine's crash can cost the last commits.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        version = self.all("PRAGMA user_version")[0][0]
        if version == 0:
            self._connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={_VERSION};COMMIT;")
        elif version != _VERSION:
            raise StateError(f"the state is of version {version}, not {_VERSION}; use another directory")

    def close(self) -> None:
        self._connection.close()
        self._lock.close()

    def run(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        return self._connection.execute(sql, arguments)

    def one(self, sql: str, *arguments: Any) -> tuple[Any, ...] | None:
        rows = self.all(sql, *arguments)  # all: a statement that is not run to its end is not committed
        return rows[0] if rows else None

    def all(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, arguments).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what runs inside is committed, or none of it; an inner transaction joins the outer one."""
        if self._connection.in_transaction:
            yield
            return
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")
