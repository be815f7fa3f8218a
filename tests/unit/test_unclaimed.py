"""Messages that nobody takes: they wait for who subscribes late, then are counted, told and acknowledged."""

import asyncio

from fakes import Without
from iot.mqtt import unclaimed
from stream import Broker, Notes, client, publish

PUBACK, SUBSCRIBE = 0x40, 0x80
SESSION_PRESENT = b"\x20\x02\x01\x00"


class Bench:
    """A client whose broker has kept a session; connected inside `async with`."""

    def __init__(self, kept=b"", **options):
        self.broker = Broker()
        self.broker.connack = SESSION_PRESENT + kept
        self.notes = Notes()
        self.client = client(self.broker.open_stream, self.notes, **options)

    async def __aenter__(self):
        await self.client.connect()
        return self

    async def __aexit__(self, *exception):
        await self.client.disconnect()

    def feed(self, *packets):
        self.broker.streams[-1].feed(b"".join(packets))

    async def waiting(self, count):
        await self.broker.until(lambda: len(self.client.inbox.waiting) == count)

    def acknowledged(self):
        """The packet ids of the PUBACKs that the broker got."""
        return [body[1] for _, body in self.broker.sent(PUBACK)]


async def test_kept_messages_wait_for_who_subscribes_a_moment_later():
    kept = publish("cmd/a", b"1", 1, 1) + publish("cmd/b", b"2", 1, 2) + publish("else", b"3", 1, 3)
    async with Bench(kept) as b:
        await b.waiting(3)
        await asyncio.sleep_ms(20)
        assert b.acknowledged() == [], "nobody has them"
        subscription = b.client.subscribe("cmd/+")
        assert subscription.read() == ("cmd/a", b"1") and subscription.read() == ("cmd/b", b"2")
        await b.broker.until_sent(PUBACK, 2)
        assert b.acknowledged() == [1, 2] and b.client.inbox.counts["unclaimed"] == 0
        late = b.client.subscribe("else")
        assert await late.__anext__() == ("else", b"3")
        await b.broker.until_sent(PUBACK, 3)
        assert b.client.inbox.waiting == []


async def test_what_waits_does_not_hold_up_the_rest():
    async with Bench(publish("else", b"3", 1, 3)) as b:
        await b.waiting(1)
        assert await b.client.publish("t", "x", qos=1).wait(1000)
        assert await b.client.subscribe("other").acknowledged(1000)


async def test_the_default_inbox_gets_them_and_all_that_follow():
    async with Bench(publish("direct", b"1", 1, 1)) as b:
        await b.waiting(1)
        inbox = b.client.subscribe(None, 0, 2)
        b.feed(publish("direct", b"2", 1, 2), publish("direct/0", b"3"))
        await b.broker.until_sent(PUBACK, 2)
        assert await inbox.__anext__() == ("direct", b"2"), "the oldest was dropped"
        assert await inbox.__anext__() == ("direct/0", b"3") and inbox.dropped == 1
        assert b.broker.sent(SUBSCRIBE) == []


async def test_what_nobody_took_is_counted_told_and_then_acknowledged():
    async with Bench(timeout_ms=1000) as b:
        b.feed(publish("x", b"1", 1, 1), publish("y", b"2"), publish("x", b"3", 1, 3))
        await b.broker.until_sent(PUBACK, 2)
        assert b.acknowledged() == [1, 3] and b.client.inbox.counts["unclaimed"] == 3
        assert [line for line in b.notes.lines if "nobody" in line] == [
            "nobody takes what comes on x; dropped in all: 1",
            "nobody takes what comes on y; dropped in all: 2",
        ]


async def test_a_flood_that_nobody_takes_is_bounded_and_told_in_few_lines():
    async with Bench(timeout_ms=1000) as b:
        for i in range(60):
            b.feed(publish("t/{}".format(i), bytes(100), 1, i + 1))
        await b.broker.until_sent(PUBACK, 52)
        assert len(b.client.inbox.waiting) <= 8
        await b.broker.until_sent(PUBACK, 60)
        assert b.client.inbox.counts["unclaimed"] == 60
        assert len([line for line in b.notes.lines if "nobody" in line]) <= 8 + 6


async def test_large_ones_are_bounded_by_their_bytes():
    async with Bench() as b:
        for i in range(3):
            b.feed(publish("t", bytes(2000), 1, i + 1))
        await b.broker.until_sent(PUBACK)
        assert b.acknowledged() == [3] and len(b.client.inbox.waiting) == 2


async def test_one_that_comes_again_meanwhile_is_kept_once():
    async with Bench(publish("x", b"1", 1, 7)) as b:
        b.feed(publish("x", b"1", 1, 7, 0x08))
        await b.client.ping()
        subscription = b.client.subscribe("x")
        assert subscription.read() == ("x", b"1") and subscription.read() is None
        await b.broker.until_sent(PUBACK)
        assert b.acknowledged() == [7]


async def test_on_a_new_connection_the_broker_sends_what_was_not_acknowledged():
    async with Bench() as b:
        b.feed(publish("x", b"1", 1, 7), publish("zero", b"0"))
        await b.waiting(2)
        b.broker.streams[-1].hang_up()
        await b.broker.until(lambda: not b.client.connected and b.client.connection.closed)
        b.broker.connack = SESSION_PRESENT + publish("x", b"1", 1, 7, 0x08)
        await b.client.connect()
        await b.waiting(1)
        assert b.client.inbox.counts["unclaimed"] == 1, "that of QoS 0 is lost and counted"
        assert b.client.subscribe("x").read() == ("x", b"1")
        await b.broker.until_sent(PUBACK)
        assert b.acknowledged() == [7]
        b.feed(publish("y", b"2", 1, 8))
        await b.waiting(1)
        b.broker.streams[-1].hang_up()
        await b.broker.until(lambda: not b.client.connected and b.client.connection.closed)
        b.broker.connack = b"\x20\x02\x00\x00"
        await b.client.connect()
        assert b.client.inbox.counts["unclaimed"] == 2 and b.client.inbox.waiting == [], (
            "without a session it is gone"
        )


async def test_who_subscribes_between_two_connections_gets_what_waits():
    async with Bench() as b:
        b.feed(publish("x", b"1", 1, 7))
        await b.waiting(1)
        b.broker.streams[-1].hang_up()
        await b.broker.until(lambda: not b.client.connected and b.client.connection.closed)
        assert b.client.subscribe("x").read() == ("x", b"1")
        await b.client.connect()
        assert b.acknowledged() == []


async def test_what_there_is_no_memory_for_is_acknowledged_and_counted():
    async with Bench() as b:
        framer = b.client.inbox.framer
        framer.body, framer.topic, framer.packet_id, framer.size = memoryview(b"abc"), "cmd/a", 7, 12
        with Without(unclaimed, "bytes"):
            assert unclaimed.put(b.client, framer) == 7
        assert not b.client.inbox.waiting and b.client.inbox.counts["oversize"] == 1
        assert "dropped 12 bytes on cmd/a" in b.notes.lines
