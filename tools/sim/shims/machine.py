"""`machine` of the simulated chip: pins, watchdog, clock and reset, kept by the world."""

import binascii
import sys
import time

import _world

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_INPUT_ONLY = 34
_NO_PINS = (24, 28, 29, 30, 31)
_RTC_MEMORY_LIMIT = 2048
_kept = {}  # what outlived the reset, by the world's names
_freq = [160000000]


def unique_id():
    """The chip's MAC address, 6 bytes."""
    return binascii.unhexlify(_kept["mac"].replace(":", ""))


def reset_cause():
    """PWRON_RESET, HARD_RESET (also after a panic), WDT_RESET or SOFT_RESET."""
    return _kept["cause"]


def reset():
    """End the program here and now; it starts again with HARD_RESET."""
    _flush()
    _world.call("reset", HARD_RESET)


def soft_reset():
    """Leave the program by SystemExit; it starts again with SOFT_RESET, Wi-Fi and watchdog go on."""
    raise SystemExit


def freq(*hz):
    """Get or set the frequency of the CPU in Hz."""
    if not hz:
        return _freq[0]
    if hz[0] not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _freq[0] = hz[0]
    return None


def _flush():
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()


class Pin:
    """A GPIO; the world sees what is put out and sets what is read."""

    IN = 1
    OUT = 3
    PULL_DOWN = 1
    PULL_UP = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None):
        if not 0 <= id <= 39 or id in _NO_PINS:
            raise ValueError("invalid pin")
        self._id = id
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None):
        if mode == Pin.OUT and self._id >= _INPUT_ONLY:
            raise ValueError("pin can only be input")
        if pull != -1:
            _world.call("pull", self._id, pull)
        if value is not None:
            self.value(value)

    def value(self, *x):
        if not x:
            return _world.call("read_pin", self._id)
        return _world.call("pin", self._id, int(bool(x[0])))

    def __call__(self, *x):
        return self.value(*x)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


class WDT:
    """The watchdog: not fed for `timeout` ms, it resets the chip. It cannot be stopped."""

    def __init__(self, *, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _world.call("watchdog", timeout)

    def feed(self):
        _world.call("feed")


class RTC:
    """The clock that `time` shows, and 2,048 bytes; both outlive every reset but not a loss of power."""

    def datetime(self, *datetimetuple):
        """Get or set (year, month, day, weekday, hour, minute, second, microsecond)."""
        if not datetimetuple:
            microsecond = time.time_ns() // 1000 % 1000000
            year, month, day, hour, minute, second, weekday, _ = time.gmtime()
            return (year, month, day, weekday, hour, minute, second, microsecond)
        year, month, day, _, hour, minute, second, microsecond = datetimetuple[0]
        seconds = time.mktime((year, month, day, hour, minute, second, 0, 0))
        _world.call("clock", time._set(seconds, microsecond))
        return None

    def memory(self, *data):
        if not data:
            return binascii.unhexlify(_kept["memory"])
        if len(data[0]) > _RTC_MEMORY_LIMIT:
            raise ValueError("buffer too long")
        _kept["memory"] = binascii.hexlify(bytes(data[0])).decode()
        _world.call("memory", _kept["memory"])
        return None
