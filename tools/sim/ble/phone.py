"""A simulated phone: a Bluetooth LE central on bumble, which scans, connects and speaks GATT."""

import asyncio
import contextlib

from bumble import hci
from bumble.core import AdvertisingData
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from tools.sim.ble.air import BleAir
from tools.sim.ble.radio import Radio

_MTU_MIN = 23


class _Host(Host):
    def on_packet(self, packet: bytes) -> None:
        # An answer may come when nobody waits any more.
        with contextlib.suppress(asyncio.InvalidStateError):
            super().on_packet(packet)


class Phone:
    """A central on the air. `device` and `host` are bumble's, for whatever is not here.

    number: 1 to 255, the end of its address. mtu: the ATT MTU that it asks for (23: does not ask).
    """

    def __init__(self, air: BleAir, number: int, mtu: int) -> None:
        self.address = f"c0:00:00:00:00:{number:02x}"
        self.mtu = mtu
        self.radio = Radio(f"phone {number}", air, "00:00:00:00:00:00")
        self.host = _Host(self.radio, AsyncPipeSink(self.radio))
        configuration = DeviceConfiguration(name=self.radio.name, address=hci.Address(self.address))
        self.device = Device(config=configuration, host=self.host)
        self.device.gatt_server.max_mtu = max(mtu, _MTU_MIN)

    async def power_on(self) -> None:
        """Switch its Bluetooth on."""
        await self.device.power_on()

    def power_off(self) -> None:
        """Take it off the air without a word."""
        self.radio.off()

    async def scan(self, address: str | None = None, timeout_s: float = 60) -> AdvertisingData:
        """Scan actively until both an advertisement and a scan response were heard; gives both in one.

        address: whom to listen to, None for anybody. Raises TimeoutError.
        """
        heard: asyncio.Future[AdvertisingData] = asyncio.get_running_loop().create_future()

        def listen(advertisement) -> None:  # type: ignore[no-untyped-def]  # bumble has a class for each kind
            text = advertisement.address.to_string(with_type_qualifier=False).lower()
            if address in (None, text) and not heard.done():
                heard.set_result(advertisement.data)

        self.device.on("advertisement", listen)
        await self.device.start_scanning()
        try:
            return await asyncio.wait_for(heard, timeout_s)
        finally:
            self.device.remove_listener("advertisement", listen)
            await self.device.stop_scanning()

    async def connect(self, address: str, timeout_s: float = 60) -> Peer:
        """Connect to a chip's public address, exchange the MTU and discover everything.

        Raises bumble's TimeoutError or ConnectionError.
        """
        connection = await self.device.connect(
            hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS), timeout=timeout_s
        )
        peer = Peer(connection)
        if self.mtu > _MTU_MIN:
            await peer.request_mtu(self.mtu)
        await peer.discover_services()
        for service in peer.services:
            await service.discover_characteristics()
        return peer


async def subscribe(characteristic: CharacteristicProxy) -> "asyncio.Queue[bytes]":
    """Subscribe to a characteristic's notifications, or indications; gives the queue they come into."""
    values: asyncio.Queue[bytes] = asyncio.Queue()
    await characteristic.subscribe(values.put_nowait)
    return values
