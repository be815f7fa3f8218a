"""The GATT server of one chip, as MicroPython's `bluetooth` drives it; bumble's server speaks ATT below."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any

from bumble import att, gatt
from bumble.device import Connection, Device
from bumble.gatt_server import Server

from tools.sim.ble import BleError
from tools.sim.ble.values import Database, Value

GATTS_WRITE, GATTS_READ_REQUEST, GATTS_INDICATE_DONE = 3, 4, 20  # events of MicroPython's `bluetooth`

_MAX_SERVICES = 8  # MP_BLUETOOTH_NIMBLE_MAX_SERVICES
_MAX_QUEUED = 12  # packets that NimBLE's pool holds for the air: CONFIG_BT_NIMBLE_MSYS_1_BLOCK_COUNT
_NOTIFIED, _INDICATED = 1, 2  # bits of what a client subscribed to
_ENOTCONN, _ETIMEOUT = 7, 13  # status of an indication that failed, as NimBLE numbers it
_FIRST_HANDLE = 1  # bumble's for the first connection; the chip's is 0


class GattServer:
    """Services, values, notifications and indications of one chip.

    post: raises an event in the program; what it gives is done when the program has handled it. name: tells
    the device's name.
    """

    def __init__(
        self, device: Device, post: "Callable[..., asyncio.Future[int]]", name: Callable[[], bytes], mtu: int
    ) -> None:
        self._device = device
        self._post = post
        self._name = name
        self._mtu = mtu
        self._database = Database(self._read, self._write)
        self._access = asyncio.Lock()  # NimBLE has one task: one access after the other, each with its event
        self._tasks: set[asyncio.Task[None]] = set()
        self._clear()

    def stop(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()

    def connection(self, handle: int) -> Connection:
        """The connection with this handle, of the chip; raises BleError."""
        try:
            return self._device.connections[handle + _FIRST_HANDLE]
        except KeyError:
            raise BleError(errno.ENOTCONN) from None

    @staticmethod
    def handle(connection: Connection) -> int:
        """The chip's handle of a connection."""
        return connection.handle - _FIRST_HANDLE

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Do something in the background, until `stop`."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def register(self, services: list[Any]) -> list[list[int]]:
        """Replace all services; not while advertising or connected."""
        if self._device.is_advertising or self._device.connections:
            raise BleError(errno.EBUSY)
        if len(services) > _MAX_SERVICES:
            raise BleError(errno.E2BIG)
        self._clear()
        return self._database.register(self._server, services)

    def read(self, handle: int) -> str:
        """The value; an unknown handle has an empty one."""
        value = self._database.values.get(handle)
        return value.read().hex() if value else ""

    def written(self, handle: int) -> str | None:
        """What `read` would give; None where that would change the value."""
        value = self._database.values.get(handle)
        return value.data.hex() if value and not value.append else None

    def write(self, handle: int, data: str, send_update: bool) -> None:
        """Set the value, and tell who subscribed."""
        value = self._value(handle)
        value.write(bytes.fromhex(data))
        for connection in self._device.connections.values() if send_update else ():
            subscriptions = self._server.subscribers.get(connection, {}).get(handle, b"\0")
            if subscriptions[0] & _INDICATED:
                self.spawn(self._indicate(connection, handle, value.data))
            elif subscriptions[0] & _NOTIFIED and not self._is_full():
                self._notify(connection, handle, value.data)

    def set_buffer(self, handle: int, room: int, append: bool) -> None:
        """Set the size of a value's buffer."""
        self._value(handle).resize(room, append)

    def notify(self, connection_handle: int, handle: int, data: str | None) -> None:
        """Send a notification, of the value if there is no data; cut to what the MTU allows."""
        connection, value = self._to_send(connection_handle, handle, data)
        self._notify(connection, handle, value)

    def indicate(self, connection_handle: int, handle: int, data: str | None) -> None:
        """Send an indication; an event tells of its end."""
        connection, value = self._to_send(connection_handle, handle, data)
        self.spawn(self._indicate(connection, handle, value))

    def exchange_mtu(self, connection_handle: int) -> None:
        """Ask the other side for its MTU, once a connection."""
        connection = self.connection(connection_handle)
        if connection.gatt_client.mtu_exchange_done:
            raise BleError(errno.EALREADY)
        self.spawn(self._exchange_mtu(connection))

    def set_mtu(self, mtu: int) -> None:
        """Set what an exchange of MTUs offers."""
        self._server.max_mtu = self._mtu = mtu

    @property
    def _server(self) -> Server:
        return self._device.gatt_server

    def _clear(self) -> None:
        self._device.gatt_server = Server(self._device)
        self._server.max_mtu = self._mtu
        name: gatt.Characteristic[bytes] = gatt.Characteristic(
            gatt.GATT_DEVICE_NAME_CHARACTERISTIC,
            gatt.Characteristic.Properties.READ,
            gatt.Characteristic.READABLE,
            att.AttributeValue(read=lambda _connection: self._name()),
        )
        self._device.add_service(gatt.Service(gatt.GATT_GENERIC_ACCESS_SERVICE, [name]))
        self._device.add_default_services(add_gap_service=False)

    def _value(self, handle: int) -> Value:
        try:
            return self._database.values[handle]
        except KeyError:
            raise BleError(errno.EINVAL) from None

    def _to_send(self, connection_handle: int, handle: int, data: str | None) -> tuple[Connection, bytes]:
        if self._is_full():
            raise BleError(errno.ENOMEM)
        connection = self.connection(connection_handle)
        return connection, self._value(handle).data if data is None else bytes.fromhex(data)

    def _is_full(self) -> bool:
        queue = self._device.host.le_acl_packet_queue
        return queue is not None and queue.pending >= _MAX_QUEUED

    def _notify(self, connection: Connection, handle: int, data: bytes) -> None:
        pdu = att.ATT_Handle_Value_Notification(
            attribute_handle=handle, attribute_value=data[: connection.att_mtu - 3]
        )
        self._server.send_gatt_pdu(connection, bytes(pdu))

    async def _indicate(self, connection: Connection, handle: int, data: bytes) -> None:
        attribute, status = self._database.attributes[handle], 0
        indication = self._server.indicate_subscriber(connection, attribute, data, force=True)
        try:
            await connection.cancel_on_disconnection(indication)
        except TimeoutError:
            status = _ETIMEOUT
        except asyncio.CancelledError:
            if connection.handle in self._device.connections:
                raise
            status = _ENOTCONN
        self._post(GATTS_INDICATE_DONE, self.handle(connection), handle, status)

    async def _exchange_mtu(self, connection: Connection) -> None:
        connection.on_att_mtu_update(await connection.gatt_client.request_mtu(self._mtu))

    async def _read(self, connection: Connection, value: Value) -> int:
        async with self._access:
            return await self._post(GATTS_READ_REQUEST, self.handle(connection), value.handle)

    async def _write(self, connection: Connection, value: Value, data: bytes) -> None:
        async with self._access:
            value.write_remotely(data)
            await self._post(GATTS_WRITE, self.handle(connection), value.handle)
