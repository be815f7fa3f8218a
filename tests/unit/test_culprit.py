"""A broker that hangs up on a packet: which one it was is found, it is given up, and all else flows."""

import asyncio
import errno
import time

from iot.backoff import Backoff
from iot.mqtt import culprit
from iot.mqtt.packet import MQTTError, Refused
from life import PUBLISH, UNSUBSCRIBE, Life, hates
from stream import packet_id


async def test_a_message_that_the_broker_hangs_up_on_is_given_up_and_the_others_flow():
    for place in range(5):
        life = Life()
        life.broker.hates = hates("bad")
        names = ["good"] * 4
        names.insert(place, "bad")
        receipts = [life.client.publish(name, str(i), qos=1) for i, name in enumerate(names)]
        await life.settle(5)
        assert [receipt.done for receipt in receipts] == [name == "good" for name in names]
        assert not await receipts[place].wait(0), "who waits is told"
        assert life.client.outbox.counts["lost"] == 1
        told = [line for line in life.notes.lines if "given up" in line]
        assert told == ["publish to bad: given up, the broker hangs up on it"]
        numbers = [number for i, number in enumerate(life.got()) if number not in life.got()[:i]]
        assert numbers == [str(i).encode() for i, name in enumerate(names) if name == "good"], "in order"


async def test_a_message_whose_ack_got_lost_is_not_the_culprit():
    life = Life()
    life.broker.acknowledges = False  # what it took before it hung up was never told
    life.broker.hates = hates("bad")
    good = [life.client.publish("good", str(i), qos=1) for i in range(3)]
    bad = life.client.publish("bad", "x", qos=1)
    assert not await life.connection()
    life.broker.acknowledges = True
    await life.settle(6)
    assert all([receipt.done for receipt in good]) and not bad.done and life.client.outbox.counts["lost"] == 1


async def test_a_subscription_that_the_broker_hangs_up_on_is_not_granted():
    for name in ("one", "two", "three"):
        life = Life()
        life.broker.hates = hates(name)
        subscriptions = [life.client.subscribe(filter_) for filter_ in ("one", "two", "three")]
        receipt = life.client.publish("t", "x", qos=1)
        await life.settle(6)
        assert receipt.done
        for subscription in subscriptions:
            assert await subscription.acknowledged(0) == (subscription.topic_filter != name)
        assert life.client.outbox.counts["lost"] == 1
        assert "subscribe to {}: given up, the broker hangs up on it".format(name) in life.notes.lines


async def test_a_session_that_is_always_new_does_not_bring_it_back():
    life = Life(clean=True)
    life.broker.hates = hates("bad")
    bad, good = life.client.subscribe("bad"), life.client.subscribe("good")
    while not await life.connection():
        life.broker.connack = b"\x20\x02\x00\x00"
        assert life.connections < 6
    await life.client.disconnect()
    assert good.granted and bad.granted is False


async def test_an_unsubscribe_that_the_broker_hangs_up_on_is_forgotten():
    life = Life()
    subscription = life.client.subscribe("a")
    await life.settle(1)
    life.broker.hates = lambda first, body: first & 0xF0 == UNSUBSCRIBE
    subscription.close()
    await life.settle(6)
    assert life.client.inbox.subscriptions == []


async def test_a_topic_given_up_once_costs_less_the_next_time():
    life = Life()
    life.broker.hates = hates("bad")
    life.client.publish("bad", "1", qos=1)
    await life.settle(5)
    life.connections = 0
    life.client.publish("bad", "2", qos=1)
    await life.settle(3)
    assert life.client.outbox.counts["lost"] == 2


async def test_several_bad_ones_between_good_ones():
    life = Life()
    life.broker.hates = hates("bad", "worse")
    names = ["good", "bad", "bad", "good", "worse", "good", "bad", "good"]
    receipts = [life.client.publish(name, "x", qos=1) for name in names]
    await life.settle(20)
    assert [receipt.done for receipt in receipts] == [name == "good" for name in names]
    assert life.client.outbox.counts["lost"] == 4 and life.client.doubt <= 1


