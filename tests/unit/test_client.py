"""The MQTT client against a scripted broker in memory."""

import asyncio
import errno
import sys
import time
from collections import namedtuple

from check import araises, raises
from fakes import Without
from iot.backoff import Backoff
from iot.mqtt import client as module
from iot.mqtt import connection
from iot.mqtt.client import Client
from iot.mqtt.packet import Framer, MQTTError, Refused, Starved
from iot.mqtt.queues import Inbox, Outbox
from stream import Broker, Notes, client, packet_id, payload, publish

PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 0x30, 0x40, 0x80, 0xA0, 0xC0, 0xE0
SESSION_PRESENT = b"\x20\x02\x01\x00"


class Bench:
    """A client, its broker and its notes; connected inside `async with`."""

    def __init__(self, **options):
        self.broker = Broker()
        self.notes = Notes()
        self.client = client(self.broker.open_stream, self.notes, self.notes.notify, **options)

    async def __aenter__(self):
        await self.client.connect()
        return self

    async def __aexit__(self, *exception):
        await self.client.disconnect()

    @property
    def stream(self):
        return self.broker.streams[-1]

    async def lost(self):
        """Wait for the connection's end and return its reason."""
        before = len(self.notes.details("disconnected"))
        await self.broker.until(lambda: len(self.notes.details("disconnected")) > before)
        assert self.stream.closed and not self.client.connected
        return self.notes.details("disconnected")[-1]


# The good way


async def test_connects_publishes_and_disconnects():
    async with Bench() as b:
        assert b.client.connected
        zero = b.client.publish("a/b", b"zero")
        one = b.client.publish("a/b", {"n": 1}, qos=1)
        assert zero and one
        assert await zero.wait(1000)
        assert await one
        assert b.broker.packets[1] == (0x30, b"\x00\x03a/bzero")
        assert b.broker.packets[2] == (0x32, b'\x00\x03a/b\x00\x01{"n": 1}')
    assert b.broker.packets[0] == (0x10, b"\x00\x04MQTT\x04\x00\x00\x3c\x00\x07thing-1")
    assert b.broker.packets[-1] == (0xE0, b"")
    assert b.stream.closed and not b.client.connected
    events = [("connecting", None), ("connected", False), ("published", 1)]
    assert b.notes.events == events + [("disconnected", "disconnect asked")]


async def test_receives_what_it_subscribed_to():
    async with Bench() as b:
        subscription = b.client.subscribe("a/+")
        assert await subscription.acknowledged(1000)
        b.stream.feed(publish("a/b", b"one", 1, 7) + publish("a/c", b"two") + publish("x", b"no"))
        assert await subscription.__anext__() == ("a/b", b"one")
        assert await subscription.__anext__() == ("a/c", b"two")
        assert subscription.read() is None
        await b.broker.until_sent(PUBACK)
        assert b.broker.sent(PUBACK) == [(0x40, b"\x00\x07")]
        subscription.close()
        await b.broker.until_sent(UNSUBSCRIBE)
        assert b.broker.sent(UNSUBSCRIBE) == [(0xA2, b"\x00\x02\x00\x03a/+")]


async def test_a_stream_in_single_bytes_is_the_same():
    async with Bench() as b:
        b.stream.most_per_read = 1
        subscription = b.client.subscribe("#", depth=20)
        assert await subscription.acknowledged(1000)
        for i in range(20):
            b.stream.feed(publish("t/{}".format(i), bytes(i * 10), 1, i + 1))
        await b.broker.until_sent(PUBACK, 20)
        for i in range(20):
            assert subscription.read() == ("t/{}".format(i), bytes(i * 10))


async def test_payloads_may_be_bytes_text_or_json():
    async with Bench() as b:
        for data in (b"raw", bytearray(b"raw"), memoryview(b"raw"), "größe", [1, None], {"a": True}):
            b.client.publish("t", data)
        assert await b.client.flush(1000)
        texts = [payload(body, 0) for _, body in b.broker.sent(PUBLISH)]
        assert texts == [b"raw", b"raw", b"raw", "größe".encode(), b"[1, null]", b'{"a": true}']


async def test_what_json_has_no_word_for_is_refused_and_named():
    b = Bench()
    nan, inf = float("nan"), float("inf")
    for document, place in (
        ({"t": nan}, "t is nan"),
        ([1, -inf], "[1] is -inf"),
        ({"a": [{"b": 1.5}, {"b": (0, inf)}]}, "a[1].b[1] is inf"),
        ({"outer": {"inner": nan, "x": "nan"}}, "outer.inner is nan"),
    ):
        raises(ValueError, 'publish to "t": ' + place, b.client.publish, "t", document)
        raises(ValueError, place, b.client.set_last_will, "t", document)
    Point = namedtuple("Point", ("x", "y"))
    for value, kind in (
        ({1, 2}, "set"),
        ({"a"}, "set"),
        (Point(1, 2), "Point"),
        (1j, "complex"),
        (..., ""),
        (b"x", "bytes"),
        (bytearray(b"x"), "bytearray"),
        (range(3), "range"),
        (Point, "type"),
        (print, ""),
        (b, "Bench"),
    ):
        for document in ([value], {"a": (value,)}, {"b": {"a": value}}):
            error = raises(ValueError, 'publish to "t": ', b.client.publish, "t", document)
            assert kind in str(error) and "for which JSON has no word" in str(error)
    raises(ValueError, "is no name that JSON has", b.client.publish, "t", {"a": {("b",): 1}})
    assert len(b.client.outbox) == 0 and b.client.will is None
    for document in ({"nan": "inf (x) <y>", "info": [1e300, -1.5, None, True]}, {"x": "nan"}, [], {}):
        assert b.client.publish("t", document)
    assert b.client.publish("t", {1: (2, [None, True, {"a": "{1} <(j)>"}]), "b": -0.0, "c": 1e300})


