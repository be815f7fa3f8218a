"""A broker that hangs up on a packet: which one it was is found, it is given up, and all else flows."""

import asyncio
import errno
import time

from iot.backoff import Backoff
from iot.mqtt import culprit
from iot.mqtt.packet import MQTTError, Refused
from life import CONNECT, PINGREQ, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, Life, hates
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


async def test_a_subscription_that_was_given_up_is_asked_for_again_after_ten_minutes():
    life = Life(timeout_ms=50)  # it looks for what is due each 7 ms
    life.broker.hates = hates("cmd")
    subscription = life.client.subscribe("cmd")
    await life.settle(5)
    assert subscription.granted is False
    for still_hated in (True, False):
        if not still_hated:
            life.broker.hates = hates()
        life.connections = asked = 0
        life.broker.packets.clear()
        for minutes in (0, 9, 1):
            assert asked == 0, "not sooner"
            later(life, minutes * 60_000, subscription)
            for _ in range(3):
                await turn(life, ("t", 1))
                await asyncio.sleep_ms(20)
            asked = len(life.broker.sent(SUBSCRIBE))
        assert asked and subscription.granted is not still_hated
        assert life.connections <= 3, "found at once"
    await life.client.disconnect()


async def test_a_refusal_that_the_broker_spoke_out_stands():
    life = Life(timeout_ms=50)
    life.broker.grants = 0x80
    subscription = life.client.subscribe("cmd")
    await life.settle(1)
    later(life, 600_000, subscription)
    await turn(life, ("t", 1))
    await asyncio.sleep_ms(50)
    assert len(life.broker.sent(SUBSCRIBE)) == 1 and subscription.granted is False
    await life.client.disconnect()


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


async def test_while_in_doubt_each_subscription_waits_for_the_one_before():
    life = Life()
    life.broker.grants = False
    for topic in "abc":
        life.client.subscribe(topic)
    attempt = asyncio.create_task(life.connection())
    await life.broker.until_sent(SUBSCRIBE, 3)
    life.broker.streams[-1].hang_up()
    await attempt
    attempt = asyncio.create_task(life.connection())
    await life.broker.until_sent(SUBSCRIBE, 4)
    await life.client.ping()
    assert len(life.broker.sent(SUBSCRIBE)) == 4
    life.broker.streams[-1].hang_up()
    await attempt
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


async def test_a_broker_that_hangs_up_before_it_answers_anything_blames_nobody():
    """It closes each connection behind its CONNACK, whatever is on its way by then."""
    life = Life()
    life.broker.hates = lambda first, body: first & 0xF0 != CONNECT
    subscription, receipt = life.client.subscribe("cmd"), life.client.publish("t", "x", qos=1)
    for _ in range(20):
        assert not await life.connection()
        life.client.backoff.next_ms()
    assert life.client.backoff.ceiling_ms == 64000, "nor is it besieged"
    life.broker.hates = hates("bad")
    bad = life.client.publish("bad", "x", qos=1)
    await life.settle(25)
    assert subscription.granted and receipt.done and not bad.done
    assert life.client.outbox.counts["lost"] == 1, life.notes.lines


async def test_what_the_broker_hangs_up_on_is_found_while_the_application_pings_all_the_time():
    life = Life()
    life.broker.hates = hates("bad")
    subscription, receipt = life.client.subscribe("bad"), life.client.publish("t", "x", qos=1)
    while not receipt.done:
        await turn(life)
        assert life.connections < 6, life.notes.lines
    assert subscription.granted is False
    await life.client.disconnect()


async def test_in_doubt_nothing_is_asked_before_the_broker_has_answered_a_ping():
    life = Life()
    life.broker.acknowledges = False
    life.client.publish("t", "x", qos=1)
    await hung_up_in_flight(life)
    life.broker.pongs = False
    attempt = asyncio.create_task(life.connection())
    await life.broker.until_sent(PINGREQ)
    await asyncio.sleep_ms(50)
    assert len(life.broker.sent(PUBLISH)) == 1
    life.broker.streams[-1].feed(b"\xd0\x00")
    await life.broker.until_sent(PUBLISH, 2)
    life.broker.streams[-1].hang_up()
    await attempt


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


async def turn(life, *messages):
    """Publish (topic, QoS) each and have the broker see them; what that does to the connection is noted."""
    client = life.client
    receipts = [client.publish(topic, "x", qos=qos) for topic, qos in messages]
    since_ms = time.ticks_ms()
    try:
        if not client.connected:
            await client.connect()
            life.broker.connack = b"\x20\x02\x01\x00"
            life.connections += 1
        while len(client.outbox):
            await client.ping()
        await client.ping()
    except MQTTError:
        await client.connection.wait_closed()
        culprit.ended(client, client.connection.error, since_ms)
    return receipts


