"""What is denied, over a limit or not supported closes the connection, with a reason that is told."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import Bench, bench, policy
from tools.cloud import Limits

NARROW = policy(
    ("Allow", "iot:Connect", "arn:aws:iot:us-east-1:123456789012:client/ok*"),
    ("Allow", ["iot:Publish", "iot:Receive"], "arn:aws:iot:us-east-1:123456789012:topic/ok/*"),
    ("Allow", "iot:Subscribe", "arn:aws:iot:us-east-1:123456789012:topicfilter/ok/*"),
)


async def test_denied_connect_closes_without_connack(cloud: Bench) -> None:
    peer = await cloud.open(cloud.cloud.create_identity(NARROW))
    peer.send(raw.connect_packet("other"))
    assert await peer.closed() == b""
    event = await cloud.event("refused")
    assert event.reason == "FORBIDDEN_ACCESS"
    assert "iot:Connect on client/other" in event.detail


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (raw.publish_packet("no", b"x"), "iot:Publish on topic/no"),
        (raw.publish_packet("no", b"x", 1, 3), "iot:Publish on topic/no"),
        (raw.publish_packet("ok/a", b"x", retain=True), "iot:RetainPublish on topic/ok/a"),
        (raw.subscribe_packet(1, ("ok/a", 1), ("no", 1)), "iot:Subscribe on topicfilter/no"),
        (raw.subscribe_packet(1, ("#", 0)), "iot:Subscribe on topicfilter/#"),
    ],
)
async def test_denied_by_policy(cloud: Bench, data: bytes, reason: str) -> None:
    peer = await cloud.client("ok", cloud.cloud.create_identity(NARROW))
    peer.send(data)
    assert await peer.closed() == b"", "neither PUBACK nor SUBACK"
    event = await cloud.event("disconnected")
    assert event.reason == "AUTH_ERROR"
    assert reason in event.detail


async def test_denied_receive_is_left_out_silently(cloud: Bench) -> None:
    document = policy(("Allow", ["iot:Connect", "iot:Subscribe"], "*"), ("Allow", "iot:Receive", "*:topic/a"))
    for qos in (0, 1):
        peer = await cloud.client(f"c{qos}", cloud.cloud.create_identity(document))
        await peer.subscribe("+", qos)
        publisher = await cloud.client("p")
        await publisher.publish("b", b"not for it")
        await publisher.publish("a", b"for it")
        assert (await peer.message()).payload == b"for it"


async def test_policy_changes_hold_at_once(cloud: Bench) -> None:
    registry = cloud.cloud.registry
    made = registry.create_keys_and_certificate(setAsActive=True)
    for name, document in (("narrow", NARROW), ("wide", raw.ANYTHING)):
        registry.create_policy(policyName=name, policyDocument=json.dumps(document))
        registry.attach_policy(policyName=name, target=made["certificateArn"])
    peer = await cloud.client("ok", (made["certificatePem"], made["keyPair"]["PrivateKey"]))
    await peer.publish("no", b"allowed by the wide one")
    registry.detach_policy(policyName="wide", target=made["certificateArn"])
    await peer.publish("ok/a", b"x")
    peer.send(raw.publish_packet("no", b"x", 1, 9))
    assert await peer.closed() == b""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (raw.publish_packet("$aws/events/presence/connected/c", b"{}"), "is not served here"),
        (raw.publish_packet("$SYS/x", b""), "is not served here"),
        (
            raw.publish_packet("$aws/certificates/create/json", b"", retain=True),
            "RETAIN on the reserved topic",
        ),
        (raw.publish_packet("a/+", b""), "wildcard"),
        (raw.publish_packet("", b""), "empty topic"),
        (raw.publish_packet("a" * 257, b""), "longer than 256 bytes"),
        (raw.publish_packet("/////////", b""), "more than 7 slashes"),
        (raw.publish_packet("a", bytes(128 * 1024 + 1)), "payload larger than 131072 bytes"),
        (raw.publish_packet("a", bytes(140 * 1024)), "PUBLISH larger than"),
        (raw.publish_packet("a", b"", 2), "QoS 2"),
        (raw.subscribe_packet(1, ("a", 2)), "QoS 2"),
        (raw.subscribe_packet(1, ("a/#/b", 1)), "not its last level"),
        (raw.subscribe_packet(1, *((f"f{i}", 0) for i in range(9))), "more than 8 filters"),
        (raw.connect_packet("c"), "second CONNECT"),
        (raw.packet(0x62, b"\0\1"), "PUBREL"),
        (raw.packet(0x00), "unknown packet type"),
        (b"\x30\xff\xff\xff\xff\x01", "PUBLISH larger than"),
    ],
)
async def test_errors_of_the_client(cloud: Bench, data: bytes, reason: str) -> None:
    other = await cloud.client("other")
    peer = await cloud.client("c")
    peer.send(data)
    assert await peer.closed() == b""
    event = await cloud.event("disconnected", lambda event: event.client_id == "c")
    assert event.reason == "CLIENT_ERROR"
    assert reason in event.detail
    await other.publish("alive", b"x")


async def test_largest_payload_passes(cloud: Bench) -> None:
    peer = await cloud.client("c")
    await peer.subscribe("a" * 256, 1)
    peer.send(raw.publish_packet("a" * 256, bytes(128 * 1024), 1, 1))
    first, second = await peer.packet(), await peer.packet()
    assert {first[0], second[0]} == {0x32, 0x40}


@pytest.mark.parametrize(
    ("data", "answer", "reason"),
    [
        (raw.connect_packet(""), b"\x20\2\0\2", "client id of 0 bytes"),
        (raw.connect_packet("x" * 129), b"\x20\2\0\2", "client id of 129 bytes"),
        (raw.packet(0x10, raw.text("MQTT") + b"\5\2\0\0\0" + raw.text("c")), b"\x20\3\0\x84\0", "level 5"),
        (raw.packet(0x10, raw.text("MQTT") + b"\6\2\0\0\0" + raw.text("c")), b"\x20\3\0\x84\0", "level 6"),
        (raw.packet(0x10, raw.text("MQIsdp") + b"\3\2\0\0" + raw.text("c")), b"\x20\2\0\1", "level 3"),
        (raw.connect_packet("c", will=("$aws/x", b"", 0, False)), b"", "will: on a reserved topic"),
        (raw.connect_packet("c", will=("a/#", b"", 0, False)), b"", "will: topic with a wildcard"),
        (raw.PINGREQ, b"", "PINGREQ before CONNECT"),
        (raw.publish_packet("a", b""), b"", "PUBLISH before CONNECT"),
        (b"GET / HTTP/1.1\r\n\r\n" * 20, b"", "PUBACK with reserved flags"),
    ],
)
async def test_refused_at_connect(cloud: Bench, data: bytes, answer: bytes, reason: str) -> None:
    peer = await cloud.open()
    peer.send(data)
    assert await peer.closed() == answer
    event = await cloud.event("refused")
    assert event.reason == "CLIENT_ERROR"
    assert reason in event.detail


async def test_longest_client_id_passes(cloud: Bench) -> None:
    assert not await (await cloud.open()).connect("x" * 128)


async def test_fifty_subscriptions_and_no_more(cloud: Bench) -> None:
    peer = await cloud.client("c")
    for i in range(50):
        await peer.subscribe(f"t{i}")
    await peer.subscribe("t0", 0)
    peer.send(raw.subscribe_packet(99, ("t50", 0)))
    assert await peer.closed() == b""
    assert "more than 50 subscriptions" in (await cloud.event("disconnected")).detail


async def test_publishes_over_the_rate_are_discarded(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits(publishes_per_s=5)) as cloud:
        watcher = await cloud.client("w")
        await watcher.subscribe("a", 0)
        peer = await cloud.client("c")
        peer.send(b"".join(raw.publish_packet("a", b"", 1, i) for i in range(1, 51)) + raw.PINGREQ)
        acknowledged = 0
        while (await peer.packet())[0] != 0xD0:
            acknowledged += 1
        assert 5 <= acknowledged < 50
        assert (await cloud.event("throttled")).client_id == "c"
        for _ in range(acknowledged):
            await watcher.message()
        await watcher.nothing_more()
        await peer.disconnect()
        detail = (await cloud.event("disconnected")).detail
        assert f"{50 - acknowledged} publishes over 5/s were discarded" in detail


async def test_bytes_over_the_rate_are_delayed_not_lost(tmp_path: Path) -> None:
    limits = replace(Limits.unthrottled(), bytes_per_s=200_000)
    async with bench(tmp_path, limits=limits) as cloud:
        peer = await cloud.client("c")
        begin = time.monotonic()
        for i in range(1, 11):
            peer.send(raw.publish_packet("a", bytes(60_000), 1, i))
        for _ in range(10):
            await peer.expect(0x40)
        took_s = time.monotonic() - begin
        assert took_s > 0.5, "600 kB at 200 kB/s, less a burst of 200 kB and one read of 256 KiB"


async def test_a_window_of_unacknowledged_messages(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=replace(Limits.unthrottled(), unacknowledged=3)) as cloud:
        subscriber = await cloud.client("s")
        await subscriber.subscribe("a")
        publisher = await cloud.client("p")
        for i in range(10):
            await publisher.publish("a", bytes((i,)))
        first = [await subscriber.message(acknowledge=False) for _ in range(3)]
        await subscriber.nothing_more()
        for message in first:
            subscriber.send(raw.puback_packet(message.packet_id))
        rest = [await subscriber.message() for _ in range(7)]
        assert [m.payload[0] for m in first + rest] == list(range(10))


async def test_queue_is_bounded_and_drops_are_counted(tmp_path: Path) -> None:
    limits = replace(Limits.unthrottled(), queued_messages=5)
    async with bench(tmp_path, limits=limits) as cloud:
        identity = cloud.cloud.create_identity(raw.ANYTHING)
        subscriber = await cloud.client("s", identity, clean=False)
        await subscriber.subscribe("a")
        await subscriber.disconnect()
        publisher = await cloud.client("p")
        for i in range(8):
            await publisher.publish("a", bytes((i,)))
        subscriber = await cloud.client("s", identity, clean=False)
        assert [(await subscriber.message()).payload[0] for _ in range(5)] == list(range(5))
        await subscriber.nothing_more()
        subscriber.send(raw.DISCONNECT)
        event = await cloud.event("disconnected", lambda event: "dropped" in event.detail)
        assert "3 messages to it were dropped" in event.detail
