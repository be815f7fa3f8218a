"""Advertising, connections, and the events of the stack."""

import asyncio
import binascii
import struct

import bluetooth

_CENTRAL_CONNECT, _CENTRAL_DISCONNECT, _MTU_EXCHANGED = 1, 2, 21  # events
_FLAGS, _NAME, _APPEARANCE, _MANUFACTURER = 0x01, 0x09, 0x19, 0xFF  # fields of an advertisement
_UUID_FIELDS = ((2, 0x03), (4, 0x05), (16, 0x07))  # complete lists, by the UUIDs' length
_FIELDS_LIMIT = 30

ble = bluetooth.BLE()
on_event = []  # of the server
_connections = {}  # by handle
_arrival = [None, None]  # flag that a central has connected, and its connection


class GattError(Exception):
    """The other side, or the stack, refused an indication."""

    def __init__(self, status):
        self._status = status


class DeviceDisconnectedError(Exception):
    """The connection ended while something on it was waited for."""


def activate():
    """Start the stack, if it does not run."""
    if not ble.active():
        ble.active(True)


def config(*args, **kwargs):
    """`bluetooth.BLE.config`, of a stack that runs."""
    activate()
    return ble.config(*args, **kwargs)


def _interrupt(event, data):
    """What the stack calls for every event."""
    if event == _CENTRAL_CONNECT:
        handle, kind, address = data
        connection = DeviceConnection(Device(kind, bytes(address)))
        connection._conn_handle = handle
        _connections[handle] = connection
        _arrival[1] = connection
        _arrival[0].set()
    connection = _connections.get(data[0])
    if event == _CENTRAL_DISCONNECT and connection:
        connection._ended.set()
    elif event == _MTU_EXCHANGED and connection:
        connection.mtu = data[1]
        connection._mtu_known.set()
    return on_event[0](event, data, connection)


def forget_arrival():
    """Have no central waiting to be returned by `advertise`."""
    _arrival[:] = [None, None]


ble.irq(_interrupt)


class Device:
    """The other side, by its address."""

    def __init__(self, addr_type, addr):
        self.addr_type = addr_type
        self.addr = addr if len(addr) == 6 else binascii.unhexlify(addr.replace(":", ""))
        self._connection = None

    def __eq__(self, other):
        return self.addr_type == other.addr_type and self.addr == other.addr

    def __hash__(self):
        return hash((self.addr_type, self.addr))

    def __str__(self):
        kind = "ADDR_RANDOM" if self.addr_type else "ADDR_PUBLIC"
        state = ", CONNECTED" if self._connection else ""
        return "Device(" + kind + ", " + self.addr_hex() + state + ")"

    def addr_hex(self):
        return binascii.hexlify(self.addr, ":").decode()


class _Limit:
    """Cancels the task that made it when the time is up or the connection ends; says afterwards which."""

    def __init__(self, connection, timeout_ms):
        self.task = asyncio.current_task()
        self._connection = connection
        self._timeout_ms = timeout_ms
        self._timer = None
        self._expired = False
        if connection:
            connection._limits.append(self)

    async def _count_down(self):
        await asyncio.sleep_ms(self._timeout_ms)
        self._expired = True
        self.task.cancel()

    def __enter__(self):
        if self._timeout_ms:
            self._timer = asyncio.create_task(self._count_down())

    def __exit__(self, kind, error, trace):
        if self._connection:
            self._connection._limits.remove(self)
        if self._timer and not self._expired:
            self._timer.cancel()
        if kind is asyncio.CancelledError:
            if self._expired:
                raise asyncio.TimeoutError
            if self._connection and not self._connection.is_connected():
                raise DeviceDisconnectedError


