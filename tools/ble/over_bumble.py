"""A Transport over bumble: on the simulator's air, or on any controller that bumble drives."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bumble import hci
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.gatt_client import CharacteristicProxy

from .errors import BleError, LinkLost
from .protocol import CHANNELS, MTU_MIN, SERVICE, on_air

_SCAN_S = 10.0
_CONNECT_S = 10.0
_Result = TypeVar("_Result")


class OverBumble:
    """A connection that `device`, powered on, makes as the central.

    Args:
        device: bumble's, on whatever controller.
        peer: the device's name, or its public address with colons.
        mtu: to ask for; 23 asks for none.
    """

    def __init__(self, device: Device, peer: str, mtu: int = 247) -> None:
        self.name = on_air(peer)
        self.on_disconnect: Callable[[], None] = lambda: None
        self._device = device
        self._wanted_mtu = mtu
        self._connection: Connection | None = None
        self._characteristics: dict[UUID, CharacteristicProxy[bytes]] = {}

    @property
    def mtu(self) -> int:
        return self._connection.att_mtu if self._connection else MTU_MIN

    async def connect(self) -> None:
        address = hci.Address(self.name, hci.Address.PUBLIC_DEVICE_ADDRESS) if ":" in self.name else None
        address = address or await self._find()
        self._connection = await self._done(self._device.connect(address, timeout=_CONNECT_S))
        self._connection.on(Connection.EVENT_DISCONNECTION, self._gone)
        peer = Peer(self._connection)
        if self._wanted_mtu > MTU_MIN:
            await self._done(peer.request_mtu(self._wanted_mtu))
        services = await self._done(peer.discover_service(SERVICE))
        for service in services:
            for characteristic in await self._done(service.discover_characteristics()):
                self._characteristics[characteristic.uuid] = characteristic
        if not self._characteristics.keys() >= {UUID(uuid) for uuid in CHANNELS.values()}:
            raise BleError(
                f"{self.name}: not a device of this product", "It has not the service of docs/ble.md."
            )

    async def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            await self._done(connection.disconnect())

    async def read(self, uuid: str) -> bytes:
        return bytes(await self._done(self._characteristic(uuid).read_value()))

    async def write(self, uuid: str, data: bytes) -> None:
        await self._done(self._characteristic(uuid).write_value(data, with_response=True))

    async def subscribe(self, uuid: str, callback: Callable[[bytes], None]) -> None:
        await self._done(self._characteristic(uuid).subscribe(callback))

    def _characteristic(self, uuid: str) -> CharacteristicProxy[bytes]:
        if self._connection is None:
            raise LinkLost
        return self._characteristics[UUID(uuid)]

    async def _find(self) -> hci.Address:
        """The address of the device that advertises the name."""
        found: asyncio.Future[hci.Address] = asyncio.get_running_loop().create_future()

        def listen(advertisement: Advertisement) -> None:
            name = advertisement.data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME)
            if name == self.name and not found.done():
                found.set_result(advertisement.address)

        self._device.on("advertisement", listen)
        try:
            await self._device.start_scanning()
            async with asyncio.timeout(_SCAN_S):
                return await found
        except TimeoutError:
            raise BleError(
                f"{self.name}: no device of that name is heard",
                "See that it is on, near, and in mode CONFIG, and that no other phone is connected to it.",
                "TIMEOUT",
            ) from None
        finally:
            self._device.remove_listener("advertisement", listen)
            await self._device.stop_scanning()

    async def _done(self, action: Awaitable[_Result]) -> _Result:
        try:
            return await action
        except BaseBumbleError:
            raise LinkLost from None
        except asyncio.CancelledError:  # which is how bumble ends what waits when a link ends
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise LinkLost from None

    def _gone(self, _reason: int) -> None:
        if self._connection:
            self._connection = None
            self.on_disconnect()
