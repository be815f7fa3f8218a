"""Whatever write fails, and at whatever moment: what the broker has in memory is what its database has."""

import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.cloud.database import Database
from tools.cloud.errors import InternalFailureException
from tools.cloud.limits import Limits
from tools.cloud.packet import Publish
from tools.cloud.router import Router
from tools.cloud.session import Session
from tools.cloud.store import Store

LIMITS = replace(Limits(), unacknowledged=2, queued_messages=5)
_READS = ("SELECT", "BEGIN", "ROLLBACK")


class Failing(Database):
    """A database whose `failing`-th write from now fails, and all after it, until `mend`."""

    def __init__(self, folder: Path) -> None:
        self.failing: int | None = None
        super().__init__(folder)
        self._connection.executescript(
            "CREATE TABLE parent (id PRIMARY KEY); PRAGMA foreign_keys = ON;"
            "CREATE TABLE orphan (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )

    def run(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self._count(sql)
        return super().run(sql, *arguments)

    def all(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        self._count(sql)
        return super().all(sql, *arguments)

    def _count(self, sql: str) -> None:
        if self.failing is None or sql.startswith(_READS):
            return
        self.failing -= 1
        if self.failing >= 0:
            return
        if sql == "COMMIT":  # fails where a reference leads nowhere, and leaves the transaction open
            self._connection.execute("INSERT INTO orphan VALUES (1)")
        else:
            self._connection.execute("PRAGMA query_only = ON")

    def mend(self) -> None:
        self.failing = None
        self._connection.execute("PRAGMA query_only = OFF")
        assert not self._connection.in_transaction, "a transaction was left open"


class Client:
    """A connection, as the broker makes one of a router's session."""

    writable = True

    def __init__(self, router: Router, name: str, clean: bool) -> None:
        self._router = router
        self.failures: list[InternalFailureException] = []
        self.session: Session | None = router.open_session(name, clean)[0]
        self.session.attach(self)

    def may_receive(self, topic: str) -> bool:
        return topic != "denied"

    def deliver(self, packet: Publish) -> None:
        pass

    def fail(self, error: InternalFailureException) -> None:
        self.close()

    def close(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            try:
                self._router.close_session(session)
            except InternalFailureException as error:
                self.failures.append(error)


class World:
    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.database = Failing(folder)
        store = Store(self.database, LIMITS.session_expiry_s, lambda: self.now)
        self.router = Router(store, LIMITS)
        self.clients: dict[str, Client] = {}

    def step(self, call: Callable[[], None], failing: int | None) -> None:
        self.database.failing = failing
        try:
            call()
        except InternalFailureException:
            assert failing is not None
        self.database.mend()
        self.check()

    def check(self) -> None:
        database, sessions = self.database, self.router._sessions
        kept = {name: session for name, session in sessions.items() if session.persistent}
        stored = dict(database.all("SELECT client_id, expires_s IS NULL FROM sessions"))
        assert stored.keys() == kept.keys()
        for name, session in kept.items():
            assert bool(stored[name]) == (session.connected or name in self.router._left)
            filters = database.all("SELECT filter, qos FROM subscriptions WHERE client_id = ?", name)
            assert session.subscriptions == dict(filters)
            waiting = [*session._inflight.items(), *((None, message) for message in session._queue)]
            rows = database.all("SELECT id, packet_id FROM queued WHERE client_id = ? ORDER BY id", name)
            assert sorted((message.row, i) for i, message in waiting) == rows
            assert session._bytes == sum(len(message.payload) for _, message in waiting)
        for topic in ("a", "b", "denied"):
            found = self.router._tree.match(topic)
            assert all(key in sessions.values() for key in found if isinstance(key, Session))

    def connect(self, name: str, clean: bool) -> None:
        if old := self.clients.pop(name, None):
            old.close()
        self.clients[name] = Client(self.router, name, clean)

    def subscribe(self, name: str, filters: list[str]) -> None:
        if session := self.session(name):
            self.router.subscribe(session, [(topic_filter, 1) for topic_filter in filters])

    def unsubscribe(self, name: str, filters: list[str]) -> None:
        if session := self.session(name):
            self.router.unsubscribe(session, filters)

    def publish(self, topic: str, retain: bool) -> None:
        self.router.publish(topic, b"payload", 1, retain)

    def acknowledge(self, name: str, index: int) -> None:
        session = self.session(name)
        if session is not None and session._inflight:
            session.acknowledge([*session._inflight][index % len(session._inflight)])
            session.pump()

    def session(self, name: str) -> Session | None:
        return self.clients[name].session if name in self.clients else None

    def close(self, name: str) -> None:
        if client := self.clients.pop(name, None):
            client.close()

    def expire(self) -> None:
        self.now += LIMITS.session_expiry_s / 2 + 1
        self.router.expire_sessions()


NAMES = st.sampled_from(["one", "two"])
TOPICS = st.sampled_from(["a", "b", "denied"])
FILTERS = st.lists(st.sampled_from(["a", "+", "denied", "$share/g/a"]), min_size=1, max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("connect"), NAMES, st.booleans()),
    st.tuples(st.just("close"), NAMES),
    st.tuples(st.just("subscribe"), NAMES, FILTERS),
    st.tuples(st.just("unsubscribe"), NAMES, FILTERS),
    st.tuples(st.just("publish"), TOPICS, st.booleans()),
    st.tuples(st.just("acknowledge"), NAMES, st.integers(0, 1)),
    st.tuples(st.just("expire")),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(STEPS, st.none() | st.integers(0, 4)), max_size=40))
def test_memory_is_what_the_database_has(steps: list[tuple[tuple[Any, ...], int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            for name in ("one", "two"):
                world.connect(name, clean=False)
                world.subscribe(name, ["a"])
            for step, failing in steps:
                world.step(partial(getattr(world, step[0]), *step[1:]), failing)
            world.step(world.expire, None)
            assert not world.router._left
        finally:
            world.database.close()
