"""Shadows over MQTT, as devices and apps see them."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, NOW_S, Bench, Clock, Peer, bench
from tests.host.cloud.test_full_disk import make_room
from tests.patience import until
from tools.cloud import Limits
from tools.cloud.errors import InternalFailureException

CLASSIC = "$aws/things/lamp/shadow"
NAMED = "$aws/things/lamp/shadow/name/light"


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, clock=clock) as running:
        yield running


async def subscribed(cloud: Bench, prefix: str = CLASSIC, client_id: str = "lamp") -> Peer:
    """A client that hears all that is said of a shadow."""
    peer = await cloud.client(client_id)
    await peer.subscribe(f"{prefix}/get/+")
    await peer.subscribe(f"{prefix}/update/+")
    await peer.subscribe(f"{prefix}/delete/+")
    return peer


async def said(peer: Peer, prefix: str = CLASSIC) -> tuple[str, dict[str, Any]]:
    message = await peer.message()
    assert message.topic.startswith(prefix + "/")
    assert message.qos == 1
    return message.topic.removeprefix(prefix + "/"), json.loads(message.payload)


async def ask(peer: Peer, operation: str, request: Any = b"", prefix: str = CLASSIC) -> list[Any]:
    """All that is said of it, by the rest of the topic and the document, until it has ended."""
    payload = request if isinstance(request, bytes) else json.dumps(request).encode()
    await peer.publish(f"{prefix}/{operation}", payload)
    answers = [await said(peer, prefix)]
    while answers[-1][0] not in ("update/documents", f"{operation}/rejected") and operation == "update":
        answers.append(await said(peer, prefix))
    await peer.nothing_more()
    return answers


def at(moment: float = NOW_S) -> dict[str, float]:
    return {"timestamp": moment}


async def test_a_desired_state_and_its_report(cloud: Bench, clock: Clock) -> None:
    peer = await subscribed(cloud)
    request = {"state": {"desired": {"led": "on"}}, "clientToken": "t-1"}
    snapshot = {
        "state": {"desired": {"led": "on"}},
        "metadata": {"desired": {"led": at()}},
        "version": 1,
    }
    common = {"timestamp": NOW_S, "clientToken": "t-1"}
    assert await ask(peer, "update", request) == [
        ("update/accepted", snapshot | common),
        ("update/delta", {"state": {"led": "on"}, "metadata": {"led": at()}, "version": 1} | common),
        ("update/documents", {"previous": None, "current": snapshot} | common),
    ]
    clock.now_s += 5
    later = {
        "state": {"desired": {"led": "on"}, "reported": {"led": "on"}},
        "metadata": {"desired": {"led": at()}, "reported": {"led": at(NOW_S + 5)}},
        "version": 2,
    }
    assert await ask(peer, "update", {"state": {"reported": {"led": "on"}}}) == [
        (
            "update/accepted",
            {
                "state": {"reported": {"led": "on"}},
                "metadata": {"reported": {"led": at(NOW_S + 5)}},
                "version": 2,
                "timestamp": NOW_S + 5,
            },
        ),
        ("update/documents", {"previous": snapshot, "current": later, "timestamp": NOW_S + 5}),
    ]
    clock.now_s += 5
    assert await ask(peer, "get") == [("get/accepted", later | at(NOW_S + 10))]


async def test_what_is_missed_comes_with_each_report(cloud: Bench) -> None:
    """So a device needs no get after it connected: it reports, and is told what differs."""
    app, device = await cloud.client("app"), await subscribed(cloud)
    await app.publish(f"{CLASSIC}/update", b'{"state": {"desired": {"led": "on", "level": 3}}}')
    for _ in range(3):
        await said(device)
    answers = await ask(device, "update", {"state": {"reported": {"level": 3, "rssi": -60}}})
    assert [rest for rest, _ in answers] == ["update/accepted", "update/delta", "update/documents"]
    assert answers[1][1]["state"] == {"led": "on"}


async def test_get_has_the_delta_and_its_metadata(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    await ask(peer, "update", {"state": {"desired": {"a": {"b": 1, "c": 2}}, "reported": {"a": {"b": 1}}}})
    ((rest, document),) = await ask(peer, "get", {"clientToken": "t"})
    assert rest == "get/accepted" and document["clientToken"] == "t"
    assert document["state"]["delta"] == {"a": {"c": 2}}
    assert document["metadata"]["delta"] == {"a": {"c": at()}}
    documents = (await ask(peer, "update", {"state": {}}))[-1][1]
    assert documents["current"]["state"].keys() == {"desired", "reported"}, (
        "no delta, which has its own topic"
    )


async def test_classic_and_named_are_apart(cloud: Bench) -> None:
    classic, named = await subscribed(cloud), await subscribed(cloud, NAMED, "app")
    await ask(classic, "update", {"state": {"reported": {"of": "classic"}}})
    ((_, error),) = await ask(named, "get", prefix=NAMED)
    assert error == {"code": 404, "message": "No shadow exists with name: 'lamp~light'"}
    await ask(named, "update", {"state": {"reported": {"of": "named"}}}, NAMED)
    ((_, document),) = await ask(classic, "get")
    assert (document["state"], document["version"]) == ({"reported": {"of": "classic"}}, 1)
    ((_, document),) = await ask(named, "get", prefix=NAMED)
    assert (document["state"], document["version"]) == ({"reported": {"of": "named"}}, 1)


async def test_accepted_has_what_was_asked_for_and_nulls(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    await ask(peer, "update", {"state": {"desired": {"a": 1, "b": 2}, "reported": {"c": 3}}})
    accepted = (await ask(peer, "update", {"state": {"desired": {"a": None}, "reported": None}}))[0][1]
    assert accepted["state"] == {"desired": {"a": None}, "reported": None}
    assert accepted["metadata"] == {"desired": {"a": at()}, "reported": at()}
    answers = await ask(peer, "update", {"state": None})
    accepted = {"state": None, "metadata": at(), "version": 3, "timestamp": NOW_S}
    assert answers[0] == ("update/accepted", accepted)
    assert answers[-1][1]["current"] == {"state": {}, "metadata": {}, "version": 3}
    ((_, document),) = await ask(peer, "get")
    assert document == {"state": {}, "metadata": {}, "version": 3, "timestamp": NOW_S}, "empty, and there"


async def test_versions(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    state: dict[str, Any] = {"state": {"reported": {"a": 1}}}
    assert (await ask(peer, "update", state | {"version": 0}))[0][1]["version"] == 1
    assert (await ask(peer, "update", state | {"version": 1}))[0][1]["version"] == 2
    for wrong in (0, 1, 3, 10**30):
        answers = await ask(peer, "update", state | {"version": wrong, "clientToken": "t"})
        error = {"code": 409, "message": "Version conflict", "clientToken": "t"}
        assert answers == [("update/rejected", error)]
    ((_, document),) = await ask(peer, "get")
    assert document["version"] == 2


@pytest.mark.parametrize(("after_h", "version"), [(47.9, 4), (48.1, 1)])
async def test_a_deleted_shadow_leaves_its_version_for_48_hours(
    cloud: Bench, clock: Clock, after_h: float, version: int
) -> None:
    peer = await subscribed(cloud)
    for _ in range(3):
        await ask(peer, "update", {"state": {"desired": {"a": 1}}})
    deleted = {"version": 3, "timestamp": NOW_S, "clientToken": "t"}
    assert await ask(peer, "delete", {"clientToken": "t"}) == [("delete/accepted", deleted)]
    for operation in ("get", "delete"):
        answers = await ask(peer, operation)
        error = {"code": 404, "message": "No shadow exists with name: 'lamp'"}
        assert answers == [(f"{operation}/rejected", error)]
    clock.now_s += after_h * 3600
    cloud.cloud.shadows.sweep()
    answers = await ask(peer, "update", {"state": {"reported": {"b": 1}}})
    assert answers[0][1]["version"] == version
    assert answers[-1][1]["previous"] is None
    ((_, document),) = await ask(peer, "get")
    assert document["state"] == {"reported": {"b": 1}}, "nothing comes back"


async def test_what_a_delete_has_in_it_is_ignored(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    for payload in (b"{", b"\xff", b"[" * 100_000, {"clientToken": "x" * 65}):
        await ask(peer, "update", {"state": {"desired": {"a": 1}}})
        ((rest, document),) = await ask(peer, "delete", payload)
        assert rest == "delete/accepted" and "clientToken" not in document


def nested(levels: int) -> Any:
    """A path of so many names."""
    value: Any = 1
    for _ in range(levels):
        value = {"n": value}
    return value


def filled(size: int) -> dict[str, str]:
    """A section of so many bytes."""
    return {"a": "x" * (size - len('{"a":""}'))}


TOO_DEEP = "JSON contains too many levels of nesting; maximum is 6"
TOO_LARGE = "The payload exceeds the maximum size allowed"
IN_ARRAY = "State contains an invalid node: null in an array"


REJECTED: list[tuple[Any, int, str]] = [
    (b"", 400, "Invalid JSON"),
    (b"{", 400, "Invalid JSON"),
    (b"[]", 400, "Invalid JSON"),
    (b"null", 400, "Invalid JSON"),
    (b'{"state": {"desired": {"a": NaN}}}', 400, "Invalid JSON"),
    (b'{"state": {"desired": {"a": 1e400}}}', 400, "Invalid JSON"),
    (b'{"state": {"desired": {"a": ' + b"9" * 5000 + b"}}}", 400, "Invalid JSON"),
    (b'{"state": {"desired": {"a": 1, "a": 2}}}', 400, "Invalid JSON"),
    (b'{"state": {"desired": {"a": "\\ud800"}}}', 400, "Invalid JSON"),
    (b'\xff{"state": {}}', 415, "Unsupported documented encoding; supported encoding is UTF-8"),
    (b"{}", 400, "Missing required node: state"),
    (b'{"desired": {"a": 1}}', 400, "Missing required node: state"),
    ({"state": []}, 400, "State node must be an object"),
    ({"state": "on"}, 400, "State node must be an object"),
    ({"state": {"desired": 1}}, 400, "Desired node must be an object"),
    ({"state": {"reported": [1]}}, 400, "Reported node must be an object"),
    ({"state": {"delta": {"a": 1}}}, 400, "State contains an invalid node: 'delta'"),
    ({"state": {"x" * 10_000: 1}}, 400, f"State contains an invalid node: '{'x' * 64}'"),
    ({"state": {}, "version": "1"}, 400, "Invalid version"),
    ({"state": {}, "version": 1.5}, 400, "Invalid version"),
    ({"state": {}, "version": -1}, 400, "Invalid version"),
    ({"state": {}, "version": True}, 400, "Invalid version"),
    ({"state": {}, "version": None}, 400, "Invalid version"),
    ({"state": {}, "clientToken": "x" * 65}, 400, "Invalid clientToken"),
    ({"state": {}, "clientToken": "ä" * 33}, 400, "Invalid clientToken"),
    ({"state": {}, "clientToken": 1}, 400, "Invalid clientToken"),
    ({"state": {"desired": nested(7)}}, 400, TOO_DEEP),
    ({"state": {"desired": nested(500)}}, 400, TOO_DEEP),
    ({"state": {"desired": {"a": [[[[[[1]]]]]]}}}, 400, TOO_DEEP),
    (b'{"state": ' + b'{"desired": ' * 10_000, 400, TOO_DEEP),
    ({"state": {"desired": {"colors": [None, "RED"]}}}, 400, IN_ARRAY),
    ({"state": {"desired": {"a": {"b": [[1, None]]}}}}, 400, IN_ARRAY),
    ({"state": {"desired": {"a": [{"b": None}]}}}, 400, IN_ARRAY),
    ({"state": {"desired": filled(8193)}}, 413, TOO_LARGE),
    ({"state": {"desired": filled(8000), "reported": filled(193)}}, 413, TOO_LARGE),
    ({"state": {"desired": {f"{i:04}": None for i in range(1000)}}}, 413, TOO_LARGE),
    ({"state": {"desired": filled(120_000)}}, 413, TOO_LARGE),
]


async def test_rejected_updates(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    await ask(peer, "update", {"state": {"desired": {"kept": True}}})
    for payload, code, message in REJECTED:
        answers = await ask(peer, "update", payload)
        assert answers == [("update/rejected", {"code": code, "message": message})], str(payload)[:80]
    ((_, document),) = await ask(peer, "get")
    assert document["state"]["desired"] == {"kept": True} and document["version"] == 1
    events = [event for event in cloud.events if event.kind == "rejected"]
    assert len(events) == len(REJECTED)
    for event, (_, _, message) in zip(events, REJECTED, strict=True):
        assert event.client_id == "lamp" and event.detail.startswith(f"{CLASSIC}/update: {message}")
    assert "has 'a' twice" in events[7].detail, "the log says more"


ACCEPTED: list[dict[str, Any]] = [
    {"state": {"desired": nested(6)}},
    {"state": {"desired": {"a": [[[[[1]]]]]}}},
    {"state": {"desired": {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}}},
    {"state": {"desired": filled(8000), "reported": filled(192)}},
    {"state": {"reported": {"ä€": "\n\0 😀"}}, "clientToken": "ä" * 32},
    {"state": {"reported": {"n": -1.5e-7, "big": 10**40}}, "clientToken": ""},
    {"state": {}, "more": {"is": "passed over"}, "metadata": 1, "timestamp": "x"},
]


async def test_accepted_at_the_limits(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    for request in ACCEPTED:
        (rest, accepted), *_ = await ask(peer, "update", request)
        assert rest == "update/accepted", accepted
        assert accepted["state"] == request["state"]
        assert accepted.get("clientToken") == request.get("clientToken")
        ((_, document),) = await ask(peer, "get")
        assert {name: document["state"][name] for name in request["state"]} == request["state"]
        await ask(peer, "delete")


async def test_the_whole_document_counts(cloud: Bench) -> None:
    """Not what an update has in it alone; and a shadow that is full can be emptied."""
    peer = await subscribed(cloud)
    await ask(peer, "update", {"state": {"desired": {"a": "x" * 5000}}})
    answers = await ask(peer, "update", {"state": {"reported": {"b": "x" * 5000}}})
    assert answers[0][1]["code"] == 413
    await ask(peer, "update", {"state": {"desired": {"a": None}}})
    assert (await ask(peer, "update", {"state": {"reported": {"b": "x" * 5000}}}))[0][0] == "update/accepted"


async def test_rejected_gets(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    await ask(peer, "update", {"state": {}})
    for payload in (b"{", b"\xff", b" ", {"clientToken": 1}, {"clientToken": "x" * 65}):
        ((rest, error),) = await ask(peer, "get", payload)
        assert rest == "get/rejected" and error["code"] in (400, 415)


@pytest.mark.parametrize(
    "prefix", ["$aws/things/a b/shadow", f"{CLASSIC}/name/{'x' * 65}", f"{CLASSIC}/name/a.b"]
)
async def test_names_that_are_none(cloud: Bench, prefix: str) -> None:
    peer = await subscribed(cloud, prefix)
    for operation in ("get", "update", "delete"):
        ((rest, error),) = await ask(peer, operation, {"state": {}}, prefix)
        assert rest == f"{operation}/rejected"
        assert error["code"] == 400 and "must be 1 to" in error["message"]


@pytest.mark.parametrize("rest", ["update/accepted", "update/delta", "get/x", "name", "name/light", "list"])
async def test_nobody_speaks_for_the_service(cloud: Bench, rest: str) -> None:
    peer = await cloud.client("lamp")
    peer.send(raw.publish_packet(f"{CLASSIC}/{rest}", b"{}"))
    assert await peer.closed() == b""
    assert "is not served here" in (await cloud.event("disconnected")).detail


async def test_whoever_subscribed_hears_it_and_nobody_else(cloud: Bench) -> None:
    app, other, asks = (
        await subscribed(cloud, client_id="app"),
        await cloud.client("other"),
        await cloud.client("x"),
    )
    await other.subscribe("$aws/things/+/shadow/get/+")
    await asks.publish(f"{CLASSIC}/update", b'{"state": {"desired": {"a": 1}}}')
    assert [(await said(app))[0] for _ in range(3)] == ["update/accepted", "update/delta", "update/documents"]
    for peer in (app, other, asks):
        await peer.nothing_more()


async def test_who_may_not_receive_hears_nothing(cloud: Bench) -> None:
    allowed = raw.policy(
        ("Allow", ["iot:Connect", "iot:Publish", "iot:Subscribe"], "*"),
        ("Allow", "iot:Receive", cloud.cloud.registry.arn(f"topic/{CLASSIC}/update/delta")),
    )
    peer = await cloud.client("lamp", cloud.cloud.create_identity(allowed))
    await peer.subscribe(f"{CLASSIC}/update/+")
    await peer.publish(f"{CLASSIC}/update", b'{"state": {"desired": {"a": 1}}}')
    assert (await said(peer))[0] == "update/delta"
    await peer.nothing_more()


async def test_a_delta_waits_for_who_is_away(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    device = await cloud.client("lamp", identity, clean=False)
    await device.subscribe(f"{CLASSIC}/update/delta")
    await device.disconnect()
    app = await subscribed(cloud, client_id="app")
    for level in range(3):
        await ask(app, "update", {"state": {"desired": {"level": level}}})
    device = await cloud.open(identity)
    assert await device.connect("lamp", clean=False)
    missed = [(await said(device))[1] for _ in range(3)]
    assert [(delta["version"], delta["state"]) for delta in missed] == [
        (i + 1, {"level": i}) for i in range(3)
    ]


async def test_more_than_10_at_once_are_too_many(cloud: Bench) -> None:
    """In one TLS record, so that all of them are there before the first is done."""
    peer, neighbour = await subscribed(cloud), await subscribed(cloud, "$aws/things/door/shadow", "door")
    updates = [
        json.dumps({"state": {"desired": {"n": i}}, "clientToken": str(i)}).encode() for i in range(12)
    ]
    packets = [raw.publish_packet(f"{CLASSIC}/update", update) for update in updates]
    door = raw.publish_packet("$aws/things/door/shadow/update", b'{"state": {}}')
    peer.send(b"".join([*packets, door]))
    answers = [await said(peer) for _ in range(2 + 10 * 3)]
    refused = [answer for rest, answer in answers if rest == "update/rejected"]
    assert [(it["code"], it["clientToken"]) for it in refused] == [(429, "10"), (429, "11")]
    accepted = [answer["clientToken"] for rest, answer in answers if rest == "update/accepted"]
    assert accepted == [str(i) for i in range(10)]
    assert (await said(neighbour, "$aws/things/door/shadow"))[0] == "update/accepted", "of each thing 10"
    assert (await ask(peer, "update", {"state": {}}))[0][1]["version"] == 11, "then there is room again"


async def test_unthrottled_takes_them_all(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits.unthrottled()) as cloud:
        peer = await cloud.client("lamp")
        await peer.subscribe(f"{CLASSIC}/update/accepted")
        peer.send(raw.publish_packet(f"{CLASSIC}/update", b'{"state": {}}') * 300)
        assert [(await said(peer))[1]["version"] for _ in range(300)] == list(range(1, 301))


async def test_who_leaves_before_the_answer_is_served(cloud: Bench) -> None:
    peer, app = await cloud.client("lamp"), await subscribed(cloud, client_id="app")
    peer.send(raw.publish_packet(f"{CLASSIC}/update", b'{"state": {"reported": {"a": 1}}}') + raw.DISCONNECT)
    assert (await said(app))[0] == "update/accepted"


async def test_a_document_whose_metadata_is_more_than_a_message(cloud: Bench) -> None:
    """8 KB of small values have some 110 KB of timestamps, and get has those of the delta, too."""
    peer = await subscribed(cloud)
    await peer.publish(f"{CLASSIC}/update", json.dumps({"state": {"desired": {"a": [1] * 4000}}}).encode())
    sizes = [len((await peer.message()).payload) for _ in range(3)]
    assert max(sizes) <= 128 * 1024
    ((_, error),) = await ask(peer, "get")
    assert error == {"code": 413, "message": "The payload exceeds the maximum size allowed"}
    document = json.loads(cloud.cloud.shadows.get_thing_shadow(thingName="lamp")["payload"])
    assert len(document["metadata"]["delta"]["a"]) == 4000
    await peer.publish(f"{CLASSIC}/update", b'{"state": {"desired": {"b": 1}}}')
    assert [(await said(peer))[0] for _ in range(2)] == ["update/accepted", "update/delta"]
    await peer.nothing_more()
    assert f"{CLASSIC}/update/documents was not sent" in (await cloud.event("server")).detail


async def test_what_cannot_be_stored_is_rejected_and_told(cloud: Bench) -> None:
    peer = await subscribed(cloud)
    await ask(peer, "update", {"state": {"desired": {"a": 1}}})
    database = cloud.cloud._database._connection
    database.execute("CREATE TRIGGER full BEFORE INSERT ON shadows BEGIN SELECT RAISE(FAIL, 'no room'); END")
    answers = await ask(peer, "update", {"state": {"desired": {"a": 2}}, "clientToken": "t"})
    error = {"code": 500, "message": "Internal service failure", "clientToken": "t"}
    assert answers == [("update/rejected", error)]
    assert "no room" in (await cloud.event("rejected")).detail
    with pytest.raises(InternalFailureException, match="no room"):
        cloud.cloud.shadows.update_thing_shadow(thingName="lamp", payload=b'{"state": {}}')
    database.execute("DROP TRIGGER full")
    make_room(cloud.cloud)
    ((_, document),) = await ask(peer, "get")
    assert (document["state"]["desired"], document["version"]) == ({"a": 1}, 1)


async def test_other_limits(tmp_path: Path) -> None:
    limits = replace(Limits(), shadow_levels=8, shadow_bytes=100)
    async with bench(tmp_path, limits=limits) as cloud:
        peer = await subscribed(cloud)
        assert (await ask(peer, "update", {"state": {"desired": nested(8)}}))[0][0] == "update/accepted"
        answers = await ask(peer, "update", {"state": {"desired": nested(9)}})
        assert answers[0][1]["message"] == "JSON contains too many levels of nesting; maximum is 8"
        assert (await ask(peer, "update", {"state": {"desired": filled(101)}}))[0][1]["code"] == 413


async def test_the_sweep_forgets_by_itself(tmp_path: Path, clock: Clock) -> None:
    async with bench(tmp_path, clock=clock) as cloud:
        shadows = cloud.cloud.shadows
        shadows.update_thing_shadow(thingName="lamp", payload=b'{"state": {}}')
        shadows.delete_thing_shadow(thingName="lamp")
        clock.now_s += 48 * 3600
        rows = lambda: cloud.cloud._database.all("SELECT * FROM shadows")  # noqa: E731
        await until(lambda: not rows(), "the sweep")
