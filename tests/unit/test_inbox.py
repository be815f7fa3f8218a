"""Topic filters and bounded queues of messages."""

import asyncio
import time

from iot.mqtt.queues import Inbox, matches


class Calls:
    """Counts its calls."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


def ask(inbox, packet_id):
    """Send the request that is due, as a connection does; returns its subscription."""
    subscription = inbox.due()
    subscription.packet_id = packet_id
    subscription.sent_ms = time.ticks_ms()
    return subscription


def granted(inbox, packet_id=1):
    subscription = ask(inbox, packet_id)
    assert inbox.answered(packet_id, True) is None and subscription.granted
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
    inbox = Inbox(Calls())
    exact, wild = inbox.subscribe("a/b", 1, 4), inbox.subscribe("a/+", 1, 4)
    inbox.deliver("a/b", memoryview(b"1"))
    inbox.deliver("a/c", memoryview(b"2"))
    inbox.deliver("x", memoryview(b"3"))
    assert exact.read() == ("a/b", b"1") and exact.read() is None
    assert wild.read() == ("a/b", b"1") and wild.read() == ("a/c", b"2") and wild.read() is None
    assert inbox.unclaimed == 1


def test_a_payload_is_a_copy():
    inbox = Inbox(Calls())
    subscription = inbox.subscribe("a", 0, 4)
    buf = bytearray(b"before")
    inbox.deliver("a", memoryview(buf))
    buf[:] = b"after!"
    assert subscription.read() == ("a", b"before")


def test_the_oldest_is_dropped_and_counted():
    inbox = Inbox(Calls())
    subscription = inbox.subscribe("a", 1, 3)
    for i in range(10):
        inbox.deliver("a", bytes([i]))
    assert subscription.dropped == 7
    assert [subscription.read()[1][0] for _ in range(3)] == [7, 8, 9]


async def test_iteration_waits_for_messages_and_ends_with_close():
    inbox = Inbox(Calls())
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
    inbox = Inbox(Calls())
    subscription = inbox.subscribe("a", 1, 3)
    task = asyncio.create_task(subscription.acknowledged(60_000))
    await asyncio.sleep_ms(0)
    subscription.close()
    assert not await task


async def test_acknowledged_tells_what_the_broker_said():
    inbox = Inbox(Calls())
    subscription = inbox.subscribe("a", 1, 3)
    assert not await subscription.acknowledged(5)
    ask(inbox, 1)
    assert not await subscription.acknowledged(5)
    task = asyncio.create_task(subscription.acknowledged(5000))
    await asyncio.sleep_ms(0)
    inbox.deliver("a", b"a message is no answer")
    await asyncio.sleep_ms(1)
    assert inbox.answered(1, True) is None
    assert await task and await subscription.acknowledged(0)
    refused = inbox.subscribe("b", 1, 3)
    ask(inbox, 2)
    assert inbox.answered(2, False) is refused
    assert refused.granted is False and not await refused.acknowledged(5000)


def test_each_request_is_due_once_and_again_if_it_is_not_answered():
    changed = Calls()
    inbox = Inbox(changed)
    subscription = inbox.subscribe("a", 1, 3)
    assert changed.count == 1 and inbox.due() is subscription
    ask(inbox, 9)
    assert inbox.due() is None and inbox.find(9) is subscription and inbox.find(8) is None
    inbox.expire(10_000)
    assert inbox.due() is None
    inbox.expire(0)
    assert inbox.due() is subscription and inbox.find(9) is None
    inbox.answered(9, True)
    assert subscription.granted is None, "nobody asks under that packet id any more"
    assert granted(inbox, 10) is subscription and inbox.due() is None


def test_close_unsubscribes():
    inbox = Inbox(Calls())
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
    assert inbox.answered(3, False) is None
    assert inbox.due() is None and inbox.find(3) is None


def test_close_leaves_the_broker_alone_while_another_has_the_same_filter():
    inbox = Inbox(Calls())
    one, two = inbox.subscribe("a", 1, 3), inbox.subscribe("a", 1, 3)
    granted(inbox, 1)
    granted(inbox, 2)
    one.close()
    assert inbox.due() is None
    two.close()
    assert inbox.due() is two


def test_a_new_connection_asks_only_what_the_broker_does_not_know():
    inbox = Inbox(Calls())
    known, asked, fresh = (inbox.subscribe(name, 1, 3) for name in ("known", "asked", "fresh"))
    granted(inbox, 1)
    assert ask(inbox, 2) is asked
    inbox.rewind(True)
    assert known.granted and ask(inbox, 3) is asked
    assert inbox.due() is fresh
    inbox.rewind(False)
    assert inbox.due() is known


def test_a_new_session_knows_nothing_of_what_was_closed():
    inbox = Inbox(Calls())
    kept, gone = inbox.subscribe("kept", 1, 3), inbox.subscribe("gone", 1, 3)
    granted(inbox, 1)
    granted(inbox, 2)
    gone.close()
    assert ask(inbox, 3) is gone
    inbox.rewind(True)
    assert inbox.due() is gone
    inbox.rewind(False)
    assert granted(inbox, 4) is kept and inbox.due() is None


def test_overflow_is_counted_over_all_subscriptions():
    inbox = Inbox(lambda: None)
    for topic_filter in ("a", "b"):
        inbox.subscribe(topic_filter, 1, 1)
    for topic in ("a", "a", "a", "b", "b"):
        inbox.deliver(topic, b"x")
    assert inbox.overflowed() == 3