async def test_the_will_goes_with_the_connect():
    b = Bench(clean=True, keep_alive_s=30)
    b.client.set_last_will("gone/thing-1", {"x": 1}, retain=True, qos=1)
    async with b:
        pass
    assert b.broker.packets[0][1] == (
        b'\x00\x04MQTT\x04\x2e\x00\x1e\x00\x07thing-1\x00\x0cgone/thing-1\x00\x08{"x": 1}'
    )


async def test_arguments_that_cannot_be_are_refused():
    b = Bench(outbox_bytes=128)
    raises(ValueError, "no wildcards", b.client.publish, "a/#", b"")
    raises(ValueError, "QoS 2: only 0 and 1", b.client.publish, "a", b"", 2)
    raises(ValueError, "QoS 2", b.client.subscribe, "a", 2)
    raises(ValueError, "filter: 1 to 65535 bytes", b.client.subscribe, "")
    raises(ValueError, "depth: at least 1", b.client.subscribe, "a", 1, 0)
    raises(ValueError, 'publish to "a": 205 bytes', b.client.set_last_will, "a", bytes(199))
    raises(ValueError, "no wildcards", b.client.set_last_will, "+", b"")
    raises(ValueError, 'publish to "a/b": 129 bytes; the limit is 128', b.client.publish, "a/b", bytes(122))
    assert b.client.publish("a/b", bytes(121)) and len(b.client.outbox) == 1
    raises(ValueError, 'topic "a/a/a/a/a/a/a/a/a": 8 slashes', b.client.publish, "/".join("a" * 9), b"")
    raises(ValueError, "8 slashes", b.client.subscribe, "a/+/+/+/+/+/+/+/#")
    raises(ValueError, "257 bytes; AWS IoT takes 256", b.client.publish, "ä" * 128 + "x", b"")
    raises(ValueError, "no service of AWS IoT has that", b.client.publish, "$SYS/x", b"")
    raises(ValueError, "AWS IoT retains nothing there", b.client.publish, "$aws/things/x", b"", 1, True)
    raises(ValueError, "client id: 1 to 128 bytes, not 129", Client, "x" * 129, *[None] * 4)
    raises(ValueError, "keep_alive_s: 0 to 65535, not -1", Client, "x", *[None] * 4, keep_alive_s=-1)


# QoS 1


async def test_the_window_bounds_what_is_in_flight():
    b = Bench(window=3)
    b.broker.acknowledges = False
    async with b:
        receipts = [b.client.publish("t", str(i), qos=1) for i in range(8)]
        await b.broker.until_sent(PUBLISH, 3)
        await b.client.ping()
        assert len(b.broker.sent(PUBLISH)) == 3
        b.stream.feed(b"\x40\x02" + packet_id(b.broker.sent(PUBLISH)[1][1]))
        assert await receipts[1].wait(1000)
        await b.broker.until_sent(PUBLISH, 4)
        await b.client.ping()
        assert [payload(body) for _, body in b.broker.sent(PUBLISH)] == [b"0", b"1", b"2", b"3"]
        assert not receipts[0].done and not receipts[7].done


async def test_acks_may_come_in_any_order_and_unknown_ones_are_ignored():
    b = Bench()
    b.broker.acknowledges = False
    async with b:
        receipts = [b.client.publish("t", "x", qos=1) for _ in range(4)]
        await b.broker.until_sent(PUBLISH, 4)
        b.stream.feed(b"\x40\x02\x00\x04\x40\x02\x00\x02\x40\x02\x30\x39\x40\x02\x00\x02\x40\x02\x00\x01")
        assert await receipts[0].wait(1000)
        assert [receipt.done for receipt in receipts] == [True, True, False, True]
        assert b.notes.details("published") == [4, 2, 1]
        b.stream.feed(b"\x40\x02\x00\x03")
        assert await b.client.flush(1000) and b.client.connected


async def test_a_lost_ack_is_asked_for_again_with_dup_on_the_same_connection():
    b = Bench(timeout_ms=60)
    b.broker.acknowledges = False
    async with b:
        receipt = b.client.publish("t", "x", qos=1)
        await b.broker.until_sent(PUBLISH, 3)
        first, again, once_more = b.broker.sent(PUBLISH)
        assert first[0] == 0x32 and again == once_more == (0x3A, first[1])
        b.stream.feed(b"\x40\x02" + packet_id(first[1]))
        assert await receipt.wait(1000)
        assert len(b.broker.streams) == 1 and b.client.connected


