"""Rules: Basic Ingest, to one by its name and past the subscribers; and those that call a function."""

from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, Bench, Peer, bench, policy
from tests.patience import until
from tools.cloud import Limits
from tools.cloud.ca import certificate_id
from tools.cloud.rules import Call, Rules
from tools.cloud.sql import MISSING, Sent, Sql

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


WHO = "SELECT topic(2) AS thing, principal() AS principal, clientid() AS client, "


@pytest.mark.parametrize(
    ("sql", "payload", "event"),
    [
        ("SELECT * FROM 'a/+/c'", b'{"x": 1}', {"x": 1}),
        ("SELECT * FROM 'a/+/c'", b"[1]", [1]),
        ("select x.y, * as all from 'a/+/c'", b'{"x": {"y": 0}}', {"y": 0, "all": {"x": {"y": 0}}}),
        ("SELECT *, topic() AS t FROM 'a/+/c'", b'{"t": 1, "x": null}', {"t": "a/b/c", "x": None}),
        (f"{WHO}x FROM 'a/#'", b'{"thing": "z"}', {"thing": "b", "principal": "id", "client": "me"}),
        ("SELECT topic(4) AS t, 'x' AS l FROM 'a/#'", b"no", {"l": "x"}),
        ("SELECT x FROM 'a/#' WHERE on", b'{"on": true, "x": 1}', {"x": 1}),
        ("SELECT x FROM 'a/#' WHERE on", b'{"on": 1, "x": 1}', None),
        ("SELECT x FROM 'a/#' WHERE on = true", b'{"on": true}', {}),
        ("SELECT x FROM 'a/#' WHERE on = true", b'{"on": 1}', None),
        ("SELECT x FROM 'a/#'\n WHERE a.b <> ''", b'{"a": {"b": "c"}}', {}),
        ("SELECT x FROM 'a/#' WHERE a.b <> ''", b'{"a": {"b": ""}}', None),
        ("SELECT x FROM 'a/#' WHERE a.b <> ''", b'{"a": 1}', None),
        ("SELECT x FROM 'a/#' WHERE a.b <> ''", b"\xff", None),
        ("SELECT x FROM 'a/#' WHERE topic(1) = 'a'", b"", {}),
    ],
)
def test_sql_selects(sql: str, payload: bytes, event: Any) -> None:
    found = Sql(sql, Limits()).event(Sent("a/b/c", payload, "me", "id"))
    assert found == event if event is not None else found is MISSING


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM a", "must be SELECT"),
        ("DELETE FROM 'a'", "must be SELECT"),
        ("SELECT * FROM 'a/#/b'", "'#'"),
        ("SELECT newuuid() AS x FROM 'a'", "newuuid"),
        ("SELECT topic(0) AS x FROM 'a'", "topic"),
        ("SELECT a + b AS x FROM 'a'", "not known"),
        ("SELECT * FROM 'a' WHERE a > 3", "WHERE a > 3"),
        ("SELECT * FROM 'a' WHERE a = 1 AND b = 2", "WHERE"),
    ],
)
def test_sql_that_is_not_known_here(sql: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"rule r: .*{reason}"):
        Rules({"r": Call(sql, print)}, Limits(), lambda event: None)


async def test_a_function_is_called_with_who_has_sent_it(tmp_path: Path) -> None:
    """Also for what a service says, and for Basic Ingest; one that fails is told, and disturbs nobody."""
    events: list[Any] = []

    def fail(event: Any) -> None:
        raise RuntimeError(f"no {event['x']}")

    rules = {
        "who": Call(f"{WHO}x FROM 'in/#'", events.append),
        "bad": Call("SELECT x FROM 'in/#'", fail),
        "shadow": Call("SELECT topic(3) AS thing FROM '$aws/things/+/shadow/update/accepted'", events.append),
    }
    async with bench(tmp_path, rules=rules) as cloud:
        identity = cloud.cloud.create_identity(ANYTHING)
        publisher, listener = await cloud.client("p", identity), await cloud.client("l")
        await listener.subscribe("in/#")
        for topic in ("in/lamp", "other/lamp", "$aws/rules/who/a/lamp", "$aws/things/door/shadow/update"):
            await publisher.publish(topic, b'{"x": 7, "thing": "z", "state": {"reported": {}}}')
        assert (await listener.message()).topic == "in/lamp"
        assert "RuntimeError: no 7" in (await cloud.event("rejected")).detail
        await until(lambda: len(events) == 3)
        who = {"thing": "lamp", "principal": certificate_id(identity[0]), "client": "p", "x": 7}
        assert [event for event in events if event == who] == [who, who]
        assert {"thing": "door"} in events
        assert await cloud.client("again")
