"""The Bluetooth LE half of one chip: what MicroPython's `bluetooth` asks for, done by a bumble host."""

import asyncio
import errno
import json
from typing import Any

from bumble import hci
from bumble.device import AdvertisingType, Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from tools.sim.ble import BleError
from tools.sim.ble.air import BleAir
from tools.sim.ble.radio import Radio
from tools.sim.ble.server import GATTS_WRITE, GattServer

CENTRAL_CONNECT, CENTRAL_DISCONNECT, MTU_EXCHANGED = 1, 2, 21  # events of MicroPython's `bluetooth`

_NAME = b"MPY ESP32"  # CONFIG_BT_NIMBLE_SVC_GAP_DEVICE_NAME
_NAME_BYTES = 31  # CONFIG_BT_NIMBLE_GAP_DEVICE_NAME_MAX_LEN
_MTU = 256  # CONFIG_BT_NIMBLE_ATT_PREFERRED_MTU
_MTUS = range(23, 518)
_MAX_CONNECTIONS = 4  # CONFIG_BT_NIMBLE_MAX_CONNECTIONS
_ADVERTISING_BYTES = 31
_ADVERTISING_US = range(20_000, 10_240_001)
_WITHOUT_STACK = ("active", "name", "advertise_stop", "read")


class ChipRadio:
    """One chip's Bluetooth. Events wait in `events` until the program takes them, each for its answer."""

    def __init__(self, air: BleAir, mac: str) -> None:
        self.address = f"{mac[:-2]}{(int(mac[-2:], 16) + 2) % 256:02x}".lower()  # as on the ESP32
        self.events: asyncio.Queue[tuple[int, list[Any], asyncio.Future[int]]] = asyncio.Queue()
        self._air = air
        self._name = _NAME
        self._mtu = _MTU
        self._own_address = hci.OwnAddressType.PUBLIC
        self._device: Device | None = None
        self._peers: dict[int, list[Any]] = {}  # by handle: what tells the program who it is
        self._ending: set[int] = set()  # connections that the program has ended
        self._listener: asyncio.Task[Any] | None = None

    def stop(self, *, farewell: bool = False) -> None:
        """Be as after a reset, which unlike a soft one says no farewell to who is connected."""
        self._leave(farewell)
        if self._listener:
            self._listener.cancel()
            self._listener = None
        self._take_events()
        self._name, self._mtu, self._own_address = _NAME, _MTU, hci.OwnAddressType.PUBLIC

    async def request(self, operation: str, *arguments: Any) -> Any:
        """Do what the device's `bluetooth` asks for; raises BleError."""
        if not self._device and operation not in _WITHOUT_STACK:
            raise BleError(errno.ENODEV)
        answer = getattr(self, "_on_" + operation)(*arguments)
        return await answer if asyncio.iscoroutine(answer) else answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell a program of its events, one line each, until it ends; its answers come back as lines.

        With the news of a write goes the value, as all programs ask for that first.
        """
        self._listener = asyncio.current_task()
        while True:
            event, data, answer = await self.events.get()
            try:
                written = self._server.written(data[1]) if event == GATTS_WRITE else None
                writer.write(json.dumps([event, data, written]).encode() + b"\n")
                await writer.drain()
                if not (line := await reader.readline()):
                    return
                if not answer.done():
                    answer.set_result(json.loads(line))
            finally:
                answer.cancel()  # does nothing to one that is answered

    async def _on_active(self, active: bool | None = None) -> tuple[bool, list[Any]]:
        """Whether it is active now, and the events that the program has to see before it goes on."""
        last_events = []
        if active and not self._device:
            await self._start()
        elif active is False and self._device:
            for who in self._peers.values():
                self._post(CENTRAL_DISCONNECT, *who)
            self._leave(farewell=True)
            last_events = self._take_events()
        return self._device is not None, last_events

    async def _start(self) -> None:
        self._radio = Radio(self.address, self._air, self.address)
        configuration = DeviceConfiguration(
            address=hci.Address.generate_static_address(),
            advertising_data=b"",
            gap_service_enabled=False,
            gatt_service_enabled=False,
        )
        host = Host(self._radio, AsyncPipeSink(self._radio))
        self._device = device = Device(config=configuration, host=host)
        self._server = GattServer(device, self._post, lambda: self._name, self._mtu)
        device.on(device.EVENT_CONNECTION, self._connected)
        await device.power_on()

    def _leave(self, farewell: bool) -> None:
        if self._device:
            self._device = None
            self._server.stop()
            self._radio.off(farewell=farewell)
            self._peers.clear()
            self._ending.clear()

    def _post(self, event: int, *data: Any) -> "asyncio.Future[int]":
        """Tell the program; the future is what its handler answers, 0 for nothing."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.events.put_nowait((event, [*data], answer))
        return answer

    def _take_events(self) -> list[Any]:
        taken = []
        while not self.events.empty():
            event, data, answer = self.events.get_nowait()
            taken.append((event, data))
            answer.cancel()
        return taken

    def _connected(self, connection: Connection) -> None:
        handle = self._server.handle(connection)
        peer = connection.peer_address
        self._peers[handle] = who = [handle, int(not peer.is_public), bytes(peer)[::-1].hex()]

        def ended(_reason: int) -> None:
            self._ending.discard(handle)
            del self._peers[handle]
            self._post(CENTRAL_DISCONNECT, *who)

        def exchanged() -> None:
            self._post(MTU_EXCHANGED, handle, connection.att_mtu)

        connection.on(connection.EVENT_DISCONNECTION, ended)
        connection.on(connection.EVENT_CONNECTION_ATT_MTU_UPDATE, exchanged)
        self._post(CENTRAL_CONNECT, *who)

    def _on_name(self, name: str | None = None) -> str:
        if name is not None:
            if len(bytes.fromhex(name)) > _NAME_BYTES:
                raise BleError(errno.EINVAL)
            self._name = bytes.fromhex(name)
        return self._name.hex()

    def _on_mtu(self, mtu: int | None = None) -> int:
        if mtu is not None:
            if mtu not in _MTUS:
                raise BleError(errno.EINVAL)
            self._mtu = mtu
            self._server.set_mtu(mtu)
        return self._mtu

    def _on_address(self) -> tuple[int, str]:
        if self._own_address == hci.OwnAddressType.PUBLIC:
            return 0, self.address.replace(":", "")
        assert self._device
        return 1, bytes(self._device.random_address)[::-1].hex()

    def _on_address_mode(self, mode: int) -> None:
        public, random = hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RANDOM
        self._own_address = random if mode else public  # what a phone sees is random in modes 1, 2 and 3

    async def _on_advertise(
        self, interval_us: int, data: str | None, response: str | None, connectable: bool
    ) -> None:
        assert self._device
        await self._device.stop_advertising()
        parts = [None if part is None else bytes.fromhex(part) for part in (data, response)]
        if interval_us not in _ADVERTISING_US or any(
            part and len(part) > _ADVERTISING_BYTES for part in parts
        ):
            raise BleError(errno.EINVAL)
        if connectable and len(self._peers) >= _MAX_CONNECTIONS:
            raise BleError(errno.ENOMEM)
        kinds = AdvertisingType
        await self._device.start_advertising(
            kinds.UNDIRECTED_CONNECTABLE_SCANNABLE if connectable else kinds.UNDIRECTED_SCANNABLE,
            own_address_type=self._own_address,
            advertising_data=parts[0],
            scan_response_data=parts[1],
            advertising_interval_min=interval_us / 1000,
            advertising_interval_max=interval_us / 1000,
        )

    async def _on_advertise_stop(self) -> None:
        if self._device:
            await self._device.stop_advertising()

    def _on_disconnect(self, handle: int) -> bool:
        if handle not in self._peers:
            return False
        if handle in self._ending:
            raise BleError(errno.EALREADY)
        self._ending.add(handle)
        self._server.spawn(self._disconnect(self._server.connection(handle)))
        return True

    async def _disconnect(self, connection: Connection) -> None:
        await asyncio.sleep(self._air.interval_ms / 1000)  # when its turn on the air is
        await connection.disconnect()

    def _on_register(self, services: list[Any]) -> list[list[int]]:
        return self._server.register(services)

    def _on_read(self, handle: int) -> str:
        return self._server.read(handle) if self._device else ""

    def _on_write(self, *arguments: Any) -> None:
        self._server.write(*arguments)

    def _on_buffer(self, *arguments: Any) -> None:
        self._server.set_buffer(*arguments)

    def _on_notify(self, *arguments: Any) -> None:
        self._server.notify(*arguments)

    def _on_indicate(self, *arguments: Any) -> None:
        self._server.indicate(*arguments)

    def _on_exchange_mtu(self, handle: int) -> None:
        self._server.exchange_mtu(handle)