async def test_packet_ids_wrap_and_skip_those_in_use():
    b = Bench()
    b.broker.acknowledges = False
    async with b:
        b.client._last_id = 65532
        for _ in range(5):
            b.client.publish("t", "x", qos=1)
        await b.broker.until_sent(PUBLISH, 5)
        ids = [packet_id(body) for _, body in b.broker.sent(PUBLISH)]
        assert ids == [b"\xff\xfd", b"\xff\xfe", b"\xff\xff", b"\x00\x01", b"\x00\x02"]
        b.broker.grants = False
        b.client._last_id = 65532
        b.client.subscribe("a")
        await b.broker.until_sent(SUBSCRIBE)
        assert b.broker.sent(SUBSCRIBE)[0][1][:2] == b"\x00\x03"
        b.client._last_id = 65532
        b.client.publish("t", "x", qos=1)
        await b.broker.until_sent(PUBLISH, 6)
        assert packet_id(b.broker.sent(PUBLISH)[5][1]) == b"\x00\x04"


async def test_a_subscription_is_asked_for_again_under_its_packet_id_that_no_message_gets_meanwhile():
    b = Bench(timeout_ms=50)
    async with b:
        b.broker.grants = False
        subscription = b.client.subscribe("a")
        await b.broker.until_sent(SUBSCRIBE, 2)
    subscription.packet_id = -abs(subscription.packet_id)
    b.client._last_id = -subscription.packet_id - 1
    assert b.client.packet_id() == -subscription.packet_id + 1
    b.broker.grants = True
    async with b:
        assert await subscription.acknowledged(1000)
        asked = b.broker.sent(SUBSCRIBE)
    assert len(asked) >= 3 and all(body == asked[0][1] for _, body in asked)


async def test_a_redelivered_message_is_delivered_and_acknowledged_again():
    async with Bench() as b:
        subscription = b.client.subscribe("t")
        b.stream.feed(publish("t", b"x", 1, 5) + publish("t", b"x", 1, 5, 0x08))
        await b.broker.until_sent(PUBACK, 2)
        assert subscription.read() == subscription.read() == ("t", b"x")


async def test_a_flood_of_messages_waits_for_a_writer_that_is_stuck():
    async with Bench() as b:
        subscription = b.client.subscribe("t", depth=4)
        assert await subscription.acknowledged(1000)
        b.stream.stuck = True
        b.client.publish("t", b"this write is stuck")
        for i in range(200):
            b.stream.feed(publish("t", bytes([i]), 1, i + 1))
        await b.broker.until(lambda: subscription.dropped >= 28)
        await asyncio.sleep_ms(50)
        assert subscription.dropped == 29, "32 acks wait, and one message for them"
        b.stream.stuck = False
        await b.broker.until_sent(PUBACK, 200)
        assert [body for _, body in b.broker.sent(PUBACK)] == [bytes([0, i + 1]) for i in range(200)]
        assert subscription.dropped == 196 and subscription.read() == ("t", bytes([196]))


# Bounds


async def test_while_disconnected_messages_wait_in_a_bounded_outbox():
    b = Bench(outbox_bytes=1024)
    receipts = [b.client.publish("t", bytes(200), qos=1) for _ in range(7)]
    assert [bool(receipt) for receipt in receipts] == [True] * 4 + [False] * 3
    assert b.client.outbox.counts["refused"] == 3 and not await receipts[6].wait()
    async with b:
        assert await b.client.flush(1000) and receipts[3].done
        assert len(b.broker.sent(PUBLISH)) == 4


async def test_flush_gives_up():
    b = Bench()
    b.client.publish("t", "x")
    assert not await b.client.flush(5)


async def test_an_oversize_message_costs_no_memory_and_is_acknowledged():
    async with Bench(packet_limit=256) as b:
        subscription = b.client.subscribe("#")
        assert await subscription.acknowledged(1000)
        b.stream.feed(b"\x32\xab\x8d\x06\x00\x07big/one\x00\x09")  # the head of a message with 100,000 bytes
        for _ in range(100):
            b.stream.feed(bytes(1000))
            await asyncio.sleep_ms(0)
        b.stream.feed(publish("t" * 300, b"x", 1, 10) + publish("ok", b"after"))
        assert await subscription.__anext__() == ("ok", b"after")
        await b.broker.until_sent(PUBACK, 2)
        assert [body for _, body in b.broker.sent(PUBACK)] == [b"\x00\x09", b"\x00\x0a"]
        assert b.client.inbox.counts["oversize"] == 2 and b.stream.largest_read <= 256
        assert "dropped 100015 bytes on big/one" in b.notes.lines
        assert "dropped 308 bytes on a topic too long to show" in b.notes.lines


# Subscriptions


async def test_a_lost_suback_is_asked_for_again():
    b = Bench(timeout_ms=60)
    b.broker.grants = False
    async with b:
        subscription = b.client.subscribe("a")
        await b.broker.until_sent(SUBSCRIBE, 2)
        b.broker.grants = True
        assert await subscription.acknowledged(2000)
        assert len(b.broker.streams) == 1


async def test_subscriptions_leave_together_but_no_more_than_one_that_ends():
    b = Bench(timeout_ms=60_000)
    writes, take = [], b.broker.take

    def taken(stream, data):
        begun = len(b.broker.packets)
        take(stream, data)
        writes.append([first for first, _ in b.broker.packets[begun:]])

    b.broker.take = taken
    async with b:
        await b.broker.until(lambda: b.client.connected)
        subscriptions = [b.client.subscribe("a/%d" % number) for number in range(6)]
        b.client.publish("t", b"x", qos=1)
        for subscription in subscriptions:
            assert await subscription.acknowledged(1000)
        assert writes[1:3] == [[0x82] * 6, [0x32]]
        for subscription in subscriptions[:2]:
            subscription.close()
        await b.broker.until_sent(UNSUBSCRIBE, 2)
        assert writes[3:] == [[0xA2], [0xA2]]
        long = [b.client.subscribe("a" * 250) for _ in range(5)]  # 258 bytes a packet
        for subscription in long:
            assert await subscription.acknowledged(1000)
        assert writes[5:] == [[0x82] * 2, [0x82] * 2, [0x82]]


