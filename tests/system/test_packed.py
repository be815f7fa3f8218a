"""A device as a deployment leaves it: all modules in one file, which an update replaces as a whole."""

from tests.system.house import House, changes, put_in_slot, status
from tools.sim.packed import deployed


def pack_of(version: str) -> bytes:
    return deployed(changes(VERSION=version))["/firmware.pack"]


async def test_a_packed_device_gets_to_telemetry(house: House) -> None:
    device = house.device(packed=True)
    await house.telemetry(device)
    assert not (device.files / "lib").exists() and not (device.files / "firmware").exists()


async def test_what_a_slot_has_is_what_starts(house: House) -> None:
    device = house.device(packed=True)
    put_in_slot(device, "a", "9.8.7-slot", pack_of("9.8.7-slot"))
    await house.normal(device)
    assert (await status(device))["version"] == "9.8.7-slot"


async def test_a_slot_that_is_damaged_is_passed_over(house: House) -> None:
    device = house.device(packed=True, VERSION="1.2.3-factory")
    put_in_slot(device, "a", "9.8.7-slot", pack_of("9.8.7-slot"))
    pack = device.files / "a/firmware.pack"
    pack.write_bytes(pack.read_bytes()[:-1])
    await house.normal(device)
    assert (await status(device))["version"] == "1.2.3-factory"
    assert "pack: slot 1 is not whole" in device.lines
