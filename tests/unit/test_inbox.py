"""Topic filters and bounded queues of messages."""

import asyncio
import time

from iot.mqtt.inbox import Inbox, matches


class Calls:
    """Counts its calls."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


def granted(inbox, packet_id=1):
    inbox.asked(inbox.due(), packet_id)
    return inbox.answered(packet_id, True)


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


async def test_acknowledged_tells_what_the_broker_said():
    inbox = Inbox(Calls())
    subscription = inbox.subscribe("a", 1, 3)
    assert not await subscription.acknowledged(5)
    inbox.asked(inbox.due(), 1)
    assert not await subscription.acknowledged(5)
    task = asyncio.create_task(subscription.acknowledged(5000))
    await asyncio.sleep_ms(0)
    assert inbox.answered(1, True) is subscription
    assert await task and await subscription.acknowledged(0)
    refused = inbox.subscribe("b", 1, 3)
    inbox.asked(inbox.due(), 2)
    inbox.answered(2, False)
    assert refused.refused and not await refused.acknowledged(5000)


def test_each_request_is_due_once_and_again_if_it_is_not_answered():
    changed = Calls()
    inbox = Inbox(changed)
    subscription = inbox.subscribe("a", 1, 3)
    assert changed.count == 1 and inbox.due() is subscription
    inbox.asked(subscription, 9)
    assert inbox.due() is None and inbox.holds(9) and not inbox.holds(8)
    later_ms = time.ticks_add(time.ticks_ms(), 100)
    assert not inbox.expire(later_ms, 200)
    assert inbox.expire(later_ms, 100)
    assert inbox.due() is subscription and not inbox.holds(9)
    assert inbox.answered(9, True) is None, "nobody asks under that packet id any more"
    assert granted(inbox, 10) is subscription and inbox.due() is None


def test_close_unsubscribes():
    inbox = Inbox(Calls())
    subscription = inbox.subscribe("a", 1, 3)
    granted(inbox)
    subscription.close()
    subscription.close()
    assert subscription.closed and inbox.due() is subscription
    inbox.asked(subscription, 2)
    inbox.deliver("a", b"late")
    assert subscription.read() is None and inbox.due() is None
    later_ms = time.ticks_add(time.ticks_ms(), 100)
    assert inbox.expire(later_ms, 100) and inbox.due() is subscription
    inbox.asked(subscription, 3)
    assert inbox.answered(3, False) is subscription
    assert inbox.due() is None and not inbox.holds(3)


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
    inbox.asked(asked, 2)
    inbox.rewind(True)
    assert inbox.due() is asked
    inbox.asked(asked, 3)
    assert inbox.due() is fresh
    inbox.rewind(False)
    assert inbox.due() is known


def test_a_new_session_knows_nothing_of_what_was_closed():
    inbox = Inbox(Calls())
    kept, gone = inbox.subscribe("kept", 1, 3), inbox.subscribe("gone", 1, 3)
    granted(inbox, 1)
    granted(inbox, 2)
    gone.close()
    inbox.asked(gone, 3)
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
