"""Connections as an operator sees, ends and reaches them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.shapes import checked
from tests.host.cloud.support import ANYTHING, NOW_S, Bench, Clock, bench, policy
from tools.cloud.errors import (
    AwsError,
    ForbiddenException,
    GatewayTimeoutException,
    InvalidRequestException,
    RequestEntityTooLargeException,
    ResourceNotFoundException,
)


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, clock=clock) as running:
        yield running


def shown(cloud: Bench, client_id: str, **more: Any) -> dict[str, Any]:
    found = cloud.cloud.connections.get_connection(clientId=client_id, **more)
    return checked("iot-data", "GetConnection", found)


async def test_a_connection_while_it_is_there_and_after(cloud: Bench, clock: Clock) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    peer = await cloud.client("c", identity, keep_alive_s=45)
    source = peer.writer.get_extra_info("sockname")
    expected = {
        "connected": True,
        "clientId": "c",
        "cleanSession": True,
        "sessionExpiry": 0,
        "keepAliveDuration": 45,
        "connectedSince": int(NOW_S * 1000),
    }
    assert shown(cloud, "c") == expected
    sockets = {"targetIp": "127.0.0.1", "targetPort": cloud.cloud.port}
    sockets |= {"sourceIp": source[0], "sourcePort": source[1]}
    assert shown(cloud, "c", includeSocketInformation=True) == expected | sockets
    clock.now_s += 5
    await peer.disconnect()
    await cloud.event("disconnected")
    del expected["connectedSince"]
    expected |= {"connected": False, "disconnectedSince": int((NOW_S + 5) * 1000)}
    expected |= {"disconnectReason": "CLIENT_INITIATED_DISCONNECT"}
    assert shown(cloud, "c") == expected
    assert shown(cloud, "c", includeSocketInformation=True) == expected | sockets
    clock.now_s += 30 * 60
    with pytest.raises(ResourceNotFoundException):
        shown(cloud, "c")


async def test_the_thing_of_a_connection(cloud: Bench) -> None:
    registry = cloud.cloud.registry
    identity = cloud.cloud.create_identity(ANYTHING)
    certificate = registry.list_certificates()["certificates"][-1]["certificateArn"]
    for name in ("another", "lamp"):
        registry.create_thing(thingName=name)
        registry.attach_thing_principal(thingName=name, principal=certificate)
    await cloud.client("lamp", identity)
    await cloud.client("x", identity)
    assert shown(cloud, "lamp")["thingName"] == "lamp"
    assert shown(cloud, "x")["thingName"] == "another"


async def test_a_persistent_session_outlives_what_is_known_of_its_connection(
    cloud: Bench, clock: Clock
) -> None:
    peer = await cloud.client("c", clean=False)
    await peer.subscribe("b", 0)
    await peer.subscribe("a/#")
    await peer.disconnect()
    await cloud.event("disconnected")
    clock.now_s += 31 * 60
    assert shown(cloud, "c") == {
        "connected": False, "clientId": "c", "cleanSession": False, "sessionExpiry": 3600,
    }  # fmt: skip
    connections = cloud.cloud.connections
    listed = checked("iot-data", "ListSubscriptions", connections.list_subscriptions(clientId="c"))
    assert listed == {"subscriptions": [{"topicFilter": "a/#", "qos": 1}, {"topicFilter": "b", "qos": 0}]}
    first = connections.list_subscriptions(clientId="c", maxResults=1)
    assert first["subscriptions"] == listed["subscriptions"][:1]
    rest = connections.list_subscriptions(clientId="c", maxResults=1, nextToken=first["nextToken"])
    assert rest == {"subscriptions": listed["subscriptions"][1:]}


@pytest.mark.parametrize("prevent", [False, True])
@pytest.mark.parametrize("clean", [False, True])
async def test_delete_connection(cloud: Bench, clean: bool, prevent: bool) -> None:
    watcher = await cloud.client("w")
    await watcher.subscribe("$aws/events/presence/disconnected/c")
    await watcher.subscribe("will")
    identity = cloud.cloud.create_identity(ANYTHING)
    peer = await cloud.client("c", identity, clean=False, will=("will", b"gone", 0, False))
    await peer.subscribe("a")
    cloud.cloud.connections.delete_connection(clientId="c", cleanSession=clean, preventWillMessage=prevent)
    assert await peer.closed() == b""
    if not prevent:
        assert (await watcher.message()).payload == b"gone"
    told = json.loads((await watcher.message()).payload)
    assert (told["disconnectReason"], told["clientInitiatedDisconnect"]) == (
        "API_INITIATED_DISCONNECT",
        False,
    )
    await watcher.nothing_more()
    assert (await cloud.event("disconnected")).reason == "API_INITIATED_DISCONNECT"
    assert shown(cloud, "c")["disconnectReason"] == "API_INITIATED_DISCONNECT"
    peer = await cloud.open(identity)
    assert await peer.connect("c", clean=False) is not clean, "it may come again at once"


async def test_delete_a_session_whose_client_is_away(cloud: Bench) -> None:
    connections = cloud.cloud.connections
    identity = cloud.cloud.create_identity(ANYTHING)
    peer = await cloud.client("c", identity, clean=False)
    await peer.disconnect()
    await cloud.event("disconnected")
    connections.delete_connection(clientId="c")
    connections.delete_connection(clientId="c", cleanSession=True)
    with pytest.raises(ResourceNotFoundException, match="has no session"):
        connections.delete_connection(clientId="c", cleanSession=True)
    peer = await cloud.open(identity)
    assert not await peer.connect("c", clean=False)


async def test_the_last_thousand_who_went_are_remembered(cloud: Bench) -> None:
    peer = await cloud.client("c")
    (client,) = cloud.cloud._broker._clients.values()  # type: ignore[union-attr]
    session = cloud.cloud._broker.router.session("c")  # type: ignore[union-attr]
    assert session is not None
    for number in range(1001):
        client.client_id = f"c{number}"
        cloud.cloud.connections._left(client, session, "CONNECTION_LOST")
    client.client_id = "c"
    with pytest.raises(ResourceNotFoundException):
        shown(cloud, "c0")
    assert shown(cloud, "c1000")["disconnectReason"] == "CONNECTION_LOST"
    await peer.disconnect()


async def test_a_direct_message(cloud: Bench) -> None:
    peer = await cloud.client("c")
    send = cloud.cloud.connections.send_direct_message
    sent = await send(clientId="c", topic="no/filter", payload=b"1")
    assert checked("iot-data", "SendDirectMessage", sent)["message"] == "OK"
    message = await peer.message()
    assert (message.topic, message.payload, message.qos) == ("no/filter", b"1", 0)
    sending = asyncio.create_task(send(clientId="c", topic="no/filter", confirmation=True, timeout=15))
    assert (await peer.message()).qos == 1
    checked("iot-data", "SendDirectMessage", await sending)
    sending = asyncio.create_task(send(clientId="c", topic="t", confirmation=True, timeout=1))
    assert (await peer.packet())[0] == 0x32
    with pytest.raises(GatewayTimeoutException, match="within 1 s"):
        await sending


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"clientId": "nobody"}, ResourceNotFoundException),
        ({"clientId": "$c"}, InvalidRequestException),
        ({"clientId": ""}, InvalidRequestException),
        ({"clientId": "c" * 129}, InvalidRequestException),
        ({"topic": ""}, InvalidRequestException),
        ({"topic": "a/#"}, InvalidRequestException),
        ({"topic": "a" * 257}, InvalidRequestException),
        ({"topic": "$aws/things/c/shadow/update/delta"}, InvalidRequestException),
        ({"topic": "closed"}, ForbiddenException),
        ({"payload": b"x" * (128 * 1024 + 1)}, RequestEntityTooLargeException),
        ({"confirmation": True, "timeout": 0}, InvalidRequestException),
        ({"confirmation": True, "timeout": 16}, InvalidRequestException),
    ],
)
async def test_direct_messages_that_are_refused(
    cloud: Bench, wrong: dict[str, Any], error: type[AwsError]
) -> None:
    allowed = policy(("Allow", "iot:Connect", "*"), ("Allow", "iot:Receive", "*:topic/open"))
    peer = await cloud.client("c", cloud.cloud.create_identity(allowed))
    with pytest.raises(error):
        await cloud.cloud.connections.send_direct_message(**{"clientId": "c", "topic": "open"} | wrong)
    await peer.nothing_more()


@pytest.mark.parametrize("operation", ["get_connection", "delete_connection", "list_subscriptions"])
async def test_a_client_that_is_not_there(cloud: Bench, operation: str) -> None:
    call = getattr(cloud.cloud.connections, operation)
    with pytest.raises(ResourceNotFoundException):
        call(clientId="nobody")
    with pytest.raises(InvalidRequestException):
        call(clientId="$nobody")
