"""`bluetooth` of the simulated chip: a peripheral on NimBLE, whose stack is in the world.

Events come on a line of their own, which a task of the running asyncio loop reads. So they reach a program
while it waits, where the chip calls the handler at any time.
"""

import asyncio
import binascii
import sys

import _world

FLAG_READ = 0x02
FLAG_WRITE_NO_RESPONSE = 0x04
FLAG_WRITE = 0x08
FLAG_NOTIFY = 0x10
FLAG_INDICATE = 0x20

_IRQ_CENTRAL_DISCONNECT = 2  # this one and the one before it bring an address
_UNSTORED = ("bond", "mitm", "io", "le_secure")  # of pairing: nothing to see in simulation
_ble = []  # the one BLE there is
_written = {}  # by its handle, a value that was written: while the program is told, and asks for nothing else


class UUID:
    """A UUID of 16, 32 or 128 bits; from an int, a text, or bytes in the order of the air."""

    def __init__(self, value):
        if isinstance(value, UUID):
            value = value._data
        if isinstance(value, int):
            if value > 0xFFFF:
                raise ValueError("invalid UUID")
            self._data = bytes([value & 0xFF, value >> 8 & 0xFF])
            return
        value = value.encode() if isinstance(value, str) else bytes(value)
        self._data = value if len(value) in (2, 4, 16) else _parsed(value.replace(b"-", b""))

    def __bytes__(self):
        return self._data

    def __iter__(self):  # MicroPython's bytes() takes an iterable, where a C type has a buffer
        return iter(self._data)

    def __hash__(self):
        return hash(self._data)

    def __eq__(self, other):
        return isinstance(other, UUID) and self._data == other._data

    def __lt__(self, other):
        return self._key() < other._key()

    def __le__(self, other):
        return self._key() <= other._key()

    def __gt__(self, other):
        return self._key() > other._key()

    def __ge__(self, other):
        return self._key() >= other._key()

    def __repr__(self):
        digits = binascii.hexlify(bytes(reversed(self._data))).decode()
        if len(self._data) < 16:
            return "UUID(0x" + digits + ")"
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "UUID('" + "-".join(parts) + "')"

    def _key(self):
        return len(self._data), self._data


def _parsed(digits):
    if any(digit not in b"0123456789abcdefABCDEF" for digit in digits):
        raise ValueError("invalid char in UUID")
    if len(digits) != 32:
        raise ValueError("UUID too short" if len(digits) < 32 else "UUID too long")
    return bytes(reversed(binascii.unhexlify(digits)))


class BLE:
    """The Bluetooth LE stack, of which there is one."""

    def __new__(cls):
        if not _ble:
            _ble.append(object.__new__(cls))
            _ble[0]._handler = None
            _ble[0]._events = None
        return _ble[0]

    def active(self, *active):
        """Get or set whether the stack runs; stopping it ends all connections."""
        is_active, last_events = _call("active", *[bool(one) for one in active])
        if is_active and active and not self._events:
            self._events = asyncio.StreamReader(_world.listen("ble_events"))
            self._task = asyncio.create_task(self._listen())
        for event, data in last_events:
            self._interrupt(event, data)
        return is_active

    def config(self, *param, **kwargs):
        """Get `mac`, `gap_name` or `mtu`; set `gap_name`, `mtu`, `addr_mode` and what is for pairing."""
        if not kwargs:
            if len(param) != 1:
                raise TypeError("must query one param")
            if param[0] == "gap_name":
                return binascii.unhexlify(_call("name"))
            if param[0] == "mac":
                kind, address = _call("address")
                return kind, binascii.unhexlify(address)
            if param[0] == "mtu":
                return _call("mtu")
            raise ValueError("unknown config param")
        if param:
            raise TypeError("can't specify pos and kw args")
        for name, value in kwargs.items():
            if name == "gap_name":
                _call("name", _hex(value))
            elif name == "mtu":
                _call("mtu", _int(value))
            elif name == "addr_mode":
                _call("address_mode", _int(value))
            elif name not in _UNSTORED:
                raise ValueError("unknown config param")
        return None

    def irq(self, handler):
        """Have `handler(event, data)` called for every event; None for nobody."""
        if handler is not None and not callable(handler):
            raise ValueError("invalid handler")
        self._handler = handler

    def gap_advertise(self, interval_us, adv_data=None, *, resp_data=None, connectable=True):
        """Advertise every `interval_us`, None to stop; data that is None stays as it was."""
        if interval_us is None:
            _call("advertise_stop")
        else:
            _call("advertise", _int(interval_us), _hex(adv_data), _hex(resp_data), bool(connectable))

    def gap_disconnect(self, conn_handle):
        """End a connection; False if there is none."""
        return _call("disconnect", _int(conn_handle))

    def gatts_register_services(self, services_definition):
        """Replace all services; returns the handles of each one's values."""
        rows = [(_uuid(uuid, "service"), [_row(row) for row in rows]) for uuid, rows in services_definition]
        return tuple([tuple(handles) for handles in _call("register", rows)])

    def gatts_read(self, value_handle):
        data = _written.get(value_handle)
        return binascii.unhexlify(_call("read", _int(value_handle)) if data is None else data)

    def gatts_write(self, value_handle, data, send_update=False):
        _call("write", _int(value_handle), _hex(data), bool(send_update))
        return len(data)

    def gatts_notify(self, conn_handle, value_handle, *data):
        _call("notify", _int(conn_handle), _int(value_handle), _hex(data[0]) if data else None)

    def gatts_indicate(self, conn_handle, value_handle, *data):
        _call("indicate", _int(conn_handle), _int(value_handle), _hex(data[0]) if data else None)

    def gatts_set_buffer(self, value_handle, len, append=False):
        _call("buffer", _int(value_handle), _int(len), bool(append))

    def gattc_exchange_mtu(self, conn_handle):
        _call("exchange_mtu", _int(conn_handle))

    async def _listen(self):
        """Take events, one after the other; the stack waits for the answer to each."""
        events = self._events
        while True:
            line = await events.readline()
            if not line:
                return  # the world is gone
            event, data, written = _world.loads(line)
            if written is not None:
                _written[data[1]] = written
            answer = self._interrupt(event, data)
            _written.clear()
            events.write(_world.dumps(answer))
            await events.drain()

    def _interrupt(self, event, data):
        if event <= _IRQ_CENTRAL_DISCONNECT:
            data[2] = memoryview(binascii.unhexlify(data[2]))
        result = None
        if self._handler:
            try:
                result = self._handler(event, tuple(data))
            except Exception as error:
                print("Unhandled exception in IRQ callback handler")
                sys.print_exception(error)
                self._handler = None
        return result if isinstance(result, int) else 0


def _row(row):
    if not 2 <= len(row) <= 3:
        raise ValueError("invalid characteristic tuple")
    descriptors = [(_uuid(uuid, "descriptor"), flags) for uuid, flags in row[2]] if len(row) > 2 else ()
    return _uuid(row[0], "characteristic"), row[1], descriptors


def _uuid(uuid, of):
    if not isinstance(uuid, UUID):
        raise ValueError("invalid " + of + " UUID")
    return _hex(bytes(uuid))


def _int(value):
    if not isinstance(value, int):
        raise TypeError("can't convert " + type(value).__name__ + " to int")
    return value


def _hex(data):
    if data is None:
        return None
    return binascii.hexlify(data.encode() if isinstance(data, str) else bytes(data)).decode()


def _call(operation, *arguments):
    _written.clear()
    return _world.call("ble", operation, *arguments)
