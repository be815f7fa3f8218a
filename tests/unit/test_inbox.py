"""Topic filters and bounded queues of messages."""

import asyncio
import time

from iot.mqtt.handshake import rewind
from iot.mqtt.packet import Framer
from iot.mqtt.queues import Inbox, matches
from iot.mqtt.requests import answered
from stream import none_lost


class Calls:
    """Counts its calls."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


def an_inbox(changed=None):
    inbox = Inbox(Framer(100), none_lost())
    inbox.changed = changed or Calls()
    return inbox


def ask(inbox, packet_id):
    """Send the request that is due, as a connection does; returns its subscription."""
    subscription = inbox.due()
    subscription.packet_id = packet_id
    subscription.sent_ms = time.ticks_ms()
    return subscription


def granted(inbox, packet_id=1):
    subscription = ask(inbox, packet_id)
    assert answered(inbox, packet_id, True) is None and subscription.granted
    return subscription


def test_filters_match_as_in_the_standard():
    yes = (
        ("a/b", "a/b"), ("a/+", "a/b"), ("+/b", "a/b"), ("a/#", "a/b/c"), ("a/#", "a"), ("#", "a/b"),
        ("+", "a"), ("+/+", "/a"), ("/+", "/a"), ("a/+/c", "a//c"), ("$aws/#", "$aws/things"),
        ("$aws/+", "$aws/x"), ("a/+/#", "a/b"),
    )  # fmt: skip
    no = (
        ("a/b", "a"), ("a", "a/b"), ("a/+", "a"), ("a/+", "a/b/c"), ("+", "/a"), ("a/b", "A/b"),
        ("#", "$aws/x"), ("+/x", "$aws/x"), ("a/+/#", "a"), ("a/b/#", "a"), ("/a", "a"),
    )  # fmt: skip
    for topic_filter, topic in yes:
        assert matches(topic_filter, topic), (topic_filter, topic)
    for topic_filter, topic in no:
        assert not matches(topic_filter, topic), (topic_filter, topic)


def test_messages_go_to_every_subscription_that_takes_them():
    inbox = an_inbox()
    exact, wild = inbox.subscribe("a/b", 1, 4), inbox.subscribe("a/+", 1, 4)
    assert inbox.deliver("a/b", memoryview(b"1"))
    assert inbox.deliver("a/c", memoryview(b"2"))
    assert not inbox.deliver("x", memoryview(b"3"))
    assert exact.read() == ("a/b", b"1") and exact.read() is None
    assert wild.read() == ("a/b", b"1") and wild.read() == ("a/c", b"2") and wild.read() is None


def test_a_payload_is_a_copy():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 0, 4)
    buf = bytearray(b"before")
    inbox.deliver("a", memoryview(buf))
    buf[:] = b"after!"
    assert subscription.read() == ("a", b"before")


def test_the_oldest_is_dropped_and_counted():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 1, 3)
    for i in range(10):
        inbox.deliver("a", bytes([i]))
    assert subscription.dropped == inbox.counts["dropped"] == 7
    assert [subscription.read()[1][0] for _ in range(3)] == [7, 8, 9]


def test_a_queue_is_bounded_by_its_bytes_too():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 1, 8)
    for sizes, left, dropped in (
        ((100, 100, 100), [100, 100], 1),
        ((60, 60, 60), [60, 60, 60], 0),
        ((90, 10, 90, 20), [10, 90, 20], 1),
        ((0, 200, 1), [1], 2),
        ((500,), [500], 0),  # the one that there is
    ):
        subscription.dropped = 0
        for size in sizes:
            inbox.deliver("a", bytes(size))
        found = []
        while message := subscription.read():
            found.append(len(message[1]))
        assert (found, subscription.dropped) == (left, dropped)


async def test_iteration_waits_for_messages_and_ends_with_close():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 1, 3)
    seen = []

    async def listen():
        async for topic, payload in subscription:
            seen.append((topic, payload))

    task = asyncio.create_task(listen())
    await asyncio.sleep_ms(0)
    inbox.deliver("a", b"1")
    await asyncio.sleep_ms(1)
    assert seen == [("a", b"1")]
    inbox.deliver("a", b"2")
    subscription.close()
    await task
    assert seen == [("a", b"1"), ("a", b"2")]


async def test_acknowledged_does_not_wait_for_what_was_closed():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 1, 3)
    task = asyncio.create_task(subscription.acknowledged(60_000))
    await asyncio.sleep_ms(0)
    subscription.close()
    assert not await task


async def test_acknowledged_tells_what_the_broker_said():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 1, 3)
    assert not await subscription.acknowledged(5)
    ask(inbox, 1)
    assert not await subscription.acknowledged(5)
    task = asyncio.create_task(subscription.acknowledged(5000))
    await asyncio.sleep_ms(0)
    inbox.deliver("a", b"a message is no answer")
    await asyncio.sleep_ms(1)
    assert answered(inbox, 1, True) is None
    assert await task and await subscription.acknowledged(0)
    refused = inbox.subscribe("b", 1, 3)
    ask(inbox, 2)
    assert answered(inbox, 2, False) is refused
    assert refused.granted is False and not await refused.acknowledged(5000)


def test_each_request_is_due_once_and_again_if_it_is_not_answered():
    changed = Calls()
    inbox = an_inbox(changed)
    subscription = inbox.subscribe("a", 1, 3)
    assert changed.count == 1 and inbox.due() is subscription
    ask(inbox, 9)
    assert inbox.due() is None and inbox.find(9) is subscription and inbox.find(8) is None
    inbox.expire(10_000)
    assert inbox.due() is None
    inbox.expire(0)
    assert inbox.due() is subscription and inbox.find(9) is None
    answered(inbox, 9, True)
    assert subscription.granted is None, "nobody asks under that packet id any more"
    assert granted(inbox, 10) is subscription and inbox.due() is None


def test_close_unsubscribes():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 1, 3)
    granted(inbox)
    subscription.close()
    subscription.close()
    assert subscription.closed and inbox.due() is subscription
    ask(inbox, 2)
    inbox.deliver("a", b"late")
    assert subscription.read() is None and inbox.due() is None
    inbox.expire(0)
    assert inbox.due() is subscription
    ask(inbox, 3)
    assert answered(inbox, 3, False) is None
    assert inbox.due() is None and inbox.find(3) is None


def test_close_leaves_the_broker_alone_while_another_has_the_same_filter():
    inbox = an_inbox()
    one, two = inbox.subscribe("a", 1, 3), inbox.subscribe("a", 1, 3)
    granted(inbox, 1)
    granted(inbox, 2)
    one.close()
    assert inbox.due() is None
    two.close()
    assert inbox.due() is two


def test_a_new_connection_asks_only_what_the_broker_does_not_know():
    inbox = an_inbox()
    known, asked, fresh = (inbox.subscribe(name, 1, 3) for name in ("known", "asked", "fresh"))
    granted(inbox, 1)
    assert ask(inbox, 2) is asked
    rewind(inbox, True)
    assert known.granted and ask(inbox, 3) is asked
    assert inbox.due() is fresh
    rewind(inbox, False)
    assert inbox.due() is known


def test_a_new_session_knows_nothing_of_what_was_closed():
    inbox = an_inbox()
    kept, gone = inbox.subscribe("kept", 1, 3), inbox.subscribe("gone", 1, 3)
    granted(inbox, 1)
    granted(inbox, 2)
    gone.close()
    assert ask(inbox, 3) is gone
    rewind(inbox, True)
    assert inbox.due() is gone
    rewind(inbox, False)
    assert granted(inbox, 4) is kept and inbox.due() is None


def test_what_was_refused_is_not_asked_again_in_a_new_session():
    inbox = an_inbox()
    subscription = inbox.subscribe("no", 1, 3)
    ask(inbox, 1)
    assert answered(inbox, 1, False) is subscription
    rewind(inbox, False)
    assert subscription.granted is False and inbox.due() is None


def test_an_unanswered_request_is_repeated_after_growing_pauses():
    inbox = an_inbox()
    subscription = inbox.subscribe("a", 1, 3)
    for pause_s in (10, 20, 40, 80, 160, 160):
        ask(inbox, 1)
        subscription.sent_ms = time.ticks_add(time.ticks_ms(), -pause_s * 1000 + 100)
        inbox.expire(10_000)
        assert inbox.due() is None, pause_s
        subscription.sent_ms = time.ticks_add(time.ticks_ms(), -pause_s * 1000)
        inbox.expire(10_000)
        assert inbox.due() is subscription, pause_s
    ask(inbox, 1)
    rewind(inbox, True)
    assert subscription.repeats == 0 and inbox.due() is subscription


async def test_the_rest_gets_what_no_other_takes():
    inbox = an_inbox()
    assert not inbox.deliver("x", b"1")
    exact, rest = inbox.subscribe("a", 1, 3), inbox.subscribe(None, 0, 2)
    assert inbox.deliver("a", b"2") and inbox.deliver("x", b"3") and inbox.deliver("$y", b"4")
    assert exact.read() == ("a", b"2") and exact.read() is None
    assert rest.read() == ("x", b"3") and await rest.__anext__() == ("$y", b"4")
    assert inbox.due() is exact, "nothing is asked for the rest"
    rest.close()
    granted(inbox)
    assert inbox.due() is None and not inbox.deliver("x", b"5") and rest.read() is None
