"""A simulated device at home: a core that dies and comes back, another CA, a house without internet."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.clouds.greengrass import Home, thing
from tests.patience import until
from tests.system.conftest import SPEED
from tests.system.house import START_S, WIFI, Site, seen
from tests.system.impostor import impostor
from tools import umqtt
from tools.cloud import Cloud
from tools.cloud.ca import Authority
from tools.cloud.certificates import Key
from tools.clouds.greengrass import SERVICES_DOWN, SERVICES_UP, template_body
from tools.sim import Device, World

NAME = "lamp"
REGION = "iot.eu-central-1.amazonaws.com"
ENDPOINT, DISCOVERY = f"local-ats.{REGION}", f"greengrass-ats.{REGION}"
AT_HOME = "core.home"
ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
AT_CORE, AT_AWS = r"greengrass: core at ", r"greengrass: no core: AWS IoT Core in its place"
UP = r"cloud: connected"
NOT_TRUSTED = r"greengrass: core.home: TLS: .*not correctly signed by the trusted CA"


class House(Site):
    """Cloud, discovery and world of one thing, whose device has its certificate already."""

    cloud: Cloud
    home: Home

    def lamp(self) -> Device:
        """The device, with its configuration baked in: it goes to its cloud at once."""
        certificate, key = thing(self.cloud, NAME)
        aws = {
            "endpoint": ENDPOINT,
            "root_ca": self.cloud.root_ca,
            "thing_name": NAME,
            "certificate": certificate,
            "key": key,
            "greengrass": True,
        }
        return self.device(CONFIG={"wifi": [WIFI], "aws": aws})

    def lead(self, **hosts: int) -> None:
        """Where names lead to, from now on."""
        self.world.hosts.update({name: ("127.0.0.1", port) for name, port in hosts.items()})

    def cut_off(self) -> None:
        """No internet any more: no name is known, and no time server answers."""
        self.world.unknown_names.update((ENDPOINT, DISCOVERY))
        self.world.ntp.mode = "silent"


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("SIM_SPEED", SPEED)
    umqtt.freeze()
    hosts = ("localhost", ENDPOINT, DISCOVERY)
    async with (
        Cloud(tmp_path / "cloud", hosts=hosts) as cloud,
        Home(tmp_path, cloud, hosts) as home,
        World({WIFI["ssid"]: WIFI["password"]}) as world,
    ):
        it = House(tmp_path, cloud, world, os.environ.get("MICROPYTHON"))
        it.home = home
        it.lead(**{ENDPOINT: cloud.port, DISCOVERY: home.discovery.port})
        try:
            yield it
        finally:
            for device in it.devices:
                await device.power_off()


async def connected(device: Device, way: str) -> None:
    """It has gone that way, and a message was acknowledged there."""
    for line in (way, UP, ACKNOWLEDGED):
        await device.expect(line, START_S)


async def test_a_claim_leads_home_where_all_comes_that_is_bridged(house: House) -> None:
    registry = house.cloud.registry
    registry.create_provisioning_template(
        templateName="Home",
        templateBody=template_body(registry.arn),
        provisioningRoleArn="arn:aws:iam::123456789012:role/provisioning",
        enabled=True,
    )
    document = house.cloud.device_configuration([WIFI], ENDPOINT, "Home")
    name = "esp32-240ac4000001"
    up, down = ("telemetry/#", *SERVICES_UP), ("cmd/#", *SERVICES_DOWN)
    core = await house.home.core(name, up=up, down=down)
    house.cloud.shadows.update_thing_shadow(thingName=name, payload=b'{"state": {"desired": {"led": 1}}}')
    heard: list[tuple[str, bytes]] = []
    async with house.subscriber(lambda *message: heard.append(message), "telemetry/#") as operator:
        device = house.device(CONFIG={**document, "aws": {**document["aws"], "greengrass": True}})
        await device.power_on()
        await device.expect(rf'provisioning: this is thing "{name}"', START_S)
        await connected(device, AT_CORE)
        assert core.connected(name)
        operator.publish(f"cmd/{name}", b'{"led": true}')
        await until(lambda: (f"telemetry/{name}/answer", b'{"led": 1}') in heard, "the answer by the bridge")
        target = registry.arn(f"thing/{name}")
        blink = '{"action": "blink", "times": 1}'
        house.cloud.jobs.create_job(jobId="b", targets=[target], document=blink)

        def job() -> str:
            found = house.cloud.jobs.executions.describe_job_execution(jobId="b", thingName=name)
            return str(found["execution"]["status"])

        await until(lambda: job() == "SUCCEEDED", "the job by the bridge")
    shadow = json.loads(house.cloud.shadows.get_thing_shadow(thingName=name)["payload"])["state"]
    assert shadow["reported"] == {"led": 1} and core.connected(name)


async def test_a_core_that_dies_is_replaced_by_aws_until_it_is_back(house: House) -> None:
    core = await house.home.core(NAME, host=AT_HOME, ca="home")
    house.lead(**{AT_HOME: core.port})
    heard: list[tuple[str, bytes]] = []
    async with house.subscriber(lambda *message: heard.append(message), "telemetry/#"):
        device = house.lamp()
        await device.power_on()
        await device.expect(r"greengrass: discovery: 1 addresses", START_S)
        await connected(device, AT_CORE)
        assert core.connected(NAME)
        await until(lambda: heard, "what the bridge brings")
        await house.home.switch_off(core)
        await connected(device, AT_AWS)
        core = await house.home.switch_on(core, "home")
        house.lead(**{AT_HOME: core.port})
        await connected(device, AT_CORE)
        assert core.connected(NAME)
    assert seen(device, r"died|Traceback") == 0, "what no core answers breaks nothing"


async def test_a_core_of_another_ca_is_believed_once_discovery_says_so(house: House) -> None:
    core = await house.home.core(NAME, host=AT_HOME)
    house.lead(**{AT_HOME: core.port})
    device = house.lamp()
    await device.power_on()
    await connected(device, AT_CORE)
    await house.home.switch_off(core)
    core = await house.home.switch_on(core, "another CA")
    house.lead(**{AT_HOME: core.port})
    for line in (NOT_TRUSTED, r"greengrass: discovery: 1 addresses"):
        await device.expect(line, START_S)
    await connected(device, AT_CORE)
    assert core.connected(NAME)
    async with impostor(house.folder, AT_HOME) as stranger:
        house.lead(**{AT_HOME: stranger.port})
        await house.home.switch_off(core)
        for line in (NOT_TRUSTED, r"greengrass: discovery: 1 addresses"):  # the same ones
            await device.expect(line, START_S)
        await connected(device, AT_AWS)
        assert not any(stranger.heard), "who is not trusted learns nothing"


async def test_without_the_internet_the_house_goes_on_over_a_restart(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new_key(authority: Authority) -> Key:
        """As a real core: its CA may be P-256, its broker's key is RSA all the same."""
        is_ca = not (house.folder / "mixed/ca.pem").exists()
        return ec.generate_private_key(ec.SECP256R1()) if is_ca else rsa.generate_private_key(65537, 2048)

    monkeypatch.setattr(Authority, "_new_key", new_key)
    core = await house.home.core(NAME, ca="mixed")
    monkeypatch.undo()
    monkeypatch.setenv("SIM_SPEED", SPEED)
    device = house.lamp()
    await device.power_on()
    await connected(device, AT_CORE)
    house.cut_off()
    asked = house.home.discovery.asked
    await device.power_off()
    await device.power_on()
    await connected(device, AT_CORE)
    assert core.connected(NAME) and house.home.discovery.asked == asked


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"GGGroups": [' + b" " * 7000 + b"]}", "an answer of over 6144 bytes"),
        (b"<html>busy</html>", "not JSON"),
        (b'{"GGGroups": 5}', "no answer of discovery"),
    ],
    ids=["too large", "no JSON", "no answer"],
)
async def test_nonsense_from_discovery_leads_to_aws(house: House, body: bytes, reason: str) -> None:
    await house.home.core(NAME)
    house.home.discovery.body = body
    device = house.lamp()
    await device.power_on()
    await device.expect(rf"W greengrass: discovery: {reason}", START_S)
    await connected(device, AT_AWS)
