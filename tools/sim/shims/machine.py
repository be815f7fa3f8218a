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
_DHT_START_MS = 268
_kept = {}  # what outlived the reset, by the world's names
_freq = [160000000]
_LATER = {  # what few programs use is loaded for those alone: a small heap has no room for all of it
    "ADC": "_analog",
    "ADCBlock": "_analog",
    "I2C": "_buses",
    "PWM": "_analog",
    "SPI": "_buses",
    "SoftI2C": "_buses",
    "SoftSPI": "_buses",
    "Timer": "_timer",
    "TouchPad": "_analog",
    "UART": "_uart",
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError("'module' object has no attribute '" + name + "'")
    return getattr(__import__(_LATER[name]), name)


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


def dht_readinto(pin, buf):
    """Ask a DHT11 or DHT22 for its 5 bytes; OSError ETIMEDOUT where none answers."""
    number = _pin_id(pin)
    if len(buf) < 5:
        raise ValueError("buffer too small")
    time.sleep_ms(_DHT_START_MS)  # the start signal, in which the chip does nothing else
    memoryview(buf)[:5] = binascii.unhexlify(_world.call("part", "dht", number))


def bitstream(pin, encoding, timing, data):
    """Send bytes as pulses: the world sees the bytes."""
    if encoding != 0:
        raise ValueError("encoding")
    if len(timing) != 4:
        raise ValueError("requested length 4 but object has length " + str(len(timing)))
    _world.call("part", "bitstream", _pin_id(pin), binascii.hexlify(bytes(data)).decode())


def _pin_id(pin):
    """The number of a pin, which may be given as a Pin."""
    if isinstance(pin, Pin):
        return pin._id
    if not isinstance(pin, int) or not 0 <= pin <= 39 or pin in _NO_PINS:
        raise ValueError("invalid pin")
    return pin


class Pin:
    """A GPIO; the world sees what is put out and sets what is read."""

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=None):
        self._id = _pin_id(id)
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None):
        if mode in (Pin.OUT, Pin.OPEN_DRAIN) and self._id >= _INPUT_ONLY:
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

    def toggle(self):
        self.value(not self.value())

    def irq(self, handler=None, trigger=3):
        """Have `handler(pin)` called at edges of what is wired to it; None for nobody."""
        import _irq

        _irq.on("pin", self._id, None if handler is None else lambda: handler(self))
        _world.call("part", "irq", self._id, trigger if handler else 0, self.value())


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
