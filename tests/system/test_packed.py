"""A device as a deployment leaves it: all modules in one file, which an update replaces as a whole."""

import binascii

from tests.system.house import House, changes, status
from tools.sim import Device
from tools.sim.packed import deployed


async def test_a_packed_device_gets_to_telemetry(house: House) -> None:
    device = house.device(packed=True)
    await house.telemetry(device)
    assert not (device.files / "lib").exists() and not (device.files / "firmware").exists()


async def test_what_a_slot_has_is_what_starts(house: House) -> None:
    device = house.device(packed=True)
    put_in_slot(device, "a", "9.8.7-slot")
    await house.normal(device)
    assert (await status(device))["version"] == "9.8.7-slot"


async def test_a_slot_that_is_damaged_is_passed_over(house: House) -> None:
    device = house.device(packed=True, VERSION="1.2.3-factory")
    put_in_slot(device, "a", "9.8.7-slot")
    pack = device.files / "a/firmware.pack"
    pack.write_bytes(pack.read_bytes()[:-1])
    await house.normal(device)
    assert (await status(device))["version"] == "1.2.3-factory"
    assert "pack: slot 1 is not whole" in device.lines


def put_in_slot(device: Device, slot: str, version: str) -> None:
    """As an update that was kept: the slot is sealed (iot.ota.slots), and its number is what counts."""
    pack = deployed(changes(VERSION=version))["/firmware.pack"]
    manifest = f"iot-update 1\nversion {version}\nsize {len(pack)}\n".encode()
    folder = device.files / slot
    folder.mkdir()
    (folder / "firmware.pack").write_bytes(pack)
    (folder / "manifest").write_bytes(manifest + b"crc %08x\n" % binascii.crc32(manifest))
    nvs = device.folder / "nvs/iot"
    nvs.mkdir(parents=True, exist_ok=True)
    (nvs / "boot0").write_bytes(b"\0" + (0x400 | "ab".index(slot) + 1).to_bytes(4, "little"))
