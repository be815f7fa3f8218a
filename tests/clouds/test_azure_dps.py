"""The stand-in's Device Provisioning Service: assigning, then assigned; every refusal by its status."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clouds.azure_certificates import Certified, certified
from tests.clouds.bench import Bench, bench
from tests.host.cloud.support import NOW_S, Clock, Peer, connect_packet, publish_packet, subscribe_packet
from tools.clouds.azure import Azure
from tools.clouds.azure.sas import derived_key, make, new_key

ANSWERS = "$dps/registrations/res/"
REGISTER = "$dps/registrations/PUT/iotdps-register/?$rid=1"


class Rig:
    """A DPS, and who registers with it."""

    def __init__(self, azure: Azure, running: Bench) -> None:
        self.azure = azure
        self.bench = running
        self.scope = azure.dps.id_scope

    def login(self, registration_id: str, key: str = "", until_s: float = NOW_S + 60) -> dict[str, Any]:
        user = f"{self.scope}/registrations/{registration_id}/api-version=2019-03-31&ClientVersion=x"
        if not key:
            return {"user": user}
        resource = f"{self.scope}/registrations/{registration_id}"
        return {"user": user, "password": make(resource, key, until_s, "registration")}

    async def device(self, name: str, identity: Certified | None = None, **login: Any) -> Peer:
        peer = await self.bench.client(
            name, identity.identity if identity else None, **self.login(name, **login)
        )
        await peer.subscribe(f"{ANSWERS}#")
        return peer

    async def answer(self, peer: Peer, topic: str, body: object) -> tuple[str, dict[str, Any]]:
        """What comes on $dps/registrations/res/, and its body."""
        peer.send(publish_packet(topic, body if isinstance(body, bytes) else json.dumps(body).encode()))
        message = await peer.message()
        return message.topic.removeprefix(ANSWERS), json.loads(message.payload)

    async def register(self, peer: Peer, registration_id: str) -> tuple[str, dict[str, Any]]:
        return await self.answer(peer, REGISTER, {"registrationId": registration_id})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rig(tmp_path: Path, clock: Clock) -> AsyncIterator[Rig]:
    azure = Azure(tmp_path / "state", hosts=("house.azure-devices.net", "localhost"), clock=clock)
    async with bench(azure.front, tmp_path) as running:
        yield Rig(azure, running)


def status(operation: dict[str, Any], number: int) -> str:
    base = "$dps/registrations/GET/iotdps-get-operationstatus/"
    return f"{base}?$rid={number}&operationId={operation['operationId']}"


async def test_an_individual_enrolment_is_assigned_after_a_while(rig: Rig, clock: Clock) -> None:
    key = rig.azure.dps.enrol("r", device_id="kitchen").keys[0]
    peer = await rig.device("r", key=key)
    topic, operation = await rig.register(peer, "r")
    assert (topic, operation["status"]) == ("202/?$rid=1&retry-after=3", "assigning")
    assert (await rig.answer(peer, status(operation, 2), b""))[0] == "202/?$rid=2&retry-after=3"
    clock.now_s += 3
    topic, done = await rig.answer(peer, status(operation, 3), b"")
    state = done["registrationState"]
    assert (topic, done["status"]) == ("200/?$rid=3", "assigned")
    assert (state["assignedHub"], state["deviceId"]) == ("house.azure-devices.net", "kitchen")
    resource = "house.azure-devices.net/devices/kitchen"
    login: dict[str, Any] = {
        "user": "house.azure-devices.net/kitchen/?api-version=1",
        "password": make(resource, key, 2e9),
    }
    await rig.bench.client("kitchen", **login)
    rig.azure.hub.patch_desired("kitchen", {"kept": True})
    await rig.register(peer, "r")  # again: the device is the same
    assert rig.azure.hub.device("kitchen").desired.values == {"kept": True}


async def test_credentials_are_judged_when_a_device_registers(rig: Rig, tmp_path: Path) -> None:
    group = rig.azure.dps.enrol_group("g")
    ca, other_ca = certified(tmp_path, "ca", ca=True), certified(tmp_path, "other", ca=True)
    rig.azure.dps.enrol_group("by certificate", ca_pem=ca.pem)
    rig.azure.front.trust(other_ca.pem)

    async def answered(name: str, identity: Certified | None = None, **login: Any) -> tuple[str, int | None]:
        peer = await rig.device(name, identity, **login)
        topic, body = await rig.register(peer, name)
        return topic, body.get("errorCode")

    assigning = "202/?$rid=1&retry-after=3", None
    refused = "401/?$rid=1", 401000
    assert await answered("r1", key=derived_key(group.keys[1], "r1")) == assigning
    assert await answered("r2", key=derived_key(group.keys[0], "r1")) == refused
    assert await answered("r2", key=group.keys[0]) == refused
    assert await answered("r2", key=derived_key(group.keys[0], "r2"), until_s=NOW_S) == refused
    assert await answered("c", certified(tmp_path, "c", ca)) == assigning
    assert await answered("c", certified(tmp_path, "c", other_ca)) == ("401/?$rid=1", 401002)
    told = [event.detail for event in rig.bench.events if event.kind == "rejected"]
    assert "by none of the keys" in told[0]
    assert "the token ended at" in told[2]
    assert rig.azure.hub.devices() == ["c", "r1"]


async def test_requests_that_are_wrong_get_their_status(rig: Rig, clock: Clock) -> None:
    key = new_key()
    rig.azure.dps.enrol("r", key).enabled = False
    peer = await rig.device("r", key=key)
    assert (await rig.answer(peer, REGISTER, b"{"))[0] == "400/?$rid=1"
    assert (await rig.register(peer, "someone"))[0] == "400/?$rid=1"
    assert (await rig.answer(peer, status({"operationId": "x"}, 2), b""))[0] == "404/?$rid=2"
    rig.azure.dps.throttled = 1
    assert (await rig.register(peer, "r"))[0] == "429/?$rid=1&retry-after=3"
    _, operation = await rig.register(peer, "r")
    clock.now_s += 3
    topic, done = await rig.answer(peer, status(operation, 2), b"")
    assert (topic, done["status"]) == ("200/?$rid=2", "disabled")
    assert rig.azure.hub.devices() == []
    peer.send(subscribe_packet(3, ("$dps/registrations/#", 1)))
    assert await peer.closed() == b""


async def test_a_connect_needs_the_right_form(rig: Rig, tmp_path: Path) -> None:
    mine = certified(tmp_path, "mine")
    rig.azure.dps.enrol("mine", certificate_pem=mine.pem)
    login = rig.login
    wrong = [
        ("r", None, login("s", new_key()), "the user name is for s, the client id is r"),
        ("r", None, login("r"), "neither a token nor a certificate"),
        ("r", None, {**login("r"), "password": "x"}, "the password is no token"),
        ("r", mine, login("r"), "the certificate's common name is mine, the registration r"),
        ("r", None, {"user": "0ne9/registrations/r/api-version=1"}, "the id scope is 0ne9, here it is"),
    ]
    for client_id, identity, options, reason in wrong:
        peer = await rig.bench.open(identity.identity if identity else None)
        peer.send(connect_packet(client_id, **options))
        assert await peer.expect(0x20) == bytes((0, 5))
        assert reason in rig.bench.events[-1].detail
    peer = await rig.device("mine", mine)
    assert (await rig.register(peer, "mine"))[0] == "202/?$rid=1&retry-after=3"
    assert not await (await rig.bench.open(mine.identity)).connect("mine", clean=False, **login("mine"))