async def test_the_code_for_answers_is_loaded_once_for_those_that_come_together():
    loaded, real = [], connection.borrow

    def counted(name):
        loaded.append(name)
        return real(name)

    b = Bench(timeout_ms=60_000)
    b.broker.grants = False
    connection.borrow = counted
    try:
        async with b:
            subscriptions = [b.client.subscribe(topic) for topic in "abcdefgh"]
            await b.broker.until_sent(SUBSCRIBE, 8)
            ids = [subscription.packet_id.to_bytes(2, "big") for subscription in subscriptions]
            b.stream.feed(b"".join([b"\x90\x03" + packet_id + b"\x00" for packet_id in ids]))
            for subscription in subscriptions:
                assert await subscription.acknowledged(1000)
    finally:
        connection.borrow = real
    assert loaded.count("iot.mqtt.requests") == 1


async def test_a_connection_that_has_ended_holds_no_code_for_answers():
    b = Bench()
    async with b:
        assert await b.client.subscribe("a").acknowledged(1000)
        ended = b.client.connection
        ended._requests = "the module"  # as a moment ago; once a second it is let go of anyway
    assert ended.closed and ended._requests is None


async def test_a_refused_subscription_is_told_and_not_repeated():
    b = Bench(timeout_ms=60)
    b.broker.grants = 0x80
    async with b:
        subscription = b.client.subscribe("a/b")
        assert not await subscription.acknowledged(2000) and subscription.granted is False
        assert "not allowed to subscribe to a/b" in b.notes.lines
        await asyncio.sleep_ms(120)
        assert len(b.broker.sent(SUBSCRIBE)) == 1


async def test_with_a_session_nothing_is_subscribed_again_and_dup_goes_first():
    b = Bench()
    async with b:
        assert await b.client.subscribe("a").acknowledged(1000)
        b.broker.acknowledges = False
        for data in "xyz":
            b.client.publish("t", data, qos=1)
        await b.broker.until_sent(PUBLISH, 3)
        b.stream.feed(b"\x40\x02\x00\x03")
        await b.broker.until(lambda: b.notes.details("published"))
        b.stream.hang_up()
        assert await b.lost() == "closed by the broker"
        late = b.client.publish("t", "late", qos=1)
        b.broker.connack = SESSION_PRESENT
        b.broker.acknowledges = True
        assert await b.client.connect() is True
        assert await late.wait(1000)
        sent = [(first, payload(body)) for first, body in b.broker.sent(PUBLISH)]
        assert sent[3:] == [(0x3A, b"x"), (0x3A, b"z"), (0x32, b"late")]
        assert b.broker.sent(PUBLISH)[3][1] == b.broker.sent(PUBLISH)[0][1]
        assert len(b.broker.sent(SUBSCRIBE)) == 1


async def test_without_a_session_everything_is_subscribed_again():
    async with Bench() as b:
        one, two = b.client.subscribe("a"), b.client.subscribe("b/#", qos=0)
        assert await one.acknowledged(1000) and await two.acknowledged(1000)
        b.stream.hang_up()
        await b.lost()
        assert await b.client.connect() is False
        await b.broker.until_sent(SUBSCRIBE, 4)
        assert [body[2:] for _, body in b.broker.sent(SUBSCRIBE)] == [b"\0\1a\1", b"\0\3b/#\0"] * 2
        assert await two.acknowledged(1000)


async def test_the_writer_does_not_look_at_a_buffer_that_was_let_go():
    b = Bench(outbox_bytes=1024)
    b.broker.acknowledges = False
    async with b:
        drain = b.stream.drain
        first = b.client.publish("t", b"1" * 40, qos=1)
        second = b.client.publish("t", b"2" * 40, qos=1)

        async def slow():
            """Acknowledged while the writer still waits; what then takes the room is full of 0xE0."""
            await drain()
            b.stream.drain = drain
            b.stream.feed(b"\x40\x02\x00\x01\x40\x02\x00\x02")
            assert await first.wait(1000) and await second.wait(1000)
            b.client.publish("t", b"\xe0" * 900, qos=1)

        b.stream.drain = slow
        await b.broker.until_sent(PUBLISH, 3)
        b.broker.acknowledges = True
        assert await b.client.publish("t", "x", qos=1).wait(1000), "the writer goes on"


async def test_a_message_without_memory_is_dropped_and_does_not_come_again():
    async with Bench() as b:

        def deliver(topic, payload):
            raise MemoryError

        b.client.inbox.deliver = deliver
        b.stream.feed(publish("t", b"x", 1, 5))
        await b.broker.until_sent(PUBACK)
        assert b.client.inbox.counts["oversize"] == 1 and b.client.connected
        assert "dropped 8 bytes on t" in b.notes.lines


# Deadlines and the keep-alive


