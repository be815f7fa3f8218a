"""The simulated device with Azure's stand-in: the whole life, tokens that end, refusals in words."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clouds.azure_device import NAME, Home, home, secrets_in
from tests.patience import until
from tests.signers import Signer, root_of
from tests.system.house import START_S, seen, status
from tools.sim.device import ROOT

APP = """
    import asyncio

    async def hear(thing, inbox):
        async for topic, payload in inbox:
            properties = inbox.properties(topic)
            thing.log.info("app", "heard {} {} {}", payload, properties["colour"], properties["$.mid"])

    async def slow(payload):
        await asyncio.sleep(3600)

    async def main(thing):
        thing.shadow.on("led", lambda value: thing.log.info("app", "led {}", value))
        thing.shadow.on("fan.speed", lambda value: thing.log.info("app", "fan {}", value))
        thing.commands.on("beep", lambda payload: {"beeped": payload.get("times", 1)})
        thing.commands.on("slow", slow, timeout_s=1)
        thing.jobs.on("blink", lambda job: {"times": job.document["times"]})
        thing.run(hear(thing, thing.inbox()))
        number = 0
        while True:
            receipt = thing.telemetry({"number": number})
            if await receipt.wait():
                thing.log.info("app", "telemetry {} acknowledged", number)
            number += 1
            await asyncio.sleep(1)
"""


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM_SPEED", "5")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Home]:
    async with home(tmp_path, time.time()) as found:
        yield found


async def test_a_life_from_the_group_s_key_to_an_update(here: Home) -> None:
    hub, group, signer = here.azure.hub, here.azure.dps.enrol_group("house"), Signer()
    root = {"firmware/update_root.py": f'ROOT = """\\\n{root_of("esp32-iot", [signer], 1)}"""\n'}
    device = await here.start(APP, root, id_scope=here.azure.dps.id_scope, group_key=group.keys[0])
    await device.expect(f'this is device "{NAME}" of hub.example.net', START_S)
    await device.expect(r"telemetry \d+ acknowledged", START_S)
    taken = hub.telemetry[0]
    assert taken.properties == {"$.ct": "application/json", "$.ce": "utf-8"} and b"number" in taken.payload

    hub.patch_desired(NAME, {"led": 1, "fan": {"speed": 3}})
    await until(lambda: hub.reported(NAME) == {"led": 1, "fan": {"speed": 3}}, "what is desired is reported")
    assert await hub.invoke(NAME, "beep", {"times": 2}) == (200, {"beeped": 2})
    assert await hub.invoke(NAME, "beep") == (200, {"beeped": 1})
    assert (await hub.invoke(NAME, "slow"))[0] == 504
    status, body = await hub.invoke(NAME, "cough", 7)
    assert status == 400 and "no JSON object" in body["reason"]
    status, body = await hub.invoke(NAME, "cough", {})
    assert status == 400 and "unknown command cough; known: beep, slow" in body["reason"]
    hub.send(NAME, b"pear", {"colour": "d\u00fcnn & gr\u00fcn"}, message_id="m1")
    await device.expect("heard b'pear' dünn & grün m1", START_S)
    await until(lambda: not hub.waiting(NAME))

    hub.patch_desired(NAME, {"job": {"id": "1", "document": {"action": "blink", "times": 3}}})
    await until(lambda: hub.reported(NAME).get("job", {}).get("status") == "SUCCEEDED")
    assert hub.reported(NAME)["job"] == {"id": "1", "status": "SUCCEEDED", "details": {"times": "3"}}

    document = here.update(APP, "2.0", signer, root)
    hub.patch_desired(NAME, {"job": {"id": "2", "document": {"times": None, **document}}})
    await device.expect("I update: version 2.0 counts from now on", 2 * START_S)
    await until(lambda: hub.reported(NAME)["job"].get("status") == "SUCCEEDED")
    assert hub.reported(NAME)["job"] == {"id": "2", "status": "SUCCEEDED", "details": {}}
    assert (await status(device))["version"] == "2.0"
    assert seen(device, "jobs: 1: SUCCEEDED") == 1, "what is done is not done again"
    assert not secrets_in(device, *group.keys)


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
    """By the device's clock it has the next one in time; by another's the hub hangs up."""
    path = "lib/iot/azure/tokens.py"
    source = (ROOT / path).read_text()
    assert source.count("LIFE_S = 3600") == 1
    short = {path: source.replace("LIFE_S = 3600", "LIFE_S = 8")}
    device = await here.connected(SENDS, short)

    def numbers() -> list[int]:
        return [json.loads(taken.payload)["number"] for taken in here.azure.hub.telemetry]

    await device.expect("all sent", 2 * START_S)
    await until(lambda: len(set(numbers())) == 500, "each message")
    assert numbers() == list(range(500)), "none twice"
    assert seen(device, "cloud: the login is renewed") >= 2
    assert not seen(device, "refused by the broker")
