"""The GATT server: services, and values that the other side reads and writes."""

import asyncio

from . import link
from .link import GattError, ble

_GATTS_WRITE, _GATTS_READ_REQUEST, _GATTS_INDICATE_DONE = 3, 4, 20  # events
_READ, _WRITE_NO_RESPONSE, _WRITE, _NOTIFY, _INDICATE, _CAPTURE = 0x02, 0x04, 0x08, 0x10, 0x20, 0x10000
_CAPTURED_LIMIT = 10

_registered = {}  # by handle
_captured = []  # (characteristic, connection, data) that wait for their turn
_turn = [None]  # the characteristic whose capture is not taken yet


def _on_event(event, data, connection):
    value = _registered.get(data[1]) if len(data) > 1 else None
    if not value:
        return None
    if event == _GATTS_WRITE:
        value._was_written(connection)
    elif event == _GATTS_READ_REQUEST:
        return value.on_read(connection)
    elif event == _GATTS_INDICATE_DONE and connection and value._indicating:
        value._indicated_status = data[2]
        value._indicated.set()
    return None


link.on_event.append(_on_event)


def stop():
    """Stop the stack, which ends all connections."""
    ble.active(False)
    link.forget_arrival()
    _registered.clear()
    _captured.clear()
    _turn[0] = None


def _hand_out():
    """Give the oldest capture to its characteristic, once the one before it was taken."""
    if _captured and not _turn[0]:
        value, connection, data = _captured.pop(0)
        _turn[0] = value
        value._news = (connection, data)
        value._written.set()


class Service:
    """A service, to which characteristics are added by being made."""

    def __init__(self, uuid):
        self.uuid = uuid
        self.characteristics = []


class _Value:
    def __init__(self, uuid, flags, initial):
        self.uuid = uuid
        self.flags = flags
        self._initial = initial
        self._value_handle = None
        self._news = None
        self._written = asyncio.ThreadSafeFlag() if flags & (_WRITE | _WRITE_NO_RESPONSE) else None

    def _register(self, handle):
        self._value_handle = handle
        _registered[handle] = self
        if self._initial is not None:
            self.write(self._initial)
            self._initial = None

    def read(self):
        """The value."""
        if self._value_handle is None:
            return self._initial or b""
        return ble.gatts_read(self._value_handle)

    def write(self, data, send_update=False):
        """Set the value, with `send_update` for those who subscribed too."""
        if self._value_handle is None:
            self._initial = data
        else:
            ble.gatts_write(self._value_handle, data, send_update)

    async def written(self, timeout_ms=None):
        """Wait for a write; returns its connection, with `capture` (connection, data)."""
        if not self._written:
            return None
        with link.limit(timeout_ms):
            await self._written.wait()
        news, self._news = self._news, None
        if self.flags & _CAPTURE:
            _turn[0] = None
            _hand_out()
        return news

    def on_read(self, connection):
        """Called before the other side reads: 0 allows it, anything else is the error it gets."""
        return 0

    def _was_written(self, connection):
        if self.flags & _CAPTURE:
            _captured.append((self, connection, self.read()))
            del _captured[:-_CAPTURED_LIMIT]
            _hand_out()
        else:
            self._news = connection
            self._written.set()


class Characteristic(_Value):
    """A characteristic; one with `capture` keeps what is written until `written` asks for it."""

    def __init__(
        self,
        service,
        uuid,
        read=False,
        write=False,
        write_no_response=False,
        notify=False,
        indicate=False,
        initial=None,
        capture=False,
    ):
        flags = (_READ if read else 0) | (_NOTIFY if notify else 0) | (_INDICATE if indicate else 0)
        flags |= (_WRITE if write else 0) | (_WRITE_NO_RESPONSE if write_no_response else 0)
        if capture and (write or write_no_response):
            flags |= _CAPTURE
        super().__init__(uuid, flags, initial)
        self.descriptors = []
        self._indicating = None  # the connection, while an indication is under way
        self._indicated = asyncio.ThreadSafeFlag()
        self._indicated_status = None
        service.characteristics.append(self)

    def notify(self, connection, data=None):
        """Send `data`, or the value, to one who is connected."""
        if not self.flags & _NOTIFY:
            raise ValueError("Not supported")
        ble.gatts_notify(connection._conn_handle, self._value_handle, data)

    async def indicate(self, connection, data=None, timeout_ms=1000):
        """Send `data`, or the value, and wait until it is confirmed; GattError if it is not."""
        if not self.flags & _INDICATE:
            raise ValueError("Not supported")
        if self._indicating is not None:
            raise ValueError("In progress")
        if not connection.is_connected():
            raise ValueError("Not connected")
        self._indicating = connection
        try:
            with connection.timeout(timeout_ms):
                ble.gatts_indicate(connection._conn_handle, self._value_handle, data)
                await self._indicated.wait()
            if self._indicated_status != 0:
                raise GattError(self._indicated_status)
        finally:
            self._indicating = None


class BufferedCharacteristic(Characteristic):
    """A characteristic that holds up to `max_len` bytes; with `append` writes are joined until read."""

    def __init__(self, *args, max_len=20, append=False, **kwargs):
        super().__init__(*args, **kwargs)
        self._buffer = (max_len, append)

    def _register(self, handle):
        super()._register(handle)
        ble.gatts_set_buffer(handle, *self._buffer)


class Descriptor(_Value):
    """A descriptor of a characteristic."""

    def __init__(self, characteristic, uuid, read=False, write=False, initial=None):
        super().__init__(uuid, (_READ if read else 0) | (_WRITE if write else 0), initial)
        characteristic.descriptors.append(self)


def register_services(*services):
    """Make these all the services there are; not while advertising."""
    link.activate()
    _registered.clear()
    rows = [(service.uuid, [_row(value) for value in service.characteristics]) for service in services]
    handles = ble.gatts_register_services(rows)
    for number, service in enumerate(services):
        left = list(handles[number])
        for characteristic in service.characteristics:
            characteristic._register(left.pop(0))
            for descriptor in characteristic.descriptors:
                descriptor._register(left.pop(0))


def _row(characteristic):
    descriptors = [(descriptor.uuid, descriptor.flags) for descriptor in characteristic.descriptors]
    return characteristic.uuid, characteristic.flags, descriptors