async def test_an_idle_connection_is_kept_alive():
    start_ms = time.ticks_ms()
    async with Bench(keep_alive_s=1) as b:
        await b.broker.until_sent(PINGREQ)
        assert time.ticks_diff(time.ticks_ms(), start_ms) >= 740
        await b.broker.until_sent(PINGREQ, 2)
        assert b.client.connected


async def test_sending_puts_the_ping_off():
    async with Bench(keep_alive_s=1) as b:
        start_ms = last_ms = time.ticks_ms()
        longest_ms = 0
        while time.ticks_diff(last_ms, start_ms) < 1200:
            await b.client.publish("t", "x", qos=1)
            await asyncio.sleep_ms(20)
            now_ms = time.ticks_ms()
            longest_ms, last_ms = max(longest_ms, time.ticks_diff(now_ms, last_ms)), now_ms
        assert not b.broker.sent(PINGREQ) or longest_ms > 500, (
            "it has sent, on a machine that is not that slow"
        )


async def test_who_only_sends_qos_0_pings_all_the_same():
    async with Bench(keep_alive_s=1) as b:
        while not b.broker.sent(PINGREQ):
            b.client.publish("t", "x")
            await asyncio.sleep_ms(20)
        assert b.client.connected


async def test_a_lost_pingresp_ends_the_connection():
    b = Bench(keep_alive_s=1, timeout_ms=100)
    b.broker.pongs = False
    async with b:
        assert await b.lost() == "no PINGRESP within 100 ms"
        await araises(MQTTError, "no PINGRESP within 100 ms", b.client.ping())


async def test_ping_waits_for_the_answer():
    async with Bench(timeout_ms=100) as b:
        await b.client.ping()
        assert len(b.broker.sent(PINGREQ)) == 1
        b.broker.pongs = False
        await araises(MQTTError, "no PINGRESP within 100 ms", b.client.ping())


async def test_a_write_that_never_ends_ends_the_connection():
    async with Bench(timeout_ms=100) as b:
        b.stream.stuck = True
        receipt = b.client.publish("t", "x")
        assert await b.lost() == "a write took more than 100 ms"
        assert not await receipt.wait() and b.client.outbox.counts["lost"] == 1


async def test_the_next_client_counts_on_and_so_does_what_was_unsubscribed():
    b = Bench(outbox_bytes=256, packet_limit=256)
    async with b:
        subscription = b.client.subscribe("t", depth=1)
        assert await subscription.acknowledged(10000)
        b.stream.feed(publish("t", b"1") + publish("t", b"2") + publish("t", bytes(300)))
        await b.broker.until(lambda: b.client.inbox.counts["oversize"])
        subscription.close()
        await b.broker.until(lambda: not b.client.inbox.subscriptions)
        assert b.client.publish("t", bytes(200), 1) and not b.client.publish("t", bytes(200), 1)
    counts = b.client.outbox.counts
    assert counts == {"refused": 1, "lost": 0, "oversize": 1, "unclaimed": 0, "dropped": 1}
    outbox, inbox = Outbox(256, 1, counts), Inbox(Framer(256), counts)
    b.client = Client("thing-1", b.broker.open_stream, outbox, inbox, b.notes, b.notes.notify)
    async with b:
        assert b.client.publish("t", bytes(200), 1) and not b.client.publish("t", bytes(200), 1)
    assert counts["refused"] == 2 and counts["dropped"] == 1


async def test_connecting_has_a_deadline():
    b = Bench(connect_timeout_ms=50)
    b.broker.connack = None
    await araises(MQTTError, "no answer within 50 ms", b.client.connect())
    assert b.stream.closed and b.notes.details("disconnected") == ["no answer within 50 ms"]

    async def never():
        await asyncio.sleep_ms(60_000)

    waiting = client(never, b.notes, connect_timeout_ms=50)
    await araises(MQTTError, "no answer within 50 ms", waiting.connect())


async def test_disconnect_has_a_deadline_too():
    async with Bench(timeout_ms=100) as b:
        b.stream.stuck = True
        b.client.publish("t", "x")
        await asyncio.sleep_ms(10)
        await b.client.disconnect()
        assert b.stream.closed


# What may go wrong


GARBAGE = (
    (b"\x00\x00", "packet type 0: not expected"),
    (b"\xf0\x00", "packet type 15: not expected"),
    (b"\x50\x02\x00\x01", "PUBREC: not expected"),
    (b"\x10\x00", "CONNECT: not expected"),
    (b"\x20\x02\x00\x00", "CONNACK: not expected"),
    (b"\xd0\x01x", "PINGRESP: 1 bytes of body instead of 0"),
    (b"\x40\x02\x00\x00", "PUBACK: packet id 0"),
    (b"\x30\xff\xff\xff\xff\x7f", "PUBLISH: a remaining length of more than 4 bytes"),
    (b"\x90\x03\x00\x01\x02", "SUBACK: return code 0x2"),
    (b"\x90\xff\xff\xff\x7f", "SUBACK: 268435455 bytes of body instead of 3"),
    (b"GET / HTTP/1.1\r\n\r\n" + bytes(100), "PUBACK: reserved flags 0x7 set"),
    (publish("a", b"x", 2), "PUBLISH: QoS 2 is not supported"),
    (publish("a/#", b"x"), "PUBLISH: a topic that is empty, or with wildcard or NUL"),
)


