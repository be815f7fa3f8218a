"""A device that lacks nothing but Wi-Fi gets it by Improv, on its console: from nothing to telemetry."""

import asyncio
import json

from tests import improv
from tests.patience import PATIENCE_S
from tests.system.house import START_S, WIFI, House
from tools.image.contents import PRODUCT
from tools.sim import Device


class Client:
    """The other end of the device's cable."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._output = bytearray()
        device.on_output = self._output.extend

    async def ask(self, packet: bytes, *last: tuple[int, bytes]) -> list[tuple[int, bytes]]:
        """Send it; the packets that come, up to one of `last`."""
        self._output.clear()
        await self._device.type(packet)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await asyncio.sleep(0.02)
                if self._output.endswith(b"\n"):
                    packets = list(improv.packets(bytes(self._output)))
                    if any(packet in last for packet in packets):
                        return packets


READY, PROVISIONED, NOT_JOINED = (improv.STATE, b"\2"), (improv.STATE, b"\4"), (improv.ERROR, b"\3")
NO_MORE = (improv.RESULT, b"\4\0")


def with_product(house: House) -> Device:
    device = house.device()
    document = house.configuration()
    del document["wifi"]
    device.add(PRODUCT, json.dumps(document))
    return device


async def test_from_the_product_to_telemetry(house: House) -> None:
    """Beside a phone that could come, too. What is not in order changes nothing."""
    device = with_product(house)
    await device.power_on()
    await device.expect("system: mode CONFIG", START_S)
    client = Client(device)
    assert await client.ask(improv.command(improv.GET_STATE), READY)
    networks = await client.ask(improv.command(improv.GET_NETWORKS), NO_MORE)
    assert improv.strings(networks[0][1]) == (improv.GET_NETWORKS, [WIFI["ssid"], "-55", "YES"])
    assert await client.ask(improv.settings(WIFI["ssid"], "wrong password"), NOT_JOINED)
    await device.expect('improv: network "Home": it does not accept the password')
    broken = bytearray(improv.settings(WIFI["ssid"], WIFI["password"]))
    broken[-2] ^= 1
    assert await client.ask(bytes(broken), (improv.ERROR, b"\1"))
    assert (await device.expect("^= error improv: "))[0]
    assert await client.ask(improv.settings(WIFI["ssid"], WIFI["password"]), PROVISIONED)
    await device.expect("system: mode NORMAL", START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)
    printed = "\n".join(device.lines)
    assert WIFI["password"] not in printed and "wrong password" not in printed


async def test_a_device_that_is_set_up_gets_another_network(house: House) -> None:
    """Its endpoint and certificates stay, and so does its name in the cloud."""
    device = house.device()
    await house.telemetry(device)
    house.world.access_points["Upstairs"] = "other horse"
    device.chip.held_low.add(0)
    await device.send("restart")
    await device.expect("system: mode CONFIG", START_S)
    device.chip.held_low.clear()
    assert await Client(device).ask(improv.settings("Upstairs", "other horse"), PROVISIONED)
    before = len(device.lines)
    await device.expect('wifi: connected to "Upstairs"', START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)
    assert not [line for line in device.lines[before:] if "provisioning" in line]


async def test_ctrl_c_in_config_stops_what_runs(house: House) -> None:
    """There the console reads it, since it is in every packet, too."""
    device = house.device()
    await device.power_on()
    await device.expect("system: mode CONFIG", START_S)
    await device.type(b"IMPRXV\x01\x03\x02\x02\x00\xe5\n")
    await device.expect("^= error")
    await device.send("mode")
    await device.expect("^= ok CONFIG")
    await device.type(b"\r\x03")
    await device.expect("system: stopped by Ctrl-C", START_S)
