"""The air of a simulated device for other programs: HCI over TCP, where bumble's own stack is the phone."""

import asyncio
from pathlib import Path

import pytest
from bumble.core import AdvertisingData
from bumble.device import Device as Stack
from bumble.device import Peer
from bumble.hci import Address
from bumble.transport import open_transport

from tests.host.sim.test_port import WAIT_S, sim
from tests.patience import PATIENCE_S
from tools.ble.client import Client
from tools.ble.over_bumble import OverBumble
from tools.sim import World
from tools.sim.ble.hci_port import HciPort

pytestmark = pytest.mark.timeout(400)


async def test_another_programs_stack_finds_and_configures_the_device(tmp_path: Path) -> None:
    arguments = ("--folder", str(tmp_path / "device"), "--radio", "tcp:0")
    async with sim(*arguments) as device, asyncio.timeout(WAIT_S):
        where = (await device.expect(r"^radio (tcp-client:\S+)$"))[1]
        code = (await device.expect(r"ble: code (\S+)$"))[1]
        async with await open_transport(where) as transport:
            stack = Stack.with_hci("phone", Address("F0:F1:F2:F3:F4:F5"), transport.source, transport.sink)
            await stack.power_on()
            client = Client(OverBumble(stack, "esp32-240ac4000001"), code)
            async with client:
                networks = await client.scan()
            assert [network["ssid"] for network in networks] == ["Home"]
        await device.expect("ble: f0:f1:f2:f3:f4:f5 gone: it disconnected")


async def test_each_client_has_a_controller_and_takes_it_along() -> None:
    """One is a peripheral, the other finds it; what is no HCI, and who leaves, is gone from the air."""
    async with World() as world, HciPort(world.air_ble) as port:
        where = f"tcp-client:127.0.0.1:{port.port}"
        async with await open_transport(where) as one, await open_transport(where) as other:
            peripheral = Stack.with_hci("one", Address("F0:F1:F2:F3:F4:01"), one.source, one.sink)
            central = Stack.with_hci("other", Address("F0:F1:F2:F3:F4:02"), other.source, other.sink)
            await peripheral.power_on()
            await central.power_on()
            name = (AdvertisingData.Type.COMPLETE_LOCAL_NAME, b"thing")
            await peripheral.start_advertising(advertising_data=bytes(AdvertisingData([name])))
            connection = await central.connect(peripheral.random_address, timeout=PATIENCE_S)
            await Peer(connection).discover_services()
            assert len(world.air_ble.controllers) == 2
        reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"", "not hung up on"
        async with asyncio.timeout(PATIENCE_S):
            while world.air_ble.controllers:
                await asyncio.sleep(0.01)
        writer.close()