async def test_garbage_ends_the_connection_with_a_reason_and_a_new_one_works():
    b = Bench(packet_limit=128)
    for data, reason in GARBAGE:
        async with b:
            b.stream.feed(data)
            assert await b.lost() == reason, data
        async with b:
            assert await b.client.publish("t", "x", qos=1).wait(1000)


async def test_a_truncated_packet_ends_with_the_stream():
    async with Bench() as b:
        subscription = b.client.subscribe("t")
        assert await subscription.acknowledged(1000)
        b.stream.feed(publish("t", b"whole") + publish("t", b"truncated")[:-1])
        b.stream.hang_up()
        assert await b.lost() == "closed by the broker"
        assert subscription.read() == ("t", b"whole") and subscription.read() is None


async def test_only_a_connack_may_come_first():
    for data, reason in (
        (publish("t", b"x"), "PUBLISH: before CONNACK"),
        (b"\xd0\x00", "PINGRESP: before CONNACK"),
        (b"\x20\x02\x00\x09", "CONNACK: flags 0x0, return code 9"),
        (b"\x20" + b"\xff" * 64, "CONNACK: a remaining length of more than 4 bytes"),
        (b"HTTP/1.1 400 Bad Request", "PUBACK: reserved flags 0x8 set"),
    ):
        b = Bench()
        b.broker.connack = data
        await araises(MQTTError, reason, b.client.connect())
        assert b.stream.closed and b.client.refusals == 0


async def test_a_session_that_was_not_asked_for_is_an_error():
    b = Bench(clean=True)
    b.broker.connack = SESSION_PRESENT
    await araises(MQTTError, "CONNACK: a session, though none was asked for", b.client.connect())


async def test_messages_right_behind_the_connack_are_not_lost():
    b = Bench()
    subscription = b.client.subscribe("t")
    b.broker.connack = SESSION_PRESENT + publish("t", b"stored", 1, 3)
    async with b:
        assert await subscription.__anext__() == ("t", b"stored")


async def test_a_connection_that_has_ended_holds_no_memory_of_what_it_had():
    async with Bench() as b:
        b.stream.hang_up()
        await b.lost()
        assert b.client.connection._stream is None and not b.client.connection._tasks


async def test_a_connection_lost_at_once_is_told_in_order():
    b = Bench()
    open_stream = b.broker.open_stream

    async def broken():
        stream = await open_stream()
        stream.feed(b"\x20\x02\x00\x00")
        stream.hang_up()
        return stream

    b.client.open_stream = broken
    b.broker.connack = None
    await b.client.connect()
    assert await b.lost() == "closed by the broker"
    events = [("connecting", None), ("connected", False), ("disconnected", "closed by the broker")]
    assert b.notes.events == events
    assert b.client.refusals == 0


async def test_a_bug_before_the_connack_is_not_hidden_either():
    b = Bench()
    b.broker.open_error = KeyError("a bug")
    await araises(KeyError, "a bug", b.client.connect())
    b.broker.open_error = None
    b.client.inbox.framer.next = None
    await araises(TypeError, "", b.client.connect())
    assert b.stream.closed and not b.client.connected


async def test_a_failed_read_or_write_ends_the_connection():
    async with Bench() as b:
        b.stream.hang_up(OSError(errno.ECONNRESET, "reset"))
        assert "reset" in await b.lost()
        await b.client.connect()
        b.stream.write_error = OSError(errno.ECONNRESET, "gone")
        b.client.publish("t", "x")
        assert "gone" in await b.lost()


async def test_refusals_of_the_identity_are_counted_and_others_are_not():
    b = Bench()
    for code, count in ((5, 1), (4, 2), (3, 2), (1, 2)):
        b.broker.connack = bytes([0x20, 2, 0, code])
        error = await araises(Refused, "refused by the broker: ", b.client.connect())
        assert error.code == code and b.client.refusals == count
    b.broker.connack = None
    reset, alert = OSError(errno.ECONNRESET, "reset"), OSError(-0x7780, "alert")
    closed = "closed by the broker"
    for count, error, text in ((3, None, closed), (3, reset, "reset"), (4, alert, closed)):
        attempt = asyncio.create_task(b.client.connect())
        streams = len(b.broker.streams)
        await b.broker.until(lambda before=streams: len(b.broker.streams) > before)
        b.stream.hang_up(error)
        await araises(MQTTError, text, attempt)
        assert b.client.refusals == count
    for error, text in (
        (OSError(errno.ECONNREFUSED, "nobody there"), "nobody there"),
        (ValueError("The certificate validity starts in the future"), "validity starts in the future"),
    ):
        b.broker.open_error = error
        await araises(MQTTError, text, b.client.connect())
        assert b.client.refusals == 4
    assert len(b.notes.details("disconnected")) == 9
    b.broker = Broker()
    b.client.open_stream = b.broker.open_stream
    async with b:
        assert b.client.refusals == 0


async def test_a_bad_server_certificate_is_told_in_its_own_words():
    b = Bench()
    b.broker.connack = None
    attempt = asyncio.create_task(b.client.connect())
    await b.broker.until(lambda: b.broker.packets)
    b.stream.hang_up(ValueError("certificate has expired"))
    await araises(MQTTError, "TLS: certificate has expired", attempt)
    assert b.client.refusals == 0


