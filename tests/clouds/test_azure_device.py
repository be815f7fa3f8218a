"""The simulated device with Azure's stand-in: the whole life, tokens that end, refusals in words."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clouds.azure_device import NAME, Home, home, secrets_in
from tests.patience import until
from tests.system.house import START_S, seen

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


async def test_a_life_from_the_group_s_key_to_jobs(here: Home) -> None:
    hub, group = here.azure.hub, here.azure.dps.enrol_group("house")
    device = await here.start(APP, id_scope=here.azure.dps.id_scope, group_key=group.keys[0])
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
    assert not secrets_in(device, *group.keys)
