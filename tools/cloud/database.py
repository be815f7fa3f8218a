"""The SQLite file that holds all the cloud must not lose, and its lock against a second process."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import InternalFailureException
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

# Tables that came after version 1: a state from before gets them when it is opened.
_LATER = """
CREATE TABLE IF NOT EXISTS thing_types (name TEXT PRIMARY KEY, created_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS thing_groups (name TEXT PRIMARY KEY, created_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS thing_group_members (
  name TEXT NOT NULL, thing TEXT NOT NULL, PRIMARY KEY (thing, name)
);
CREATE TABLE IF NOT EXISTS billing_groups (name TEXT PRIMARY KEY, created_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS billing_group_members (name TEXT NOT NULL, thing TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS shadows (  -- name '' is the classic one; deleted: its version is kept for a while
  thing TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, deleted_s REAL, document TEXT,
  PRIMARY KEY (thing, name)
);
CREATE INDEX IF NOT EXISTS shadows_deleted ON shadows (deleted_s) WHERE deleted_s IS NOT NULL;

CREATE TABLE IF NOT EXISTS jobs (
  job_id TEXT PRIMARY KEY, members TEXT NOT NULL, document TEXT NOT NULL, status TEXT NOT NULL,
  follows INTEGER NOT NULL, outcome TEXT NOT NULL, created_s REAL NOT NULL, updated_s REAL NOT NULL,
  completed_s REAL, start_s REAL, end_s REAL  -- of a job that waits for its start, and for its end
);
CREATE TABLE IF NOT EXISTS job_targets (  -- of jobs that have not ended, as job_things
  job_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (job_id, kind, name)
);
CREATE VIEW IF NOT EXISTS job_targeted_things AS  -- whom a job's targets name now
  SELECT t.job_id, t.name AS thing FROM job_targets t JOIN things USING (name) WHERE t.kind = 'thing'
  UNION SELECT t.job_id, m.thing FROM job_targets t JOIN thing_group_members m USING (name)
    JOIN things ON things.name = m.thing WHERE t.kind = 'thinggroup';
CREATE TABLE IF NOT EXISTS job_things (  -- whom a job is for by its targets, and who still waits for it
  id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, thing TEXT NOT NULL, waits INTEGER NOT NULL,
  UNIQUE (job_id, thing)
);
CREATE INDEX IF NOT EXISTS job_things_that_wait ON job_things (job_id) WHERE waits;
CREATE TABLE IF NOT EXISTS job_executions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, thing TEXT NOT NULL, number INTEGER NOT NULL,
  queued_s REAL NOT NULL, retry_attempt INTEGER NOT NULL, status TEXT NOT NULL, details TEXT NOT NULL,
  version INTEGER NOT NULL, started_s REAL, updated_s REAL NOT NULL, in_progress_until_s REAL,
  step_until_s REAL, forced INTEGER NOT NULL, UNIQUE (job_id, thing, number)
);
CREATE INDEX IF NOT EXISTS pending_job_executions ON job_executions (thing)
  WHERE status IN ('QUEUED', 'IN_PROGRESS');
CREATE TABLE IF NOT EXISTS commands (
  command_id TEXT PRIMARY KEY, document TEXT NOT NULL, created_s REAL NOT NULL, updated_s REAL NOT NULL,
  deprecated_s REAL, deletes_s REAL  -- NULL while it is not
);
CREATE TABLE IF NOT EXISTS command_executions (
  execution_id TEXT PRIMARY KEY, command TEXT NOT NULL, target TEXT NOT NULL, status TEXT NOT NULL,
  by_cloud INTEGER NOT NULL, reason TEXT, result TEXT, parameters TEXT NOT NULL, timeout_s INTEGER NOT NULL,
  created_s REAL NOT NULL, updated_s REAL NOT NULL, completed_s REAL, due_s REAL,  -- NULL: no timer runs
  token TEXT UNIQUE, digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS command_executions_due ON command_executions (due_s);
CREATE INDEX IF NOT EXISTS command_executions_created ON command_executions (created_s);
CREATE TABLE IF NOT EXISTS custom_metrics (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, display_name TEXT, token TEXT NOT NULL,
  created_s REAL NOT NULL, updated_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS defender_reports (
  id INTEGER PRIMARY KEY AUTOINCREMENT, thing TEXT NOT NULL, report_id INTEGER NOT NULL,
  received_s REAL NOT NULL, report TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS defender_reports_thing ON defender_reports (thing, id);
CREATE TABLE IF NOT EXISTS thing_type_details (
  name TEXT PRIMARY KEY, properties TEXT NOT NULL, deprecated_s REAL
);
CREATE TABLE IF NOT EXISTS thing_group_details (
  name TEXT PRIMARY KEY, parent TEXT, properties TEXT NOT NULL, version INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS versions (  -- of policies and templates; without a document once it is deleted
  kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, document TEXT,
  is_default INTEGER NOT NULL, created_s REAL NOT NULL, PRIMARY KEY (kind, name, version)
);
CREATE TABLE IF NOT EXISTS retained_times (topic TEXT PRIMARY KEY, modified_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS claims (
  certificate_id TEXT PRIMARY KEY, template TEXT NOT NULL, expires_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS streams (
  stream_id TEXT PRIMARY KEY, version INTEGER NOT NULL, description TEXT, role TEXT NOT NULL,
  files TEXT NOT NULL, created_s REAL NOT NULL, updated_s REAL NOT NULL
);
INSERT INTO versions SELECT 'policy', name, 1, document, 1, created_s FROM policies
  WHERE name NOT IN (SELECT name FROM versions WHERE kind = 'policy');
INSERT INTO versions SELECT 'template', name, 1, body, 1, created_s FROM templates
  WHERE name NOT IN (SELECT name FROM versions WHERE kind = 'template');
"""


class Database:
    """The database of a state directory, for one process and one thread.

    What SQLite cannot do, on a full disk above all, is an InternalFailureException of the method called.
    Whoever keeps in memory what is also here changes it here first, or with `after_commit`: then the two
    agree.

    Args:
        folder: the state directory, which exists.
        guest: for a few statements beside the cloud that may run with it: what that has in memory, too
            (sessions, retained messages), is not for them.

    Raises:
        StateError: in use by another cloud, of another version, or damaged.
    """

    def __init__(self, folder: Path, guest: bool = False) -> None:
        self._after: list[Callable[[], None]] = []
        self._lock = None if guest else Lock(folder)
        path = folder / "cloud.sqlite3"
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._open()
        except (OSError, sqlite3.Error, InternalFailureException) as error:
            self._unlock()
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
        self._connection.executescript(f"BEGIN IMMEDIATE;{_LATER}COMMIT;")

    def close(self) -> None:
        self._connection.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock:
            self._lock.close()

    def run(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, arguments)
        except sqlite3.Error as error:
            raise _failure(error) from error

    def one(self, sql: str, *arguments: Any) -> tuple[Any, ...] | None:
        rows = self.all(sql, *arguments)  # all: a statement that is not run to its end is not committed
        return rows[0] if rows else None

    def all(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise _failure(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what runs inside is committed, or none of it; an inner transaction joins the outer one."""
        if self._connection.in_transaction:
            yield
            return
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            self._after.clear()
            with suppress(sqlite3.Error):  # a full disk has it undone already
                self._connection.execute("ROLLBACK")
            raise
        after, self._after = self._after, []
        for call in after:
            call()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call it once what was written is certain: at the transaction's end, or now where there is none.

        It must not raise; where the transaction is undone it is not called.
        """
        if self._connection.in_transaction:
            self._after.append(call)
        else:
            call()


def _failure(error: sqlite3.Error) -> InternalFailureException:
    return InternalFailureException(f"the state cannot be read or written: {error}")
