"""What the broker must not lose, in SQLite: sessions, their subscriptions and queues, retained messages."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .database import Database


@dataclass(slots=True)
class Message:
    """An application message on its way to one session.

    `row` is its place in the database if it is kept there; a `private` one is for this connection alone.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    row: int | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class StoredSession:
    client_id: str
    subscriptions: dict[str, int]
    messages: list[tuple[int | None, Message]]
    """Packet id (None when it was never sent) and message, oldest first."""


class Store:
    """Sessions and retained messages of a database; each method raises InternalFailureException.

    Args:
        database: shared with the registry.
        expiry_s: how long a session is kept after its client is gone.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, expiry_s: float, clock: Callable[[], float] = time.time) -> None:
        self._db = database
        self._expiry_s = expiry_s
        self._clock = clock
        self.transaction = database.transaction

    def load_sessions(self) -> Iterator[StoredSession]:
        """All sessions; those that were connected when the process ended begin to expire now."""
        self._db.run(
            "UPDATE sessions SET expires_s = ? WHERE expires_s IS NULL", self._clock() + self._expiry_s
        )
        for (client_id,) in self._db.all("SELECT client_id FROM sessions"):
            filters = self._db.all("SELECT filter, qos FROM subscriptions WHERE client_id = ?", client_id)
            rows = self._db.all(
                "SELECT packet_id, topic, payload, retain, id FROM queued WHERE client_id = ? ORDER BY id",
                client_id,
            )
            messages = [
                (p, Message(topic, body, 1, bool(retain), row)) for p, topic, body, retain, row in rows
            ]
            yield StoredSession(client_id, dict(filters), messages)

    def expired_sessions(self) -> list[str]:
        return [
            c for (c,) in self._db.all("SELECT client_id FROM sessions WHERE expires_s <= ?", self._clock())
        ]

    def keep_session(self, client_id: str) -> None:
        """The session's client is connected: it does not expire."""
        self._db.run("INSERT OR REPLACE INTO sessions VALUES (?, NULL)", client_id)

    def leave_session(self, client_id: str) -> None:
        """The session's client is gone: it expires from now on."""
        expires_s = self._clock() + self._expiry_s
        self._db.run("UPDATE sessions SET expires_s = ? WHERE client_id = ?", expires_s, client_id)

    def delete_session(self, client_id: str) -> None:
        with self._db.transaction():
            for table in ("sessions", "subscriptions", "queued"):
                self._db.run(f"DELETE FROM {table} WHERE client_id = ?", client_id)  # noqa: S608

    def add_subscription(self, client_id: str, topic_filter: str, qos: int) -> None:
        self._db.run("INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?)", client_id, topic_filter, qos)

    def remove_subscription(self, client_id: str, topic_filter: str) -> None:
        self._db.run("DELETE FROM subscriptions WHERE client_id = ? AND filter = ?", client_id, topic_filter)

    def add_message(self, client_id: str, message: Message) -> None:
        cursor = self._db.run(
            "INSERT INTO queued (client_id, topic, payload, retain) VALUES (?, ?, ?, ?)",
            client_id, message.topic, message.payload, message.retain,
        )  # fmt: skip
        message.row = cursor.lastrowid

    def set_packet_id(self, row: int, packet_id: int) -> None:
        self._db.run("UPDATE queued SET packet_id = ? WHERE id = ?", packet_id, row)

    def remove_message(self, row: int) -> None:
        self._db.run("DELETE FROM queued WHERE id = ?", row)

    def retain(self, topic: str, payload: bytes, qos: int) -> None:
        """Keep a topic's last message; an empty payload removes it (3.3.1.3)."""
        if payload:
            self._db.run("INSERT OR REPLACE INTO retained VALUES (?, ?, ?)", topic, payload, qos)
            self._db.run("INSERT OR REPLACE INTO retained_times VALUES (?, ?)", topic, self._clock())
        else:
            self._db.run("DELETE FROM retained WHERE topic = ?", topic)
            self._db.run("DELETE FROM retained_times WHERE topic = ?", topic)

    def retained(self, topic: str) -> tuple[bytes, int] | None:
        return self._db.one("SELECT payload, qos FROM retained WHERE topic = ?", topic)

    def list_retained(self) -> list[tuple[str, int, int]]:
        """Topic, size and QoS of each retained message."""
        return self._db.all("SELECT topic, length(payload), qos FROM retained")

    def retained_s(self, topic: str) -> float | None:
        """When it was retained; None in a state from before that was kept."""
        row = self._db.one("SELECT modified_s FROM retained_times WHERE topic = ?", topic)
        return row[0] if row else None

    def next_presence_version(self, client_id: str) -> int:
        sql = (
            "INSERT INTO presence VALUES (?, 0) ON CONFLICT (client_id) DO UPDATE SET version = version + 1 "
            "RETURNING version"
        )
        return self._db.all(sql, client_id)[0][0]
