"""Greengrass' discovery and a core, asked by AWS's own client and by raw ones."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from awscrt import io, mqtt
from awsiot import mqtt_connection_builder
from awsiot.greengrass_discovery import DiscoverResponse, DiscoveryClient, DiscoveryException

from tests.clouds.greengrass import MAY_ALL, Home, home, thing
from tests.host.cloud.support import ANYTHING, Identity, Peer, client_context, connect_packet
from tests.patience import PATIENCE_S, until
from tools.cloud import packet

NAME = "lamp"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Home]:
    async with home(tmp_path) as it:
        yield it


async def discover(house: Home, identity: Identity, name: str = NAME) -> DiscoverResponse:
    """What AWS's own discovery client makes of the answer."""
    options = io.TlsContextOptions.create_client_with_mtls(*(pem.encode() for pem in identity))
    options.override_default_trust_store(house.cloud.root_ca.encode())
    client = DiscoveryClient(
        io.ClientBootstrap.get_or_create_static_default(),
        io.SocketOptions(),
        io.ClientTlsContext(options),
        "us-east-1",
        "localhost",
    )
    client.port = house.discovery.port  # AWS's is 443 with ALPN, or 8443
    return await asyncio.to_thread(client.discover(name).result, PATIENCE_S)


async def peer(port: int, root: str, identity: Identity, folder: Path) -> Peer:
    context = client_context(root, identity, folder)
    return Peer(*await asyncio.open_connection("127.0.0.1", port, ssl=context))


async def test_aws_own_client_finds_the_core_and_connects_by_what_it_was_told(
    house: Home, tmp_path: Path
) -> None:
    identity = thing(house.cloud, NAME)
    core, _ = await house.core(NAME), await house.core("another", name="another-core")
    (group,) = (await discover(house, identity)).gg_groups
    assert group.gg_group_id == "greengrassV2-coreDevice-core" and group.certificate_authorities == [core.ca]
    ((place,),) = [one.connectivity for one in group.cores]
    connection = mqtt_connection_builder.mtls_from_bytes(
        *(pem.encode() for pem in identity),
        endpoint=place.host_address,
        port=place.port,
        ca_bytes="".join(group.certificate_authorities).encode(),
        client_id=NAME,
    )
    await asyncio.to_thread(connection.connect().result, PATIENCE_S)
    published, _ = connection.publish(f"telemetry/{NAME}", b"21", mqtt.QoS.AT_LEAST_ONCE)
    await asyncio.to_thread(published.result, PATIENCE_S)
    assert core.connected(NAME)
    await asyncio.to_thread(connection.disconnect().result, PATIENCE_S)


@pytest.mark.parametrize("wrong", ["policy", "name", "status", "core"])
async def test_who_may_not_discover_learns_nothing(house: Home, wrong: str) -> None:
    identity = thing(house.cloud, NAME, ANYTHING if wrong == "policy" else MAY_ALL)
    thing(house.cloud, "other")
    await house.core(*(() if wrong == "core" else (NAME, "other")))
    if wrong == "status":
        (found,) = house.cloud.registry.list_thing_principals(thingName=NAME)["principals"]
        house.cloud.registry.update_certificate(certificateId=found.rpartition("/")[2], newStatus="INACTIVE")
    with pytest.raises(DiscoveryException) as refused:
        await discover(house, identity, "other" if wrong == "name" else NAME)
    assert refused.value.http_response_code == (404 if wrong == "core" else 403)


async def test_discovery_asks_for_a_certificate(house: Home, tmp_path: Path) -> None:
    context = client_context(house.cloud.root_ca, None, tmp_path)
    url = f"https://localhost:{house.discovery.port}/greengrass/discover/thing/{NAME}"
    with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
        async with aiohttp.ClientSession() as session, session.get(url, ssl=context):
            pass


@pytest.mark.parametrize("who", ["not associated", "another's certificate", "inactive"])
async def test_a_stranger_is_refused_at_the_door(house: Home, tmp_path: Path, who: str) -> None:
    identity, other = thing(house.cloud, NAME), thing(house.cloud, "other")
    core = await house.core(*(() if who == "not associated" else (NAME,)))
    if who == "inactive":
        (found,) = house.cloud.registry.list_thing_principals(thingName=NAME)["principals"]
        house.cloud.registry.update_certificate(certificateId=found.rpartition("/")[2], newStatus="REVOKED")
    stranger = await peer(core.port, core.ca, other if who == "another's certificate" else identity, tmp_path)
    stranger.send(connect_packet(NAME))
    assert await stranger.expect(0x20) == bytes((0, packet.BAD_USER_NAME_OR_PASSWORD))
    assert not core.connected(NAME)


async def test_the_bridge_brings_telemetry_up_and_commands_down_also_what_came_while_it_was_away(
    house: Home, tmp_path: Path
) -> None:
    identity, operator = thing(house.cloud, NAME), house.cloud.create_identity(ANYTHING)
    core = await house.core(NAME)
    lamp = await peer(core.port, core.ca, identity, tmp_path)
    await lamp.connect(NAME)
    await lamp.publish(f"telemetry/{NAME}", b"before")  # the bridge may not be there yet
    watcher, commander = [
        await peer(house.cloud.port, house.cloud.root_ca, operator, tmp_path) for _ in range(2)
    ]
    await watcher.connect("watcher")
    await commander.connect("commander")
    await watcher.subscribe("#")
    await until(core.bridge.is_up)
    await lamp.subscribe(f"cmd/{NAME}")
    for number in range(3):
        await lamp.publish(f"telemetry/{NAME}", b"%d" % number)
    await lamp.publish("$aws/things/lamp/jobs/$next/get", b"{}")
    await lamp.publish("home/only", b"x")
    heard: list[Any] = []
    while len(heard) < 3:
        message = await watcher.message()
        heard += [message.payload] if message.payload != b"before" else []
    assert heard == [b"0", b"1", b"2"], "in order, and nothing of what stays at home"
    await commander.publish(f"cmd/{NAME}", json.dumps({"led": 1}).encode())
    assert (await watcher.message()).topic == f"cmd/{NAME}"
    assert json.loads((await lamp.message()).payload) == {"led": 1}