class DeviceConnection:
    """A connection, as `advertise` gives it."""

    def __init__(self, device):
        self.device = device
        device._connection = self
        self.encrypted = self.authenticated = self.bonded = self.key_size = False
        self.mtu = None
        self._conn_handle = None
        self._limits = []
        self._ended = asyncio.ThreadSafeFlag()
        self._mtu_known = asyncio.ThreadSafeFlag()
        self._task = None

    async def _live(self):
        await self._ended.wait()
        del _connections[self._conn_handle]
        self._conn_handle = None
        self.device._connection = None
        for limit in self._limits:
            limit.task.cancel()

    def is_connected(self):
        return self._conn_handle is not None

    def timeout(self, timeout_ms):
        """For `with`: asyncio.TimeoutError after a time (None or 0: never), or DeviceDisconnectedError."""
        return _Limit(self, timeout_ms)

    async def disconnect(self, timeout_ms=2000):
        await self.disconnected(timeout_ms, disconnect=True)

    async def disconnected(self, timeout_ms=None, disconnect=False):
        """Wait for the end of the connection; with `disconnect` bring it about."""
        if not self.is_connected():
            return
        if disconnect:
            try:
                ble.gap_disconnect(self._conn_handle)
            except OSError as error:
                print("[aioble] E: Disconnect", error)
        with _Limit(None, timeout_ms):
            await self._task

    async def exchange_mtu(self, mtu=None, timeout_ms=1000):
        """Ask for an MTU and return what came of it."""
        if not self.is_connected():
            raise ValueError("Not connected")
        if mtu:
            ble.config(mtu=mtu)
        self._mtu_known.clear()
        ble.gattc_exchange_mtu(self._conn_handle)
        with self.timeout(timeout_ms):
            await self._mtu_known.wait()
        return self.mtu

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, trace):
        await self.disconnect()


def limit(timeout_ms):
    """For `with`: asyncio.TimeoutError after a time, None or 0 for never."""
    return _Limit(None, timeout_ms)


async def advertise(
    interval_us,
    adv_data=None,
    resp_data=None,
    connectable=True,
    limited_disc=False,
    br_edr=False,
    name=None,
    services=None,
    appearance=0,
    manufacturer=None,
    timeout_ms=None,
):
    """Advertise until a central connects and return the connection; None if cancelled."""
    activate()
    if not adv_data and not resp_data:
        flags = bytes([(0x01 if limited_disc else 0x02) | (0x18 if br_edr else 0x04)])
        adv_data, resp_data = _pack(flags, services, name, appearance, manufacturer)
    _arrival[0] = _arrival[0] or asyncio.ThreadSafeFlag()
    ble.gap_advertise(interval_us, adv_data=adv_data, resp_data=resp_data, connectable=connectable)
    try:
        with limit(timeout_ms):
            await _arrival[0].wait()
    except asyncio.CancelledError:
        ble.gap_advertise(None)
        return None
    except asyncio.TimeoutError:
        ble.gap_advertise(None)
        raise
    connection, _arrival[1] = _arrival[1], None
    connection._task = asyncio.create_task(connection._live())
    return connection


def _pack(flags, services, name, appearance, manufacturer):
    """(advertisement, scan response or None): a field that is too long for the first goes to the second."""
    fields = [(_FLAGS, flags)]
    for length, code in _UUID_FIELDS:
        uuids = [bytes(uuid) for uuid in services or () if len(bytes(uuid)) == length]
        if uuids:
            fields.append((code, b"".join(uuids)))
    if name:
        fields.append((_NAME, name))
    if appearance:
        fields.append((_APPEARANCE, struct.pack("<H", appearance)))
    if manufacturer:
        fields.append((_MANUFACTURER, struct.pack("<H", manufacturer[0]) + manufacturer[1]))
    parts = [bytearray(), bytearray()]
    for code, value in fields:
        field = bytes([len(value) + 1, code])  # of a text as many as its characters, as the real one says
        field += value.encode() if isinstance(value, str) else value
        for part in parts:
            if len(part) + len(field) <= _FIELDS_LIMIT:
                part.extend(field)
                break
        else:
            raise ValueError("Advertising payload too long")
    return parts[0], parts[1] or None
