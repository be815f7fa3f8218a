"""The simulated device with a ClearBlade, an Alibaba and a mosquitto: the example's whole life on each."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tests.clouds.sides import HOST, NAME, SIDES, BrokerSide, ClearBladeSide, Side
from tests.patience import until
from tests.signers import Signer, root_of
from tests.system.house import START_S, WIFI, Site, changes, seen, status
from tools import umqtt
from tools.bench import mosquitto
from tools.clouds.files import Files
from tools.release import job, signatures
from tools.release.manifest import APP, Manifest
from tools.sim import Device, World
from tools.sim.device import ROOT
from tools.sim.packed import deployed

FILES = "files.example.net"
FAR = datetime(2040, 1, 1, tzinfo=UTC)


class Home(Site):
    """A device's; `side` is its cloud, `files` any web server."""

    side: Side
    files: Files

    async def start(self, made: dict[str, str], **members: Any) -> Device:
        """A device of these texts that was configured; it has begun NORMAL."""
        device = self.device(packed=True)
        device.deploy(made)
        section = {**self.side.section(), **members}
        await self.normal(device, {"wifi": [WIFI], self.side.kind: section})
        return device

    async def let_in(self) -> None:
        for what, _ in self.side.refusals:
            await self.side.mend(what)

    def update(self, version: str, signer: Signer, others: dict[str, str]) -> dict[str, Any]:
        """The document of a job that brings this version of the product's, signed."""
        pack = deployed(changes(VERSION=version) | others)["/firmware.pack"]
        digest = hashlib.sha256(pack).hexdigest()
        manifest = Manifest("esp32-iot", APP, version, 0, FAR, "ESP32", (), len(pack), digest, "1.25.0", "6")
        url = self.files.put(version, pack)
        text = manifest.text()
        signed = signatures.read([signer.sign(text.decode())])
        return {**json.loads(job.document(text, signed, url)), "url": url}


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM_SPEED", "5")


@pytest.fixture
def kind() -> str:
    """The cloud's, unless a test's parameter of this name says otherwise."""
    return "clearblade"


@pytest.fixture
async def here(tmp_path: Path, kind: str) -> AsyncIterator[Home]:
    if kind == "mqtt" and mosquitto.find() is None:
        pytest.skip("mosquitto is not installed: on Debian and Ubuntu, apt install mosquitto")
    umqtt.freeze()
    side = SIDES[kind](tmp_path / "cloud")
    await side.start()
    try:
        async with (
            World({WIFI["ssid"]: WIFI["password"]}) as world,
            Files(side.folder, (FILES, "localhost")) as files,
        ):
            world.hosts[HOST] = ("127.0.0.1", side.port)
            world.hosts[FILES] = ("127.0.0.1", files._port)
            found = Home(tmp_path, cast(Any, side), world, os.environ.get("MICROPYTHON"))
            found.side, found.files = side, files
            try:
                yield found
            finally:
                for device in found.devices:
                    await device.power_off()
    finally:
        await side.stop()


@pytest.mark.parametrize("kind", SIDES)
async def test_the_example_s_life_from_refusals_in_words_to_an_update(here: Home) -> None:
    side, signer = here.side, Signer()
    root = {"firmware/update_root.py": f'ROOT = """\\\n{root_of("esp32-iot", [signer], 1)}"""\n'}
    device = await here.start(changes() | root)
    for what, said in side.refusals:
        await device.expect(f"cloud: disconnected: {said}", START_S)
        told = await device.expect(
            r"W cloud: \S.* refuses (\S+): its id, key or password, or this clock, (\d{4})", START_S
        )
        assert NAME in told[1] and int(told[2]) >= 2026
        await side.mend(what)
    await device.expect(r"cloud: connected", START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", START_S)
    await until(side.telemetry, "telemetry")
    assert {"count", "starts", "temperature"} <= side.telemetry()[0].keys()

    side.desire({"led": 1})
    await until(lambda: side.reported().get("led") == 1, "what is desired is reported")
    assert (await side.command("led", {"on": True}))["status"] == "SUCCEEDED"
    refused = await side.command("cough", {})
    assert refused["status"] == "REJECTED" and "unknown command cough; known: led" in refused["reason"]

    side.desire({"led": 1, "job": {"id": "1", "document": {"action": "blink", "times": 1}}})
    await until(lambda: side.reported().get("job", {}).get("status") == "SUCCEEDED", "a job")
    assert side.reported()["job"] == {
        "id": "1",
        "status": "SUCCEEDED",
        "details": {"percent": "100", "times": "1"},
    }
    assert side.reported()["led"] == 1, "what was reported before is gone"

    side.desire({"led": 0, "job": {"id": "2", "document": here.update("2.0", signer, root)}})
    await device.expect("I update: version 2.0 counts from now on", 2 * START_S)
    await until(lambda: side.reported().get("job", {}).get("status") == "SUCCEEDED", "an update")
    assert side.reported()["job"]["id"] == "2" and (await status(device))["version"] == "2.0"
    await until(lambda: side.reported().get("led") == 0, "the state of the next life")
    assert seen(device, "jobs: 1: SUCCEEDED") == 1, "what is done is not done again"
    assert not [line for line in device.lines if any(secret in line for secret in side.secrets)]


SENDS = """
    import asyncio

    async def main(thing):
        await thing.wait("cloud_up")
        for number in range(500):
            while not thing.telemetry({"number": number}):
                await asyncio.sleep_ms(20)
            await asyncio.sleep_ms(40)
        thing.log.info("app", "all sent")
"""


async def test_tokens_end_in_the_middle_of_500_messages(here: Home) -> None:
    """By the device's clock it has the next one in time; once the cloud's says otherwise, and hangs up."""
    side = cast(ClearBladeSide, here.side)
    await here.let_in()
    path = "lib/iot/sections/clearblade.py"
    source = (ROOT / path).read_text()
    assert source.count("60, _TOKEN_MAX_S") == 1
    short = {path: source.replace("60, _TOKEN_MAX_S", "1, _TOKEN_MAX_S")}
    device = await here.start(changes(SENDS) | short, token_s=8)

    def numbers() -> list[int]:
        return [one["number"] for one in side.telemetry()]

    await until(lambda: len(numbers()) > 50, "the first messages")
    side.ahead_s = 700.0
    await until(lambda: seen(device, "disconnected: closed by the broker"), "the cloud has hung up")
    side.ahead_s = 0.0
    await device.expect("all sent", 2 * START_S)
    await until(lambda: len(set(numbers())) == 500, "each message")
    assert numbers() == list(range(500)), "none twice"
    assert seen(device, "cloud: the login is renewed") >= 2


@pytest.mark.parametrize("kind", ["mqtt"])
async def test_any_broker_takes_a_certificate_and_says_the_last_will(here: Home) -> None:
    side = cast(BrokerSide, here.side)
    await here.let_in()
    certificate, key = side.broker.authority.issue()
    here.world.hosts[HOST] = ("127.0.0.1", side.broker.certificate_port)
    own = {"certificate": certificate, "key": key, "password": "", "user": "lamp"}
    device = await here.start(changes(), **own)
    await device.expect(r"app: telemetry \d+ acknowledged", START_S)
    await until(side.telemetry, "telemetry")
    await device.power_off()
    await until(lambda: side.heard(f"gone/{NAME}"), "the last will")
    assert side.heard(f"gone/{NAME}") == [b"lost"]