async def test_what_an_application_sends_again_and_again_does_not_end_each_connection():
    for bad_qos in (0, 1):
        for good_qos in (0, 1):
            life = Life()
            life.broker.hates = hates("bad")
            receipts = []
            for _ in range(40):
                receipts += await turn(life, ("good", good_qos), ("bad", bad_qos), ("good", good_qos))
            assert life.connections <= 9, (bad_qos, good_qos)
            assert (await turn(life, ("good", good_qos)))[0].done
            # All but what went as QoS 0 in the write that was hung up on.
            assert len(life.got()) >= 80
            given_up = [line for line in life.notes.lines if "given up" in line]
            assert len(given_up) == 2 and given_up[1].endswith("nor more sent for 10 min"), given_up
            assert life.client.outbox.counts["lost"] >= 30, "and counted"
            await life.client.disconnect()


async def test_what_was_forbidden_for_a_while_gets_through_once_it_is_allowed():
    life = Life()
    life.broker.hates = hates("bad")
    for _ in range(10):
        await turn(life, ("bad", 1), ("good", 1))
    life.connections = 0
    assert not (await turn(life, ("bad", 1)))[0], "its receipt is false at once"
    life.broker.hates = hates()
    assert not (await turn(life, ("bad", 1)))[0]
    later(life, 300_000)
    assert not (await turn(life, ("bad", 0)))[0]
    later(life, 300_000)
    assert (await turn(life, ("bad", 1)))[0].done and life.connections == 0
    await life.client.disconnect()


async def test_what_is_still_forbidden_costs_a_connection_or_two_each_ten_minutes():
    life = Life()
    life.broker.hates = hates("bad")
    for _ in range(10):
        await turn(life, ("bad", 0), ("good", 0))
    for minutes in (10, 10, 60, 3 * 24 * 60):
        life.connections = 0
        later(life, minutes * 60_000)
        for _ in range(20):
            await turn(life, ("bad", 0), ("good", 0))
        assert life.connections <= (2 if minutes == 10 else 6)
    await life.client.disconnect()


def later(life, ms, *subscriptions):
    """Some time goes by for what was given up."""
    barred = life.client.barred
    for name in barred:
        barred[name] = time.ticks_add(barred[name], -ms)
    for subscription in subscriptions:
        subscription.sent_ms = time.ticks_add(subscription.sent_ms, -ms)


async def test_what_was_queued_meanwhile_for_a_topic_that_was_given_up_goes_with_it():
    life = Life()
    life.broker.hates = hates("bad")
    names = ["bad", "good"] * 8
    receipts = [life.client.publish(name, "x", qos=1) for name in names]
    await life.settle(8)
    assert [receipt.done for receipt in receipts] == [name == "good" for name in names]
    assert life.client.outbox.counts["lost"] == 8
    assert not await receipts[-2].wait(0), "who waits is told"


async def test_what_is_retained_is_another_matter():
    """A policy may allow iot:Publish and not iot:RetainPublish."""
    life = Life()
    life.broker.hates = lambda first, body: first & 0xF1 == 0x31
    for _ in range(10):
        life.client.publish("t", "kept", qos=1, retain=True)
        (receipt,) = await turn(life, ("t", 1))
    assert receipt.done and not life.client.publish("t", "kept", qos=1, retain=True)
    assert life.connections <= 7
    await life.client.disconnect()


async def test_to_subscribe_is_another_matter_than_to_publish():
    life = Life()
    life.broker.hates = lambda first, body: first & 0xF0 == 0x80
    for _ in range(3):
        subscription = life.client.subscribe("t")
        while subscription.granted is None:
            await turn(life, ("t", 1))
    assert (await turn(life, ("t", 1)))[0].done
    await life.client.disconnect()


async def test_where_nothing_gets_through_no_topic_is_given_up_for_long():
    """A broker that hangs up on all there is may be well again in a moment."""
    life = Life()
    life.broker.hates = lambda first, body: first & 0xF0 == PUBLISH
    for _ in range(20):
        await turn(life, ("t", 1))
    life.broker.hates = hates()
    (receipt,) = await turn(life, ("t", 1))
    assert receipt.done
    await life.client.disconnect()


async def test_messages_of_qos_0_stay_so_where_the_network_fails():
    life = Life()
    for error in (OSError(errno.EHOSTUNREACH, "x"), MQTTError("x"), MemoryError()):
        culprit.ended(life.client, error, time.ticks_ms())
        receipt = life.client.publish("t", "x")
        assert receipt.packet_id == 0
    assert life.client.careful == 0


async def test_topics_that_were_given_up_are_remembered_within_bounds():
    life = Life()
    life.broker.hates = lambda first, body: first & 0xF0 == PUBLISH and b"bad" in body
    receipts = []
    for number in range(36):
        receipts += await turn(life, ("bad/{}".format(number % 12), 1), ("good", 1))
    assert len(life.client.barred) <= 8
    while len(life.client.outbox):
        await turn(life)
    assert [receipt.done for receipt in receipts] == [False, True] * 36
    await life.client.disconnect()


async def test_a_topic_of_any_length_is_named():
    """From 128 bytes on a PUBLISH's length takes two bytes (2.2.3)."""
    for size in (1, 100, 125, 126, 127, 200, 256):
        name = "b" * size
        life = Life()
        life.broker.hates = hates(name)
        life.client.publish(name, "x", qos=1)
        await life.settle(5)
        assert "publish to {}: given up, the broker hangs up on it".format(name) in life.notes.lines
