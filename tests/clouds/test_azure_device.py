"""The simulated device with Azure's stand-in: the whole life, tokens that end, refusals in words."""

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firmware.settings import WINDOW
from tests.clouds.azure_certificates import certified
from tests.clouds.azure_device import NAME, Home, home, secrets_in
from tests.patience import until
from tests.signers import Signer, root_of
from tests.system.house import START_S, seen, status
from tools.clouds.azure.sas import new_key
from tools.sim.device import ROOT

TOKENS = "lib/iot/azure/tokens.py"

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
    code, body = await hub.invoke(NAME, "cough", 7)
    assert code == 400 and "no JSON object" in body["reason"]
    code, body = await hub.invoke(NAME, "cough", {})
    assert code == 400 and "unknown command cough; known: beep, slow" in body["reason"]
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
    """By the device's clock it has the next one in time; where the cloud's is ahead, that hangs up."""
    source = (ROOT / TOKENS).read_text()
    assert source.count("LIFE_S = 3600") == 1
    device = await here.connected(SENDS, {TOKENS: source.replace("LIFE_S = 3600", "LIFE_S = 8")})

    def numbers() -> list[int]:
        return [json.loads(taken.payload)["number"] for taken in here.azure.hub.telemetry]

    await until(lambda: seen(device, "cloud: the login is renewed"), "a token in time")
    before = len(numbers())
    await until(lambda: len(numbers()) > before + 20, "what comes by the next one")
    so_far = numbers()
    assert so_far == list(range(len(so_far))), "none lost, none twice"
    here.clock.ahead_s = 100
    await device.expect("cloud: disconnected: refused by the broker", START_S)
    here.clock.ahead_s = 0
    await device.expect("all sent", 2 * START_S)
    await until(lambda: len(set(numbers())) == 500, "each message")
    assert len(numbers()) <= 500 + WINDOW, "but for what was on its way, none twice"


LISTENS = """
    async def main(thing):
        for what in (
            lambda: thing.publish("mine", b""),
            lambda: thing.publish("devices/other/messages/devicebound/", b""),
            lambda: thing.telemetry({}, qos=2),
            lambda: thing.publish("devices/" + thing.name + "/messages/events/a=b", b"", retain=True),
            lambda: thing.subscribe("mine/#"),
            lambda: thing.shadow("other"),
            lambda: thing.shadow.desire({}),
        ):
            try:
                what()
            except ValueError as error:
                thing.log.info("app", "told: {}", error)
        receipt = thing.publish("devices/" + thing.name + "/messages/events/alert=high%20heat", b"1", qos=1)
        await receipt.wait()
        thing.log.info("app", "acknowledged")
"""


async def test_what_a_hub_does_not_have_is_refused_by_name_and_who_may_not_in_is_told_why(here: Home) -> None:
    hub, told = (
        here.azure.hub,
        "Azure IoT Hub refuses esp32-240ac4000001: its id, key or password, or this clock",
    )
    key, here.world.ntp.offset_s = hub.create_device(NAME).keys[0], -2 * 3600.0
    device = await here.start(LISTENS, shared_access_key=key)
    clock = await device.expect(f"{told}, (.*)Z$", START_S)
    late = datetime.now(UTC) - datetime.fromisoformat(clock[1] + "+00:00")
    assert timedelta(hours=1) < late < timedelta(hours=3)
    here.clock.ahead_s = -2 * 3600
    await device.expect("app: acknowledged", START_S)
    assert hub.telemetry[0].properties == {"alert": "high heat"} and hub.telemetry[0].payload == b"1"
    assert [line.partition("told: ")[2] for line in device.lines if "app: told: " in line] == [
        "Azure IoT Hub: no topic of your own; use thing.telemetry",
        "Azure IoT Hub: no message from device to device; use thing.telemetry",
        "Azure IoT Hub: no QoS 2; 0 or 1",
        "Azure IoT Hub: no message is retained",
        "Azure IoT Hub: no topic of your own; use thing.commands, thing.shadow or thing.inbox",
        "Azure IoT Hub: no named shadows; use thing.shadow",
        "Azure IoT Hub: a device cannot desire; use thing.shadow.report",
    ]
    before = seen(device, told)
    hub.assign(NAME, (new_key(), new_key()), "")
    if client := here.azure.front.client(NAME):
        client.end("test", "it has to come again")
    await until(lambda: seen(device, told) > before, "another key")
    before = seen(device, told)
    hub.delete_device(NAME)
    await until(lambda: seen(device, told) > before, "another name")
    assert not secrets_in(device, key)


async def test_provisioning_is_refused_in_words_and_goes_on(here: Home) -> None:
    dps, key = here.azure.dps, new_key()
    device = await here.start(LISTENS, id_scope="0neOther", group_key=key)
    await device.expect(
        "refused by the broker: not authorized; is 0neOther the id scope, and the time?", START_S
    )
    dps.id_scope, dps.throttled = "0neOther", 1
    await device.expect(r"DPS: 429 too many requests \(429000\); will start over", START_S)
    await device.expect(
        r"DPS: 401 Unauthorized \(401000\); is esp32-240ac4000001 enrolled in 0neOther, by this key", START_S
    )
    dps.enrol_group("house", key).enabled = False
    await device.expect(
        "DPS: esp32-240ac4000001 is disabled: its enrolment says so; will start over", START_S
    )
    dps.remove("house")
    dps.enrol_group("house", key)
    await device.expect("app: acknowledged", 2 * START_S)
    here.azure.hub.delete_device(NAME)
    await device.expect("provisioning: connecting", 2 * START_S)
    await device.expect("app: acknowledged", 2 * START_S)
    assert not secrets_in(device, key)


@pytest.mark.parametrize("way", ["hub", "an enrolment", "a group's CA", "an enrolment's key"])
async def test_certificates_and_a_key_of_its_own_get_in_and_the_example_runs(
    here: Home, way: str, tmp_path: Path
) -> None:
    azure, name = here.azure, NAME
    section: dict[str, Any] = {"id_scope": azure.dps.id_scope}
    ca = certified(tmp_path, "house", ca=True)
    own = certified(tmp_path, NAME, ca if "CA" in way else None)
    if way == "hub":
        section = {}
        azure.hub.create_device(NAME, certificate_pem=own.pem)
    elif "CA" in way:
        azure.dps.enrol_group("house", ca_pem=ca.pem)
    else:
        name = "kitchen"
        by = {} if "key" in way else {"certificate_pem": own.pem}
        enrolment = azure.dps.enrol(NAME, device_id=name, **by)
    section |= {"shared_access_key": enrolment.keys[0]} if "key" in way else {"own": own}
    device = await here.start(None, **section)
    await device.expect(
        "W app: Azure IoT Hub: no topic of your own; use thing.commands, thing.shadow", START_S
    )
    await device.expect(r"app: telemetry \d+ acknowledged", START_S)
    taken = azure.hub.telemetry[0]
    assert taken.device_id == name == (await status(device))["thing"]
    assert {"count", "starts", "temperature"} <= json.loads(taken.payload).keys()
    azure.hub.patch_desired(name, {"led": 0, "job": {"id": "1", "document": {"action": "blink", "times": 1}}})
    await until(lambda: azure.hub.reported(name).get("job", {}).get("status") == "SUCCEEDED")
    assert azure.hub.reported(name)["led"] == 0
    assert await azure.hub.invoke(name, "led", {"on": True}) == (200, {})