async def test_want_of_memory_is_told_as_such_whatever_it_looks_like():
    for error in (MemoryError("x"), OSError(104, "ECONNRESET"), ValueError("x"), MQTTError("x"), None):
        b = Bench(is_starved=lambda error: True, connect_timeout_ms=20)
        b.broker.open_error = error
        if error is None:  # it may be silent, too
            b.broker.connack = None
        await araises(Starved, "no memory for TLS: ", b.client.connect())
        (reason,) = b.notes.details("starved")
        assert reason == b.client.reason == b.notes.details("disconnected")[0]
        assert [name for name, _ in b.notes.events] == ["connecting", "disconnected", "starved"]
        assert b.client.refusals == 0


async def test_there_may_be_no_memory_for_the_code_that_connects():
    b = Bench()
    with Without(module, "borrow"):
        await araises(Starved, "no memory for a connection", b.client.connect())
    assert [name for name, _ in b.notes.events] == ["connecting", "disconnected", "starved"]
    assert b.client.refusals == 0 and await b.client.connect() is False
    await b.client.disconnect()


async def test_a_refusal_is_none_even_where_memory_is_short():
    b = Bench(is_starved=lambda error: True)
    b.broker.connack = b"\x20\x02\x00\x05"
    await araises(Refused, "not authorized", b.client.connect())
    assert b.notes.details("starved") == []


async def test_the_stream_is_closed_before_memory_is_judged():
    seen = []
    b = Bench(is_starved=lambda error: seen.append(b.stream.closed))
    b.broker.connack = b"garbage"
    await araises(MQTTError, "", b.client.connect())
    assert seen == [True]


async def test_a_second_connect_is_refused():
    async with Bench() as b:
        await araises(MQTTError, "already connected or connecting", b.client.connect())
        assert b.client.connected


async def test_a_handler_that_raises_is_logged_and_harms_nobody():
    b = Bench()

    def notify(event, detail):
        raise KeyError(event)

    b.client = client(b.broker.open_stream, b.notes, notify)
    async with b:
        assert await b.client.publish("t", "x", qos=1).wait(1000)
    assert [line[:16] for line in b.notes.lines if "notify" in line] == [
        "notify connectin", "notify connected", "notify published", "notify disconnec",
    ]  # fmt: skip


async def test_a_bug_is_not_hidden():
    async with Bench() as b:
        running = asyncio.create_task(b.client.run())
        await asyncio.sleep_ms(0)
        b.client.inbox.deliver = None
        b.stream.feed(publish("t", b"x"))
        await araises(TypeError, "", running)
        assert b.notes.details("disconnected") == ["internal error"] and b.stream.closed


# run


async def test_run_reconnects_but_never_more_than_once_a_second():
    b = Bench(backoff=Backoff(1, 1))
    opened_ms, begun_ms = [], []
    open_stream = b.broker.open_stream

    async def counted():
        opened_ms.append(time.ticks_ms())
        begun_ms.append(b.client._attempt_ms)  # a machine under load may open any while later
        return await open_stream()

    b.client.open_stream = counted
    since_ms = time.ticks_ms()
    running = asyncio.create_task(b.client.run())
    await b.broker.until(lambda: b.client.connected)
    b.stream.hang_up()
    await b.lost()
    await b.broker.until(lambda: b.client.connected)
    b.broker.connack = b"\x20\x02\x00\x03"
    b.stream.hang_up()
    await b.broker.until(lambda: len(opened_ms) == 4)
    await b.client.disconnect()
    await running
    for i in range(1, 4):
        assert time.ticks_diff(begun_ms[i], begun_ms[i - 1]) >= 990
        assert time.ticks_diff(opened_ms[i], since_ms) >= 990 * i
    assert b.stream.closed


async def test_run_backs_off_further_until_a_connection_lasts():
    asked = []

    def draw(stop):
        asked.append(stop - 1)
        return 0

    b = Bench(backoff=Backoff(100, 400, draw))
    b.broker.connack = b"\x20\x02\x00\x03"
    running = asyncio.create_task(b.client.run())
    await b.broker.until(lambda: len(asked) == 1)
    b.broker.connack = b"\x20\x02\x00\x00"
    await b.broker.until(lambda: b.client.connected)
    b.stream.hang_up()
    await b.broker.until(lambda: len(asked) == 2)
    assert asked == [100, 200], "a short connection is no success"
    await b.client.disconnect()
    await running