async def test_while_in_doubt_nothing_goes_together_and_then_it_does_again():
    life = Life()
    life.broker.acknowledges = False
    for i in range(4):
        life.client.publish("t", str(i), qos=1)
    attempt = asyncio.create_task(life.connection())
    await life.broker.until_sent(PUBLISH, 4)
    life.broker.streams[-1].hang_up()
    await attempt
    attempt = asyncio.create_task(life.connection())
    for i in range(4):
        await life.broker.until_sent(PUBLISH, 5 + i)
        await life.client.ping()
        assert len(life.broker.sent(PUBLISH)) == 5 + i, "each waits for the answer to the one before"
        life.broker.streams[-1].feed(b"\x40\x02" + packet_id(life.broker.sent(PUBLISH)[-1][1]))
    await attempt
    assert life.client.doubt <= 1
    for i in range(4):
        life.client.publish("t", str(i), qos=1)
    await life.broker.until_sent(PUBLISH, 12)
    assert life.client.doubt == 0
    await life.client.disconnect()


async def hung_up_in_flight(life, error=None, late_ms=0):
    """A connection that ends while a message is on its way."""
    attempt = asyncio.create_task(life.connection())
    await life.broker.until(lambda: life.client.connected and culprit._first(life.client, 2))
    receipt = culprit._first(life.client, 2)
    receipt.sent_ms = time.ticks_add(receipt.sent_ms, -late_ms)
    life.broker.streams[-1].hang_up(error)
    await attempt


async def test_a_network_that_fails_loses_no_message():
    """Only a peer that hangs up right after the packet can mean it."""
    unreachable, aborted = OSError(errno.EHOSTUNREACH, "x"), OSError(errno.ECONNABORTED, "x")
    starved = OSError(-0x7F00, "MBEDTLS_ERR_SSL_ALLOC_FAILED")
    for error in (unreachable, aborted, starved, OSError("x"), MQTTError("x"), MemoryError()):
        life = Life()
        life.broker.acknowledges = False
        life.client.publish("t", "x", qos=1)
        for _ in range(10):
            await hung_up_in_flight(life, error)
        assert len(life.client.outbox) == 1 and life.client.outbox.counts["lost"] == 0


async def test_a_reset_and_an_alert_are_ways_to_hang_up():
    for error in (
        OSError(errno.ECONNRESET, "x"),
        OSError(32, "EPIPE"),
        OSError(-0x7780, "alert"),
        OSError(-104, "x"),
        None,
    ):
        life = Life()
        life.broker.acknowledges = False
        life.client.publish("t", "x", qos=1)
        for i in range(4):
            assert life.client.outbox.counts["lost"] == 0, i
            await hung_up_in_flight(life, error)
        assert len(life.client.outbox) == 0 and life.client.outbox.counts["lost"] == 1


async def test_hanging_up_late_or_before_the_packet_was_sent_blames_nobody():
    life = Life(timeout_ms=2000)
    life.broker.acknowledges = False
    life.client.publish("t", "x", qos=1)
    for _ in range(6):
        await hung_up_in_flight(life, late_ms=2000)
    for _ in range(6):
        culprit.ended(life.client, Refused("closed"), time.ticks_add(time.ticks_ms(), 1))
    assert len(life.client.outbox) == 1 and life.client.doubt == 0


async def test_the_pauses_stay_short_while_the_culprit_is_looked_for():
    life = Life()
    life.client.backoff.ceiling_ms = 64000
    life.broker.hates = hates("bad")
    life.client.publish("bad", "1", qos=1)
    longest_ms = []
    while not await life.connection():
        longest_ms.append(life.client.backoff.ceiling_ms)
        life.client.backoff.next_ms()
    await life.client.disconnect()
    assert longest_ms == [8000] * 4


async def test_a_broker_that_hangs_up_on_everything_is_not_besieged():
    life = Life()
    life.broker.hates = lambda first, body: first & 0xF0 == PUBLISH
    for _ in range(40):
        life.client.publish("t", "x", qos=1)
        await life.connection()
        life.client.backoff.next_ms()
    assert life.client.backoff.ceiling_ms == 64000


async def test_run_gets_past_the_culprit():
    life = Life()
    life.broker.hates = hates("bad")
    life.client.backoff = Backoff(1, 1)
    bad = life.client.publish("bad", "x", qos=1)
    good = life.client.publish("good", "x", qos=1)
    running = asyncio.create_task(life.client.run())
    assert not await bad.wait(15_000) and await good.wait(15_000)
    await life.client.disconnect()
    await running
