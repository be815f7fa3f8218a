"""Shadows by the names of boto3's `iot-data` client, and what MQTT hears of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.support import Bench
from tests.host.cloud.test_restart import Process
from tests.host.cloud.test_shadow_service import CLASSIC, NAMED, ask, said, subscribed
from tools.cloud import Cloud
from tools.cloud.errors import (
    AwsError,
    ConflictException,
    InvalidRequestException,
    RequestEntityTooLargeException,
    ResourceNotFoundException,
    UnsupportedDocumentEncodingException,
)


def update(cloud: Cloud, state: Any, name: str | None = None, **more: Any) -> dict[str, Any]:
    payload = json.dumps({"state": state} | more).encode()
    answer = cloud.shadows.update_thing_shadow(thingName="lamp", payload=payload, shadowName=name)
    assert answer.keys() == {"payload"}
    return json.loads(answer["payload"])


@pytest.mark.parametrize(("name", "prefix"), [(None, CLASSIC), ("light", NAMED)])
async def test_mqtt_hears_what_is_done(cloud: Bench, name: str | None, prefix: str) -> None:
    peer = await subscribed(cloud, prefix)
    accepted = update(cloud.cloud, {"desired": {"led": "on"}}, name, clientToken="t")
    answers = [await said(peer, prefix) for _ in range(3)]
    assert [rest for rest, _ in answers] == ["update/accepted", "update/delta", "update/documents"]
    assert answers[0][1] == accepted
    assert all(answer["clientToken"] == "t" for _, answer in answers)
    document = json.loads(cloud.cloud.shadows.get_thing_shadow(thingName="lamp", shadowName=name)["payload"])
    await peer.nothing_more()
    ((_, got),) = await ask(peer, "get", prefix=prefix)
    assert got | {"timestamp": 0} == document | {"timestamp": 0}
    gone = cloud.cloud.shadows.delete_thing_shadow(thingName="lamp", shadowName=name)["payload"]
    assert await said(peer, prefix) == ("delete/accepted", json.loads(gone))
    assert json.loads(gone).keys() == {"version", "timestamp"}
    await peer.nothing_more()


@pytest.mark.parametrize(
    ("payload", "error", "status"),
    [
        (b"{", InvalidRequestException, 400),
        (b"{}", InvalidRequestException, 400),
        (b"\xff", UnsupportedDocumentEncodingException, 415),
        (b'{"state": {}, "version": 7}', ConflictException, 409),
        (b'{"state": {"desired": {"a": "' + b"x" * 9000 + b'"}}}', RequestEntityTooLargeException, 413),
    ],
)
async def test_mqtt_hears_of_no_error(
    cloud: Bench, payload: bytes, error: type[AwsError], status: int
) -> None:
    """device-shadow-error-messages.html: who used the REST API is told there, and no message is sent."""
    peer = await subscribed(cloud)
    with pytest.raises(error) as raised:
        cloud.cloud.shadows.update_thing_shadow(thingName="lamp", payload=payload)
    assert raised.value.status == status
    await peer.nothing_more()


async def test_what_is_not_there(cloud: Bench) -> None:
    shadows = cloud.cloud.shadows
    for method in (shadows.get_thing_shadow, shadows.delete_thing_shadow):
        with pytest.raises(ResourceNotFoundException, match="No shadow exists with name: 'lamp'"):
            method(thingName="lamp")
        with pytest.raises(ResourceNotFoundException, match="No shadow exists with name: 'lamp~light'"):
            method(thingName="lamp", shadowName="light")


@pytest.mark.parametrize(
    ("thing", "name"),
    [("", None), ("a/b", None), ("x" * 129, None), ("a", ""), ("a", "b/c"), ("a", "x" * 65)],
)
async def test_names_that_are_none(cloud: Bench, thing: str, name: str | None) -> None:
    shadows = cloud.cloud.shadows
    with pytest.raises(InvalidRequestException):
        shadows.update_thing_shadow(thingName=thing, shadowName=name, payload=b'{"state": {}}')
    for method in (shadows.get_thing_shadow, shadows.delete_thing_shadow):
        with pytest.raises(InvalidRequestException):
            method(thingName=thing, shadowName=name)


async def test_list_of_named_shadows(cloud: Bench) -> None:
    shadows = cloud.cloud.shadows
    assert shadows.list_named_shadows_for_thing(thingName="nobody")["results"] == []
    names = sorted(["$package", *(f"n:{i:03}" for i in range(120))])
    update(cloud.cloud, {"desired": {"a": 1}})
    for name in [*names, "deleted"]:
        update(cloud.cloud, {"desired": {"a": 1}}, name)
    shadows.delete_thing_shadow(thingName="lamp", shadowName="deleted")
    shadows.update_thing_shadow(thingName="lamp2", shadowName="other", payload=b'{"state": {}}')
    found: list[list[str]] = []
    options: dict[str, str] = {}
    while True:
        page = shadows.list_named_shadows_for_thing(thingName="lamp", pageSize=50, **options)
        found.append(page["results"])
        assert isinstance(page["timestamp"], int)
        if "nextToken" not in page:
            break
        options = {"nextToken": page["nextToken"]}
    assert found == [names[:50], names[50:100], names[100:]]
    exact = shadows.list_named_shadows_for_thing(thingName="lamp2", pageSize=1)
    assert exact["results"] == ["other"] and "nextToken" not in exact
    assert len(shadows.list_named_shadows_for_thing(thingName="lamp")["results"]) == 100
    for size in (0, 101):
        with pytest.raises(InvalidRequestException, match="pageSize"):
            shadows.list_named_shadows_for_thing(thingName="lamp", pageSize=size)


async def test_a_shadow_needs_no_thing(cloud: Bench) -> None:
    """AWS's service does not ask the registry (aws-sdk-java, issue 626; aws-sdk-js, issue 4372)."""
    assert not cloud.cloud.registry.list_things()["things"]
    assert update(cloud.cloud, {"desired": {"a": 1}})["version"] == 1


