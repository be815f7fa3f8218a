"""A simulated phone sets a simulated device up: two programs, bumble in between, nothing made up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from documents import claim

from tests.host.ble.memory import large
from tools.ble import BleError, Client, LinkLost
from tools.ble.over_bumble import OverBumble
from tools.ble.phone import set_up
from tools.sim import Device, World

MAC = "24:0a:c4:00:00:01"
BLE_ADDRESS = "24:0a:c4:00:00:03"  # two more, as on every ESP32
NAME = "esp32-240ac4000001"
WRONG = "0000-0000-0000"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World({"Home": "correct horse", "Open": ""}) as world:
        yield world


@pytest.fixture
async def device(tmp_path: Path, world: World) -> AsyncIterator[Device]:
    device = Device(tmp_path / "device", world, MAC)
    device.install()
    yield device
    await device.power_off()


async def started(device: Device) -> str:
    """Power it on; returns its code."""
    await device.power_on()
    return (await device.expect(r"I ble: code (\S+)"))[1]


async def failure(world: World, code: str, name: str = NAME) -> BleError:
    with pytest.raises(BleError) as caught:
        await set_up(world, name, code, claim())
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("mtu", [23, 247])
async def test_it_is_set_up(device: Device, world: World, mtu: int) -> None:
    code = await started(device)
    steps: list[str] = []
    report = await set_up(world, NAME, code, large(), mtu, lambda what, done, total: steps.append(what))
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
    assert report.connections == 1 and report.received > 0
    assert report.sent > 6000 / (mtu - 4)
    await device.expect("mode NORMAL")


async def test_nothing_readable_is_on_the_air(device: Device, world: World) -> None:
    code = await started(device)
    await set_up(world, NAME, code, claim())
    air = b"".join(packet.data for packet in world.air_ble.captured)
    assert NAME.encode() in air  # what AUTH tells: so the capture works
    for secret in (code, code.replace("-", ""), "correct horse", "Home", "BEGIN", "broker.example.com"):
        assert secret.encode() not in air


async def test_the_link_is_lost_half_way(device: Device, world: World) -> None:
    code = await started(device)
    places: list[int] = []

    def progress(what: str, done: int, total: int) -> None:
        if what == "sending":
            places.append(done)
            if places == [0, 1024, 2048, 3072]:
                world.air_ble.break_links()

    report = await set_up(world, NAME, code, large(), progress=progress)
    assert report.connections == 2
    assert places[4] >= 3072, "it did not go on where it stopped"
    await device.expect("restarting: new configuration")


async def test_the_phone_goes_silent(device: Device, world: World) -> None:
    code = await started(device)
    phone = await world.phone()
    async with Client(OverBumble(phone.device, NAME), code) as client:
        client._talk._answer_s = 0.2  # only now: until here everything has to come
        world.air_ble.silent = True
        with pytest.raises(LinkLost):
            await client.refresh()
    world.air_ble.silent = False


async def test_wrong_codes(device: Device, world: World) -> None:
    code = await started(device)
    names = [(await failure(world, WRONG)).name for _ in range(3)]
    assert names == ["ACCESS_DENIED"] * 2 + ["LOCKED"]
    await device.expect("wrong codes: closed for 2 s")
    await set_up(world, NAME, code, claim())


async def test_no_device_of_that_name(device: Device, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.ble.over_bumble._SCAN_S", 0.5)
    code = await started(device)
    error = await failure(world, code, "esp32-nobody")
    assert error.text == "esp32-nobody: no device of that name is heard"


async def test_two_phones_one_after_the_other(device: Device, world: World) -> None:
    code = await started(device)
    first, second = await world.phone(), await world.phone(23)
    async with Client(OverBumble(first.device, NAME), code) as client:
        assert (await client.refresh())["mode"] == "CONFIG"
        waiting = asyncio.create_task(Client(OverBumble(second.device, NAME, 23), code).__aenter__())
        await client.scan()
        assert not waiting.done()  # it does not advertise while a phone is connected
    other = await waiting
    assert (await other.refresh())["id"] == NAME
    await other.__aexit__()


async def test_by_its_address(device: Device, world: World) -> None:
    code = await started(device)
    phone = await world.phone()
    async with Client(OverBumble(phone.device, BLE_ADDRESS), code) as client:
        assert client.about["protocol"] == 1 and client.about["id"] == NAME
        with pytest.raises(BleError, match="takes no packets called 'nobody'"):
            await client.send("nobody")
