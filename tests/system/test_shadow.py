"""A device's shadows, classic and named, over a cloud that is there, is not, or misbehaves."""

import json
from typing import Any

import pytest

from tests.patience import until
from tests.system.house import START_S, House, status
from tools.cloud.misbehaviour import Misbehaviour
from tools.sim import Device

NAME = "esp32-240ac4000001"
APP = """
    import asyncio

    async def slow(value):
        await asyncio.sleep(1)
        return value

    def fails(value):
        raise ValueError("pear")

    async def main(thing):
        thing.shadow.on("led", lambda value: thing.log.info("app", "led {}", value))
        thing.shadow.on("slow", slow)
        thing.shadow.on("fails", fails)
        thing.shadow("second").on("fan.speed", lambda value: thing.log.info("app", "fan {}", value))
        thing.shadow.report({"started": {"by": "test", "list": [1, 2, 3]}})
        async for _, payload in thing.subscribe("cmd/" + thing.name):
            raise RuntimeError("told to fail")
"""


def state(house: House, name: str | None = None) -> dict[str, Any]:
    """What the cloud has; nothing where there is no shadow."""
    try:
        answer = house.cloud.shadows.get_thing_shadow(thingName=NAME, shadowName=name)
    except Exception as error:
        if "No shadow exists" not in str(error):
            raise
        return {}
    return dict(json.loads(answer["payload"])["state"])


def reported(house: House, name: str | None = None) -> dict[str, Any]:
    return dict(state(house, name).get("reported", {}))


def desire(house: House, desired: dict[str, Any], name: str | None = None) -> None:
    payload = json.dumps({"state": {"desired": desired}}).encode()
    house.cloud.shadows.update_thing_shadow(thingName=NAME, payload=payload, shadowName=name)


async def connected(house: House, app: str = APP) -> Device:
    device = house.device(app)
    await house.normal(device)
    await device.expect(r"cloud: connected", START_S)
    return device


async def test_a_device_follows_its_shadows(house: House) -> None:
    desire(house, {"led": 1, "unknown": 7})
    device = await connected(house)
    await until(lambda: reported(house).get("led") == 1, "what was desired before its first start")
    await until(lambda: "started" in reported(house))
    desire(house, {"fan": {"speed": 3}}, "second")
    desire(house, {"led": 2, "slow": [1], "fails": 1})
    await until(lambda: reported(house, "second") == {"fan": {"speed": 3}})
    await until(lambda: reported(house).get("slow") == [1] and reported(house).get("led") == 2)
    await device.expect(r"handler of fails: ValueError: pear", START_S)
    assert reported(house) == {"led": 2, "slow": [1], "started": {"by": "test", "list": [1, 2, 3]}}
    assert (await status(device))["dropped"] == 0


async def test_what_was_missed_is_done_after_a_reconnection(house: House) -> None:
    device = await connected(house)
    desire(house, {"led": 1})
    await until(lambda: reported(house).get("led") == 1)
    house.cloud.shadows.delete_thing_shadow(thingName=NAME)
    house.cloud.connections.delete_connection(clientId=NAME, cleanSession=True)
    desire(house, {"led": 5})
    await device.expect(r"app: led 5", START_S)
    await until(lambda: reported(house).get("led") == 5)


async def test_an_application_that_fails_hears_it_again(house: House) -> None:
    device = await connected(house)
    desire(house, {"led": 1})
    await until(lambda: reported(house).get("led") == 1)
    async with house.subscriber(lambda *_: None) as subscriber:
        subscriber.publish(f"cmd/{NAME}", b"fail")
        await device.expect(r"RuntimeError: told to fail", START_S)
    desire(house, {"led": 2})
    await until(lambda: reported(house).get("led") == 2)
    desire(house, {"led": 3})
    await until(lambda: reported(house).get("led") == 3)


@pytest.mark.parametrize("kind", ["late", "twice", "never", "out-of-order", "refusing", "throttling"])
async def test_a_cloud_that_misbehaves(house: House, kind: str) -> None:
    seconds = {"seconds": 0.2} if kind in ("late", "out-of-order") else {"times": 3}
    house.cloud.gate.rules.append(Misbehaviour(kind, "shadows", **seconds))
    await connected(house)
    for value in range(3):
        desire(house, {"led": value})
    await until(lambda: reported(house).get("led") == 2 and "started" in reported(house))


async def test_a_storm_ends_with_the_newest_value(house: House) -> None:
    device = await connected(house)
    before = await status(device)
    for value in range(1000):
        desire(house, {"led": value})
    await until(lambda: reported(house).get("led") == 999)
    after = await status(device)
    assert after["starved"] == 0 and after["cloud"] is True
    assert after["heap_used"] < before["heap_used"] + 8192


async def test_a_shadow_of_8_kilobytes(house: House) -> None:
    big = {f"key{number:02}": "x" * 180 for number in range(20)}
    desire(house, big)
    payload = json.dumps({"state": {"reported": big}}).encode()
    house.cloud.shadows.update_thing_shadow(thingName=NAME, payload=payload)
    desire(house, {"led": 1})
    device = await connected(house)
    await until(lambda: reported(house).get("led") == 1)
    desire(house, {name: "y" * 180 for name in big})
    await device.expect(r"shadow/update/delta: a message too large", START_S)
    assert (await status(device))["starved"] == 0
