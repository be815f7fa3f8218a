"""What a well-behaved client sees: delivery, retained messages, wills, sessions, takeover, presence."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, Bench, bench, policy
from tools.cloud import Limits
from tools.cloud.errors import ResourceNotFoundException


@pytest.mark.parametrize("published", [0, 1])
@pytest.mark.parametrize("granted", [0, 1])
async def test_delivery_at_the_lower_qos(cloud: Bench, published: int, granted: int) -> None:
    subscriber, publisher = await cloud.client("s"), await cloud.client("p")
    await subscriber.subscribe("a/+", granted)
    publisher.send(raw.publish_packet("a/b", b"hello", published, 7))
    message = await subscriber.message()
    assert (message.topic, message.payload, message.qos) == ("a/b", b"hello", min(published, granted))
    assert not message.retain and not message.dup


async def test_overlapping_filters_deliver_once(cloud: Bench) -> None:
    client = await cloud.client("c")
    await client.subscribe("a/+", 0)
    await client.subscribe("a/b", 1)
    client.send(raw.publish_packet("a/b", b"x", 1, 9))
    first, second = await client.packet(), await client.packet()
    assert {first[0], second[0]} == {0x32, 0x40}
    await client.nothing_more()


async def test_unsubscribe(cloud: Bench) -> None:
    client = await cloud.client("c")
    await client.subscribe("a")
    client.send(raw.unsubscribe_packet(5, "a", "never"))
    assert await client.expect(0xB0) == b"\0\5"
    await client.publish("a", b"x")
    await client.nothing_more()


async def test_retained_message(cloud: Bench) -> None:
    publisher, early = await cloud.client("p"), await cloud.client("early")
    await early.subscribe("state/#")
    await publisher.publish("state/lamp", b"on", retain=True)
    assert not (await early.message()).retain, "a subscription that was there gets it as any other (3.3.1.3)"
    late = await cloud.client("late")
    await late.subscribe("state/lamp")
    message = await late.message()
    assert (message.payload, message.retain, message.qos) == (b"on", True, 1)
    await late.subscribe("state/+")
    await late.nothing_more()
    await publisher.publish("state/lamp", b"", retain=True)
    assert (await late.message()).payload == b""
    after = await cloud.client("after")
    await after.subscribe("state/lamp")
    await after.nothing_more()


async def test_persistent_session_gets_what_came_meanwhile(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    subscriber, publisher = await cloud.open(identity), await cloud.client("p")
    assert not await subscriber.connect("s", clean=False)
    await subscriber.subscribe("a", 1)
    await subscriber.subscribe("b", 0)
    await subscriber.disconnect()
    for payload in (b"1", b"2"):
        await publisher.publish("a", payload)
    await publisher.publish("b", b"QoS 0 is not kept")
    subscriber = await cloud.open(identity)
    assert await subscriber.connect("s", clean=False)
    assert [(await subscriber.message()).payload for _ in range(2)] == [b"1", b"2"]
    await subscriber.nothing_more()


async def test_unacknowledged_messages_come_again_with_dup_and_the_same_ids(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    subscriber = await cloud.client("s", identity, clean=False)
    await subscriber.subscribe("a")
    publisher = await cloud.client("p")
    for payload in (b"1", b"2", b"3"):
        await publisher.publish("a", payload)
    first = [await subscriber.message(acknowledge=False) for _ in range(3)]
    subscriber.send(raw.puback_packet(first[1].packet_id))
    await subscriber.nothing_more()
    subscriber.writer.transport.abort()
    await cloud.event("disconnected", lambda event: event.client_id == "s")
    await publisher.publish("a", b"4")
    again = await cloud.client("s", identity, clean=False)
    got = [await again.message() for _ in range(3)]
    assert [m.payload for m in got] == [b"1", b"3", b"4"]
    assert [m.dup for m in got] == [True, True, False]
    assert [m.packet_id for m in got[:2]] == [first[0].packet_id, first[2].packet_id]
    await again.nothing_more()


async def test_clean_session_forgets(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    peer = await cloud.client("s", identity, clean=False)
    await peer.subscribe("a")
    await peer.disconnect()
    peer = await cloud.open(identity)
    assert not await peer.connect("s", clean=True)
    await peer.disconnect()
    peer = await cloud.open(identity)
    assert not await peer.connect("s", clean=False), "the clean one removed the session"
    await peer.publish("a", b"x")
    await peer.nothing_more()


async def test_session_expires(tmp_path: Path) -> None:
    now = [1000.0]
    async with bench(tmp_path, clock=lambda: now[0]) as cloud:
        for wait_s, kept in ((3599, True), (3601, False)):
            peer = await cloud.client("s", clean=False)
            await peer.disconnect()
            now[0] += wait_s
            peer = await cloud.open()
            assert await peer.connect("s", clean=False) is kept
            await peer.disconnect()


async def test_the_newest_client_takes_over(cloud: Bench) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("will")
    old = await cloud.client("same", will=("will", b"gone", 1, False))
    new = await cloud.client("same")
    assert await old.closed() == b""
    assert (await watcher.message()).payload == b"gone"
    assert (await cloud.event("disconnected")).reason == "DUPLICATE_CLIENTID"
    await new.publish("x", b"still there")


async def test_takeover_keeps_the_session_and_has_the_new_identity(cloud: Bench) -> None:
    """The new connection's rights are its own certificate's, not those of the one before."""
    old = await cloud.client("same", clean=False)
    await old.subscribe("a")
    narrow = raw.policy(("Allow", "iot:Connect", "*"), ("Allow", "iot:Receive", "*"))
    new = await cloud.open(cloud.cloud.create_identity(narrow))
    assert await new.connect("same", clean=False)
    await (await cloud.client("p")).publish("a", b"x")
    assert (await new.message()).payload == b"x"
    new.send(raw.publish_packet("a", b"x"))
    assert await new.closed() == b""


async def test_will_when_the_connection_is_lost(cloud: Bench) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("will/#")
    peer = await cloud.client("c", will=("will/c", b"gone", 1, True))
    peer.writer.transport.abort()
    message = await watcher.message()
    assert (message.topic, message.payload) == ("will/c", b"gone")
    late = await cloud.client("late")
    await late.subscribe("will/c")
    assert (await late.message()).retain


async def test_no_will_after_disconnect(cloud: Bench) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("will")
    peer = await cloud.client("c", will=("will", b"gone", 0, False))
    await peer.disconnect()
    await cloud.event("disconnected")
    await watcher.nothing_more()


async def test_a_will_that_is_not_allowed_is_not_sent(cloud: Bench) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("will")
    narrow = cloud.cloud.create_identity(raw.policy(("Allow", "iot:Connect", "*")))
    peer = await cloud.client("c", narrow, will=("will", b"gone", 0, False))
    peer.writer.transport.abort()
    assert (await cloud.event("rejected")).reason == "will"
    await watcher.nothing_more()


async def test_presence(cloud: Bench) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("$aws/events/presence/+/c")
    identity = cloud.cloud.create_identity(ANYTHING)
    versions, sessions = [], set()
    for reason, initiated in (("CLIENT_INITIATED_DISCONNECT", True), ("CONNECTION_LOST", False)):
        peer = await cloud.client("c", identity)
        message = await watcher.message()
        assert message.topic == "$aws/events/presence/connected/c"
        came = json.loads(message.payload)
        peer.send(raw.DISCONNECT) if initiated else peer.writer.transport.abort()
        message = await watcher.message()
        assert message.topic == "$aws/events/presence/disconnected/c"
        left = json.loads(message.payload)
        assert came.pop("ipAddress") == "127.0.0.1"
        assert (came.pop("eventType"), left.pop("eventType")) == ("connected", "disconnected")
        assert left.pop("clientInitiatedDisconnect") is initiated
        assert left.pop("disconnectReason") == reason
        assert came.pop("timestamp") <= left.pop("timestamp")
        assert came == left
        assert came.pop("clientId") == "c"
        versions.append(came.pop("versionNumber"))
        sessions.add(came.pop("sessionIdentifier"))
        assert came == {"principalIdentifier": (await cloud.event("disconnected")).certificate_id}
    assert versions == [0, 1]
    assert len(sessions) == 2


async def test_who_may_not_connect_is_told(cloud: Bench) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("$aws/events/presence/connect_failed/c")
    narrow = cloud.cloud.create_identity(policy(("Allow", "iot:Connect", "*:client/other")))
    peer = await cloud.open(narrow)
    peer.send(raw.connect_packet("c"))
    assert await peer.closed() == b""
    told = json.loads((await watcher.message()).payload)
    assert told.pop("timestamp") > 0 and told.pop("sessionIdentifier")
    assert told == {
        "clientId": "c",
        "eventType": "connect_failed",
        "connectFailureReason": "AUTHORIZATION_FAILED",
        "principalIdentifier": (await cloud.event("refused")).certificate_id,
        "ipAddress": "127.0.0.1",
    }


async def test_no_presence_for_a_client_id_with_wildcards(cloud: Bench) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("$aws/events/presence/#")
    await (await cloud.client("a+b")).disconnect()
    await cloud.event("disconnected")
    await watcher.nothing_more()


async def test_keep_alive_is_enforced(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits(keep_alive_min_s=0.1)) as cloud:
        watcher = await cloud.client("w")
        await watcher.subscribe("will")
        peer = await cloud.client("c", keep_alive_s=1, will=("will", b"gone", 0, False))
        assert await peer.closed() == b""
        assert (await cloud.event("disconnected")).reason == "MQTT_KEEP_ALIVE_TIMEOUT"
        assert (await watcher.message()).payload == b"gone"


@pytest.mark.parametrize(("asked_s", "held_to_s"), [(0, 1200), (1, 30), (30, 30), (600, 600), (65535, 1200)])
def test_keep_alive_is_held_to_what_aws_allows(asked_s: int, held_to_s: float) -> None:
    assert Limits().keep_alive_s(asked_s) == held_to_s


async def test_stop_tells_everyone_and_sends_wills(tmp_path: Path) -> None:
    async with bench(tmp_path) as cloud:
        peer = await cloud.client("c", will=("will", b"stopped", 1, True))
    assert await peer.closed() == b""
    assert (await cloud.event("disconnected")).reason == "SERVER_INITIATED_DISCONNECT"
    async with bench(tmp_path) as cloud:
        peer = await cloud.client("d")
        await peer.subscribe("will")
        assert (await peer.message()).payload == b"stopped"


async def test_direct_messages_come_without_a_subscription(cloud: Bench) -> None:
    client = await cloud.client("c")
    sending = asyncio.create_task(cloud.cloud.send_direct_message("c", "no/filter", b"1"))
    message = await client.message()
    assert (message.topic, message.payload, message.qos) == ("no/filter", b"1", 1)
    assert await sending, "it was acknowledged"
    assert await cloud.cloud.send_direct_message("c", "no/filter", b"2", confirmation=False)
    assert (await client.message()).qos == 0


async def test_a_direct_message_without_puback_was_not_delivered(cloud: Bench) -> None:
    client = await cloud.client("c")
    sending = asyncio.create_task(cloud.cloud.send_direct_message("c", "t", b"1", timeout_s=0.1))
    assert (await client.packet())[0] == 0x32
    assert not await sending
    with pytest.raises(ResourceNotFoundException, match="client nobody is not connected"):
        await cloud.cloud.send_direct_message("nobody", "t", b"x")


async def test_a_direct_message_needs_leave_to_receive_and_a_connection_that_lasts(cloud: Bench) -> None:
    allowed = policy(("Allow", "iot:Connect", "*"), ("Allow", "iot:Receive", "*:topic/yes"))
    client = await cloud.open(cloud.cloud.create_identity(allowed))
    await client.connect("c")
    assert not await cloud.cloud.send_direct_message("c", "no", b"x")
    sending = asyncio.create_task(cloud.cloud.send_direct_message("c", "yes", b"x"))
    assert (await client.packet())[0] == 0x32
    await client.disconnect()
    assert not await sending