class Ticks:
    """The module `time`, some ms ahead."""

    ahead_ms = 0

    def ticks_ms(self):
        ticks = time.ticks_ms()
        for _ in range(8):  # at most half of the period may be added at once
            ticks = time.ticks_add(ticks, self.ahead_ms // 8)
        return ticks

    def ticks_add(self, ticks, delta):
        return time.ticks_add(ticks, delta)

    def ticks_diff(self, end, start):
        return time.ticks_diff(end, start)


async def test_a_connection_that_lasted_begins_the_pauses_anew():
    for lasted_ms in (29_000, 31_000, 7 * 24 * 3600 * 1000):  # after a week ticks have wrapped
        b = Bench(backoff=Backoff(1, 64, lambda stop: 0))
        module.time = ticks = Ticks()
        try:
            running = asyncio.create_task(b.client.run())
            await b.broker.until(lambda b=b: b.client.connected)
            b.client.backoff.ceiling_ms = 64
            connection = b.client.connection
            await asyncio.sleep_ms(0)
            ticks.ahead_ms = lasted_ms
            b.stream.hang_up()
            await connection.wait_closed()
            await b.broker.until(lambda b=b: b.client.backoff.ceiling_ms != 64 or b.client.connected)
        finally:
            module.time = time
        assert b.client.backoff.ceiling_ms == (64 if lasted_ms < 30_000 else 2), lasted_ms
        await b.client.disconnect()
        await running


async def test_run_waits_for_the_network_before_each_attempt():
    there, asked = asyncio.Event(), []

    async def ready():
        asked.append(len(b.broker.streams))
        await there.wait()

    b = Bench(ready=ready, backoff=Backoff(1, 1))
    running = asyncio.create_task(b.client.run())
    await b.broker.until(lambda: asked)
    await asyncio.sleep_ms(20)
    assert not b.broker.streams, "nothing connects without a network"
    there.set()
    await b.broker.until(lambda: b.client.connected)
    there.clear()
    b.stream.hang_up()
    await b.broker.until(lambda: len(asked) == 2)
    assert asked == [0, 1] and len(b.broker.streams) == 1
    there.set()
    await b.broker.until(lambda: b.client.connected)
    await b.client.disconnect()
    await running


async def test_a_stream_that_fails_as_it_is_closed_is_gone_all_the_same():
    for name in ("close", "wait_closed"):
        b = Bench()
        await b.client.connect()
        with Without(b.stream, name, OSError("it is gone")):
            b.stream.hang_up()
            await b.client.connection.wait_closed()
        assert b.client.reason == "closed by the broker" and b.client.connection.bug is None
        await b.client.connect()
        await b.client.disconnect()


async def test_disconnect_ends_run_between_two_attempts():
    b = Bench(backoff=Backoff(60_000, 60_000, lambda stop: stop - 1))
    b.broker.open_error = OSError(errno.ECONNREFUSED, "nobody there")
    running = asyncio.create_task(b.client.run())
    await b.broker.until(lambda: b.notes.events)
    await b.client.disconnect()
    await running


async def test_disconnect_while_the_stream_opens_ends_run():
    b = Bench()
    opening = asyncio.Event()
    open_now = asyncio.Event()
    open_stream = b.broker.open_stream

    async def slow():
        opening.set()
        await open_now.wait()
        return await open_stream()

    b.client.open_stream = slow
    running = asyncio.create_task(b.client.run())
    await opening.wait()
    await b.client.disconnect()
    open_now.set()
    await running
    assert b.stream.closed and b.broker.packets[-1] == (0xE0, b"")


async def test_cancelling_run_closes_the_connection_and_passes_through():
    b = Bench()
    running = asyncio.create_task(b.client.run())
    await b.broker.until(lambda: b.client.connected)
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        assert b.stream.closed and b.notes.details("disconnected") == ["cancelled"]
        return
    raise AssertionError("CancelledError was swallowed")


async def test_cancelling_run_waits_for_a_connection_that_is_closing():
    b = Bench()
    running = asyncio.create_task(b.client.run())
    await b.broker.until(lambda: b.client.connected)
    slow = asyncio.Event()
    b.stream.wait_closed = slow.wait
    b.stream.hang_up()
    await b.broker.until(lambda: not b.client.connected)
    running.cancel()
    await asyncio.sleep_ms(5)
    assert not running.done() and not b.notes.details("disconnected")
    slow.set()
    try:
        await running
    except asyncio.CancelledError:
        assert b.notes.details("disconnected") == ["closed by the broker"]
        return
    raise AssertionError("CancelledError was swallowed")


async def test_what_only_a_moment_needs_is_forgotten():
    async with Bench() as b:
        raises(ValueError, "no wildcards", b.client.publish, "#", b"")
        b.client.subscribe("#")
        b.stream.feed(b"\xf0\x00")
        await b.lost()
        assert not [name for name in sys.modules if name in ("iot.mqtt.checks", "iot.mqtt.handshake")]


async def test_cancelling_connect_closes_the_stream():
    b = Bench()
    b.broker.connack = None
    attempt = asyncio.create_task(b.client.connect())
    await b.broker.until(lambda: b.broker.packets)
    attempt.cancel()
    try:
        await attempt
    except asyncio.CancelledError:
        assert b.stream.closed
        b.broker.connack = b"\x20\x02\x00\x00"
        async with b:
            return
    raise AssertionError("CancelledError was swallowed")


async def test_run_does_not_wait_for_a_clock_that_wrapped():
    b = Bench()
    b.client._attempt_ms = time.ticks_add(time.ticks_ms(), 1 << 27)  # a week later, the past is the future
    running = asyncio.create_task(b.client.run())
    await b.broker.until(lambda: b.client.connected)
    await b.client.disconnect()
    await running


async def test_many_connections_leave_nothing_behind():
    tasks = []
    create_task = asyncio.create_task

    def watched(coroutine):
        tasks.append(create_task(coroutine))
        return tasks[-1]

    asyncio.create_task = watched
    try:
        b = Bench()
        for i in range(200):
            await b.client.connect()
            if i % 2:
                b.stream.hang_up()
                await b.lost()
            else:
                await b.client.disconnect()
            await asyncio.sleep_ms(0)
            assert b.broker.streams.pop().closed
            assert len(tasks) == 3 and all([task.done() for task in tasks])
            for remembered in (tasks, b.broker.packets, b.notes.events, b.notes.lines):
                remembered.clear()
    finally:
        asyncio.create_task = create_task
