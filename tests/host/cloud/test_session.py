"""A session's queue and window, without a network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tools.cloud.database import Database
from tools.cloud.errors import InternalFailureException
from tools.cloud.limits import Limits
from tools.cloud.packet import Publish
from tools.cloud.router import Router
from tools.cloud.session import Session
from tools.cloud.store import Message, Store

LIMITS = replace(Limits(), unacknowledged=3, queued_bytes=1000)


class Receiver:
    """A connection that takes `room` messages and then is full."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.packets: list[Publish] = []
        self.denied: set[str] = set()

    @property
    def writable(self) -> bool:
        return self.room > 0

    def may_receive(self, topic: str) -> bool:
        return topic not in self.denied

    def deliver(self, packet: Publish) -> None:
        self.room -= 1
        self.packets.append(packet)

    def fail(self, error: InternalFailureException) -> None:
        raise error

    @property
    def ids(self) -> list[int | None]:
        return [packet.packet_id for packet in self.packets]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database, expiry_s=3600)


def message(payload: bytes = b"x", topic: str = "a", private: bool = False) -> Message:
    return Message(topic, payload, 1, private=private)


def offer(session: Session, *messages: Message) -> None:
    for one in messages:
        assert session.offer(one)
    session.pump()


def restored(store: Store) -> Session:
    (stored,) = store.load_sessions()
    session = Session(stored.client_id, store, LIMITS)
    session.restore(stored.subscriptions, stored.messages)
    return session


@pytest.fixture
def session(store: Store) -> Session:
    store.keep_session("c")
    return Session("c", store, LIMITS)


def test_packet_ids_wrap_and_leave_out_those_in_use(session: Session) -> None:
    receiver = Receiver(room=10**6)
    session.restore({}, [(1, message()), (65_500, message())])  # id 1 stays unacknowledged
    session.attach(receiver)
    session.acknowledge(65_500)
    for _ in range(35):
        offer(session, message())
        last = receiver.packets[-1].packet_id
        assert last is not None
        session.acknowledge(last)
    assert last == 65_535
    offer(session, message())
    assert receiver.ids[-1] == 2


def test_what_was_sent_goes_again_first_as_far_as_there_is_room(session: Session) -> None:
    session.attach(Receiver())
    offer(session, *(message(bytes((i,))) for i in range(5)))
    session.detach()
    receiver = Receiver(room=2)
    session.attach(receiver)
    assert [(p.packet_id, p.dup) for p in receiver.packets] == [(1, True), (2, True)]
    receiver.room = 10
    session.pump()
    assert receiver.ids == [1, 2, 3]
    for packet_id in (1, 2, 3):
        session.acknowledge(packet_id)
    session.pump()
    assert [(p.payload[0], p.dup) for p in receiver.packets[3:]] == [(3, False), (4, False)]


def test_a_store_knows_what_is_unacknowledged(session: Session, store: Store) -> None:
    session.attach(Receiver())
    offer(session, *(message(bytes((i,))) for i in range(5)))
    session.acknowledge(2)
    again = Receiver()
    later = restored(store)
    later.attach(again)
    assert [(p.packet_id, p.payload[0], p.dup) for p in again.packets] == [
        (1, 0, True),
        (3, 2, True),
        (4, 3, False),
    ]


def test_private_messages_end_with_their_connection(session: Session, store: Store) -> None:
    receiver = Receiver(room=1)
    session.attach(receiver)
    offer(session, message(b"key 1", private=True), message(b"key 2", private=True), message(b"public"))
    assert [packet.payload for packet in receiver.packets] == [b"key 1"]
    session.detach()
    for one in (session, restored(store)):
        again = Receiver()
        one.attach(again)
        assert [packet.payload for packet in again.packets] == [b"public"]


def test_queue_is_bounded_in_bytes(session: Session) -> None:
    assert session.offer(message(bytes(600)))
    assert not session.offer(message(bytes(600)))
    assert session.offer(message(bytes(400)))
    assert session.dropped == 1
    receiver = Receiver()
    session.attach(receiver)
    for packet_id in (1, 2):
        session.acknowledge(packet_id)
    assert session.offer(message(bytes(1000))), "what is acknowledged makes room"


def test_a_denied_message_is_left_out_and_forgotten(session: Session, store: Store) -> None:
    receiver = Receiver()
    receiver.denied = {"secret"}
    session.attach(receiver)
    offer(session, message(topic="secret"), message(topic="open"))
    session.send_qos_0(Message("secret", b"", 0))
    assert [packet.topic for packet in receiver.packets] == ["open"]
    again = Receiver()
    restored(store).attach(again)
    assert [packet.topic for packet in again.packets] == ["open"]


def test_qos_0_is_dropped_and_counted_when_there_is_no_room(session: Session) -> None:
    receiver = Receiver(room=1)
    session.attach(receiver)
    for _ in range(3):
        session.send_qos_0(Message("a", b"", 0))
    assert (len(receiver.packets), session.dropped) == (1, 2)


def test_router_takes_up_stored_sessions(store: Store) -> None:
    router = Router(store, LIMITS)
    first, present = router.open_session("c", clean=False)
    assert not present
    router.subscribe(first, [("a/+", 1), ("b", 1)])
    router.unsubscribe(first, ["b"])
    router.subscribe(first, [("$share/group/c", 1)])
    router.publish("a/b", b"1", 1)
    router.publish("b", b"2", 1)
    later = Router(store, LIMITS)
    again, present = later.open_session("c", clean=False)
    assert present
    receiver = Receiver()
    again.attach(receiver)
    later.publish("c", b"3", 1)
    assert [(p.topic, p.payload) for p in receiver.packets] == [("a/b", b"1"), ("c", b"3")]


def test_a_failed_write_leaves_nothing_behind(store: Store, database: Database) -> None:
    """A publish is stored for all of its subscribers or for none."""
    router = Router(store, LIMITS)
    for name in ("c", "d"):
        router.subscribe(router.open_session(name, clean=False)[0], [("a", 1)])
    with pytest.raises(RuntimeError), database.transaction():
        router.publish("a", b"", 1)
        raise RuntimeError
    assert not [messages for stored in store.load_sessions() for messages in stored.messages]
