"""A fleet that is switched on at once: each gets a certificate of its own, and keeps to its topics."""

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.extras import TOLD
from tests.patience import PATIENCE_S, until
from tests.system.house import House, seen
from tests.system.test_keys import key_of, sets
from tools.cloud.ca import certificate_id
from tools.cloud.events import Event
from tools.sim import Device
from tools.units import allow_files

NUMBER = 20 if os.environ.get("MICROPYTHON") else 200  # with TLS the unix port looks 1,000 times a second
DEADLINE_S = 3 * PATIENCE_S  # what one does for a test, all of them do here
# Each tells who it is, and what it was sent; its neighbour's topics, which it tries for, have it hung up on.
APP = """
    from firmware import settings

    async def main(thing):
        own = "telemetry/" + thing.name
        orders = thing.subscribe("cmd/" + thing.name)
        await thing.publish(own, {"from": thing.name}, qos=1)
        thing.log.info("app", "at work")
        thing.log.info("app", "sent {}", (await orders.__anext__())[0])
        thing.publish("telemetry/" + settings.NEIGHBOUR, {"from": thing.name})
        await thing.wait("cloud_down")
        await thing.wait("cloud_up")
        theirs = thing.subscribe("cmd/" + settings.NEIGHBOUR)
        await thing.wait("cloud_down")
        theirs.close()
        await thing.wait("cloud_up")
        thing.log.info("app", "back")
        async for topic, _ in orders:
            thing.log.info("app", "sent {}", topic)
            thing.publish(own + "/answer", {"from": thing.name}, qos=1)
"""


class Watch:
    """What the cloud tells: who is there, who has sent what, and who was hung up on."""

    def __init__(self, house: House) -> None:
        self.there: set[str] = set()
        self.claims = 0  # the most that were there at once
        self.published: list[Event] = []
        self.forbidden: list[tuple[str, str]] = []  # who, and what it had tried
        house.cloud.on_event = self._take

    def _take(self, event: Event) -> None:
        if event.kind == "connected":
            self.there.add(event.client_id)
            self.claims = max(self.claims, sum(name.startswith("claim-") for name in self.there))
        elif event.kind == "disconnected":
            self.there.discard(event.client_id)
            if "not allowed" in event.detail:
                self.forbidden.append((event.client_id, event.detail))
        elif event.kind == "published" and event.reason.startswith("telemetry/"):
            self.published.append(event)


def name_of(index: int) -> str:
    """The thing's, of a device from 0; behind the last one comes the first."""
    return f"esp32-240ac40000{index % NUMBER + 1:02x}"


@pytest.fixture
def messages() -> bool:
    return True


@pytest.fixture
def fleet(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Device]]:
    """Devices that have had the claim from their factory, and leave the processor to the cloud."""
    monkeypatch.setenv("SIM_SPEED", "1")  # to run ahead takes the processor's time, too
    monkeypatch.setenv("SIM_NICE", "19")
    allow_files(NUMBER)
    document = house.configuration()
    yield [house.device(APP, CONFIG=document, NEIGHBOUR=name_of(index + 1)) for index in range(NUMBER)]
    for device in house.devices:
        device.folder.joinpath("vfs.bin").unlink()  # a gigabyte, all together


async def every(fleet: list[Device], pattern: str) -> None:
    await asyncio.gather(*(device.expect(pattern, DEADLINE_S) for device in fleet))


@pytest.mark.timeout(4 * DEADLINE_S)
async def test_a_fleet_that_is_switched_on_at_once(
    house: House, fleet: list[Device], record_property: Any
) -> None:
    watch = Watch(house)
    heard: list[tuple[str, str]] = []  # the thing that a topic names, and the one that says it sent that

    def hear(topic: str, payload: bytes) -> None:
        heard.append((topic.split("/")[1], json.loads(payload)["from"]))

    names = {name_of(index) for index in range(NUMBER)}
    async with house.subscriber(hear, "telemetry/#") as subscriber:
        await asyncio.gather(*(device.power_on() for device in fleet))
        await every(fleet, "app: at work")
        await until(lambda: names <= watch.there, "all of them, at once", DEADLINE_S)
        for order in range(2):
            for name in names:
                subscriber.publish(f"cmd/{name}", b"")
                await asyncio.sleep(2 / house.cloud.limits.publishes_per_s)
            await every(fleet, "app: sent cmd/" if order else "app: back")
        await until(lambda: len(heard) >= 2 * NUMBER, "every answer", DEADLINE_S)
    await asyncio.gather(*(device.power_off() for device in fleet))
    own = check_certificates(house, fleet)
    check_topics(fleet, watch, own)
    assert sorted(heard) == sorted(2 * [(name, name) for name in names])
    again = sum(seen(device, "will start over") for device in fleet)
    record_property(
        TOLD, f"{NUMBER} devices: up to {watch.claims} at once with the claim, {again} attempts in vain"
    )


def check_certificates(house: House, fleet: list[Device]) -> dict[str, str]:
    """That each has its own, for a key of its own, and that there are no others; which, by name."""
    registry = house.cloud.registry
    own, keys = {}, {}
    for index, device in enumerate(fleet):
        [parts] = sets(device).values()
        name = parts["name"].decode()
        assert name == name_of(index) and seen(device, f'this is thing "{name}"') == 1
        keys[public(key_of(parts).public_key())] = name
        own[name] = certificate_id(parts["certificate"])
        arn = registry.arn(f"cert/{own[name]}")
        assert registry.list_principal_things(principal=arn)["things"] == [name]
    assert len(keys) == len(set(own.values())) == len(registry.list_things()["things"]) == NUMBER
    claims = 0
    marker: dict[str, Any] = {}
    while True:  # one that was asked for twice is for the same key
        page = registry.list_certificates(**marker)
        for listed in page["certificates"]:
            described = registry.describe_certificate(certificateId=listed["certificateId"])
            pem = described["certificateDescription"]["certificatePem"].encode()
            owner = keys.get(public(x509.load_pem_x509_certificate(pem).public_key()))
            things = registry.list_principal_things(principal=listed["certificateArn"])["things"]
            assert things == ([owner] if owner else [])
            claims += owner is None
        if not page.get("nextMarker"):
            break
        marker = {"marker": page["nextMarker"]}
    assert claims == 2  # the claim's, and the subscriber's
    return own


def public(key: Any) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def check_topics(fleet: list[Device], watch: Watch, own: dict[str, str]) -> None:
    """That each published on its own, was sent its own, and was hung up on for either of its neighbour's."""
    for event in watch.published:
        name = event.reason.split("/")[1]
        assert event.client_id == name and event.certificate_id == own[name]
    assert {event.client_id for event in watch.published} == set(own)
    tried: dict[str, list[str]] = {name: [] for name in own}
    for client_id, detail in watch.forbidden:
        tried[client_id].append(detail)
    for index, device in enumerate(fleet):
        name, neighbour = name_of(index), name_of(index + 1)
        publish, subscribe = tried[name]
        assert publish == f"iot:Publish on topic/telemetry/{neighbour} is not allowed"
        assert subscribe == f"iot:Subscribe on topicfilter/cmd/{neighbour} is not allowed"
        assert seen(device, "app: sent ") == seen(device, f"app: sent cmd/{name}$") == 2
