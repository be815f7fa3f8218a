"""The board tests' observer (tests/board/chip), on a simulated chip: it knows the library's insides."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.house import START_S, House, status

CHIP = Path(__file__).parents[1] / "board/chip"
START = "from trial import Trial\nTrial().run()\n"


@pytest.mark.micropython  # CPython's event loop takes no generators for tasks
async def test_the_firmware_under_observation(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    await device.power_off()
    for name in ("holds", "trial"):
        (device.files / f"lib/{name}.py").write_bytes((CHIP / f"{name}.py").read_bytes())
    with (device.files / "boot.py").open("a") as file:
        file.write(START)
    await device.power_on()

    async def answer(name: str) -> Any:
        return json.loads((await device.expect(rf"^trial: {name} (.*)$", 2 * START_S))[1])

    started = await answer("started")
    assert started["start"]["puback_ms"] >= started["start"]["connected_ms"] > 0
    assert {"iot.system", "iot.wifi.station", "iot.mqtt.client"} <= set(started["imports_ms"])
    topic = f"cmd/{(await status(device))['thing']}"
    async with house.subscriber(lambda topic, payload: None) as phone:
        phone.publish(topic, b"rates 50")
        rates = await answer("rates")
        assert rates["QoS 0"] > 0 and rates["QoS 1"] > 0
        phone.publish(topic, b"wifi 0")
        await device.expect(r" I cloud: connected", START_S)
        phone.publish(topic, b"held 0")
        held = await answer("held")
        assert {"TLS handshake", "MQTT reader", "MQTT writer", "application"} <= set(held)
        phone.publish(topic, b"writes 1000")
        await device.expect(r" I system: restarting: writes are pending", START_S)
