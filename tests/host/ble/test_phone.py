"""A simulated phone sets a simulated device up: two processes, bumble in between, nothing made up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from documents import claim

from tools.ble.phone import set_up
from tools.sim import Device, World

NAME = "esp32-240ac4000001"
WRONG = "0000-0000-0000"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World({"Home": "correct horse", "Open": ""}) as world:
        yield world


@pytest.fixture
async def device(tmp_path: Path, world: World) -> AsyncIterator[Device]:
    device = Device(tmp_path / "device", world, "24:0a:c4:00:00:01")
    device.install()
    yield device
    await device.power_off()


async def started(device: Device) -> str:
    """Power it on; returns its code."""
    await device.power_on()
    return (await device.expect(r"I ble: code (\S+)"))[1]


@pytest.mark.parametrize("mtu", [23, 247])
async def test_it_is_set_up(device: Device, world: World, mtu: int) -> None:
    code = await started(device)
    steps: list[str] = []
    report = await set_up(world, NAME, code, claim(), mtu, lambda what, done, total: steps.append(what))
    assert list(dict.fromkeys(steps)) == [
        "connecting",
        "scanning",
        "sending",
        "checking",
        "joining Home",
        "storing",
        "restarting",
    ]
    assert {network["ssid"] for network in report.networks} == {"Home", "Open"}
    assert report.connections == 1 and report.sent > 0 and report.received > 0
    await device.expect("I system: restarting: new configuration")
