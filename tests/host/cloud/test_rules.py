"""Basic Ingest: to a rule by its name, past the broker's subscribers."""

from pathlib import Path

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import Bench, Peer, bench, policy
from tools.cloud import Limits
from tools.cloud.rules import Rules

RULES = {"ingest": "ingested/${topic()}", "first": "from/${topic(1)}/x${topic(3)}", "plain": "one"}


async def sent(cloud: Bench, publisher: Peer, topic: str, qos: int = 1) -> None:
    publisher.send(raw.publish_packet(topic, b"payload", qos, 7))
    if qos:
        assert await publisher.expect(0x40) == b"\0\7"


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize(
    ("topic", "republished"),
    [
        ("ingest/a/b", "ingested/a/b"),
        ("ingest/" + "a" * 256, None),
        ("ingest/a/b/c/d/e/f/g/h", None),  # seven slashes of its own, and one of the rule's topic
        ("first/a/b/c", "from/a/xc"),
        ("first/a", "from/a/x"),
        ("plain", "one"),
        ("plain/x", "one"),
    ],
)
async def test_a_rule_publishes_again(tmp_path: Path, topic: str, republished: str | None, qos: int) -> None:
    async with bench(tmp_path, rules=RULES) as cloud:
        listener, publisher = await cloud.client("l"), await cloud.client("p")
        for topic_filter in ("#", "$aws/rules/#"):
            await listener.subscribe(topic_filter)
        await sent(cloud, publisher, f"$aws/rules/{topic}", qos)
        if republished is not None:
            message = await listener.message()
            assert (message.topic, message.payload, message.qos) == (republished, b"payload", 0)
        else:
            event = await cloud.event("rejected")
            assert event.reason == "RepublishFailed" and topic in event.detail
        await publisher.nothing_more()
        await listener.nothing_more()


@pytest.mark.parametrize("topic", ["nobody/a", "nobody", ""])
async def test_a_rule_that_is_not_there_is_told(cloud: Bench, topic: str) -> None:
    """As on AWS the device learns nothing of it: it has its PUBACK and stays connected."""
    publisher = await cloud.client("p")
    await sent(cloud, publisher, f"$aws/rules/{topic}")
    event = await cloud.event("rejected")
    assert (event.client_id, event.reason) == ("p", "RuleNotFound")
    assert f"$aws/rules/{topic}: there is no rule {topic.partition('/')[0]!r}" == event.detail
    await publisher.nothing_more()


async def test_policy_is_asked_for_the_topic_as_published(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as cloud:
        arn = cloud.cloud.registry.arn
        allowed = policy(
            ("Allow", "iot:Connect", "*"), ("Allow", "iot:Publish", arn("topic/$aws/rules/ingest/*"))
        )
        listener = await cloud.client("l")
        await listener.subscribe("ingested/#")
        publisher = await cloud.client("p", cloud.cloud.create_identity(allowed))
        await sent(cloud, publisher, "$aws/rules/ingest/a")
        assert (await listener.message()).topic == "ingested/a"
        publisher.send(raw.publish_packet("$aws/rules/plain/a", b"", 1))
        assert await publisher.closed() == b""
        assert (await cloud.event("disconnected")).reason == "AUTH_ERROR"


@pytest.mark.parametrize("rest", ["x" * 257, "/" * 8])
async def test_aws_limits_hold_behind_the_rule(tmp_path: Path, rest: str) -> None:
    async with bench(tmp_path, rules=RULES) as cloud:
        publisher = await cloud.client("p")
        await sent(cloud, publisher, "$aws/rules/plain/" + rest[:-1])
        publisher.send(raw.publish_packet("$aws/rules/plain/" + rest, b"", 1))
        assert await publisher.closed() == b""


@pytest.mark.parametrize(
    ("name", "topic", "reason"),
    [
        ("a-b", "a", "the name"),
        ("", "a", "the name"),
        ("x" * 129, "a", "the name"),
        ("a", "", "empty topic"),
        ("a", "a/#", "wildcard"),
        ("a", "$aws/things/x", "reserved"),
        ("a", "a/${timestamp()}", r"\$\{timestamp\(\)\}"),
        ("a", "a/${topic(0)}", r"topic\(0\)"),
        ("a", "/" * 8, "slashes"),
    ],
)
def test_rules_that_cannot_be(name: str, topic: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Rules({name: topic}, Limits(), lambda event: None)
