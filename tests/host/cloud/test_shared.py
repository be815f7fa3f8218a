"""Shared subscriptions: one member of a group gets a message."""

from collections import Counter

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, Bench, Peer, policy
from tools.cloud import Limits


async def received(peer: Peer) -> list[bytes]:
    """The payloads of all messages that were sent to it."""
    payloads: list[bytes] = []
    peer.send(raw.PINGREQ)
    while True:
        first, body = await peer.packet()
        if first == 0xD0:
            return payloads
        assert first >> 4 == 3
        size, qos = int.from_bytes(body[:2], "big"), first >> 1 & 3
        rest = body[2 + size :]
        if qos:
            peer.send(raw.puback_packet(int.from_bytes(rest[:2], "big")))
        payloads.append(rest[2:] if qos else rest)


async def test_members_take_turns_and_others_get_all(cloud: Bench) -> None:
    members = [await cloud.client(f"m{i}") for i in range(3)]
    for member in members:
        await member.subscribe("$share/group/a/+")
    other_group, alone, publisher = await cloud.client("g"), await cloud.client("l"), await cloud.client("p")
    await other_group.subscribe("$share/other/a/#", 0)
    await alone.subscribe("a/#")
    sent = [bytes((i,)) for i in range(9)]
    for payload in sent:
        await publisher.publish("a/b", payload)
    got = [await received(member) for member in members]
    assert [len(payloads) for payloads in got] == [3, 3, 3]
    assert Counter(payload for payloads in got for payload in payloads) == Counter(sent)
    assert await received(other_group) == await received(alone) == sent


async def test_who_leaves_has_no_turn(cloud: Bench) -> None:
    one, two, publisher = await cloud.client("one"), await cloud.client("two"), await cloud.client("p")
    for member in (one, two):
        await member.subscribe("$share/g/a")
    one.send(raw.unsubscribe_packet(5, "$share/g/a"))
    await one.expect(0xB0)
    await publisher.publish("a", b"1")
    assert (await received(one), await received(two)) == ([], [b"1"])
    await two.disconnect()
    await publisher.publish("a", b"nobody's")
    await one.subscribe("$share/g/a")
    assert await received(one) == []
    assert len(cloud.cloud._broker.router._groups) == 1  # type: ignore[union-attr]


async def test_who_is_away_keeps_messages_only_where_nobody_is_there(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    away, there = await cloud.client("away", identity, clean=False), await cloud.client("there")
    publisher = await cloud.client("p")
    for member in (away, there):
        await member.subscribe("$share/g/a")
    await away.disconnect()
    for payload in (b"1", b"2"):
        await publisher.publish("a", payload)
    assert await received(there) == [b"1", b"2"]
    await there.disconnect()
    await publisher.publish("a", b"3")
    away = await cloud.client("away", identity, clean=False)
    assert await received(away) == [b"3"]


async def test_no_retained_message(cloud: Bench) -> None:
    client = await cloud.client("c")
    await client.publish("a", b"kept", retain=True)
    await client.subscribe("$share/g/a")
    assert await received(client) == []


async def test_policy_is_asked_for_the_whole_filter_and_to_receive(cloud: Bench) -> None:
    arn = cloud.cloud.registry.arn
    allowed = policy(
        ("Allow", "iot:Connect", "*"),
        ("Allow", "iot:Subscribe", [arn("topicfilter/a/*"), arn("topicfilter/$share/*/a/*")]),
        ("Allow", "iot:Receive", arn("topic/a/b")),
    )
    client = await cloud.client("c", cloud.cloud.create_identity(allowed))
    publisher = await cloud.client("p")
    await client.subscribe("$share/g/a/#")
    await publisher.publish("a/secret", b"")
    await publisher.publish("a/b", b"x")
    assert await received(client) == [b"x"]
    client.send(raw.subscribe_packet(9, ("$share/g/b", 1)))
    await client.closed()
    event = await cloud.event("disconnected")
    assert (event.reason, event.detail) == (
        "AUTH_ERROR",
        "iot:Subscribe on topicfilter/$share/g/b is not allowed",
    )
    only_plain = policy(("Allow", "iot:Connect", "*"), ("Allow", "iot:Subscribe", arn("topicfilter/a/*")))
    other = await cloud.client("d", cloud.cloud.create_identity(only_plain))
    other.send(raw.subscribe_packet(9, ("$share/g/a/b", 1)))
    assert await other.closed() == b""


async def test_a_shared_subscription_counts_as_one_of_fifty(cloud: Bench) -> None:
    client = await cloud.client("c")
    for i in range(Limits().subscriptions_per_connection):
        await client.subscribe(f"$share/g/{i}")
    client.send(raw.subscribe_packet(9, ("$share/h/0", 1)))
    assert await client.closed() == b""