async def test_killed_after_an_accepted_update(tmp_path: Path) -> None:
    cloud = Process(tmp_path)
    identity, _ = cloud.identities
    async with cloud.running():
        peer, _ = await cloud.client("lamp", identity)
        for topic in (f"{CLASSIC}/update/accepted", f"{NAMED}/update/accepted", f"{NAMED}/delete/accepted"):
            await peer.subscribe(topic)
        for level in range(5):
            state = {"state": {"desired": {"level": level}, "reported": {"old": None, "on": True}}}
            await peer.publish(f"{CLASSIC}/update", json.dumps(state).encode())
            assert (await said(peer))[1]["version"] == level + 1
        await peer.publish(f"{NAMED}/update", b'{"state": {"desired": {"a": 1}}}')
        await peer.message()
        await peer.publish(f"{NAMED}/delete", b"")
        await peer.message()
    async with cloud.running():
        peer, _ = await cloud.client("lamp", identity)
        await peer.subscribe(f"{CLASSIC}/get/+")
        await peer.subscribe(f"{NAMED}/get/+")
        await peer.subscribe(f"{NAMED}/update/accepted")
        ((rest, document),) = await ask(peer, "get")
        assert rest == "get/accepted" and document["version"] == 5
        assert document["state"] == {"desired": {"level": 4}, "reported": {"on": True}, "delta": {"level": 4}}
        assert document["metadata"].keys() == {"desired", "reported", "delta"}
        ((rest, _),) = await ask(peer, "get", prefix=NAMED)
        assert rest == "get/rejected", "deleted is deleted"
        await peer.publish(f"{NAMED}/update", b'{"state": {}}')
        assert (await said(peer, NAMED))[1]["version"] == 2, "and its version is kept"
