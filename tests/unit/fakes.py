"""Hand-written stand-ins for what the device code is given."""

import asyncio
import sys

from iot import memory


def forget(*names):
    """Has the next import load these modules anew."""
    for name in names:
        if name in sys.modules:
            memory._forget(name)


class FakeNVS:
    """An esp32.NVS in memory, with its errors; the power is cut in the middle of write number `cut_at`."""

    def __init__(self):
        self.values = {}
        self.writes = 0
        self.cut_at = None
        self.cut_by = PowerCut

    def get_blob(self, key, buffer):
        self._check(key)
        value = self._value(key)
        if len(value) > len(buffer):
            raise OSError(-0x110C, "ESP_ERR_NVS_INVALID_LENGTH")
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key, value):
        self._check(key)
        self._write(key)
        self.values[key] = bytes(value)

    def get_i32(self, key):
        return self._value(key)

    def set_i32(self, key, value):
        self._check(key)
        self._write(key)
        self.values[key] = value

    def erase_key(self, key):
        self._value(key)
        self._write(key)
        del self.values[key]

    def commit(self):
        pass

    def _check(self, key):
        if not 1 <= len(key) <= 15:
            raise OSError(-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")

    def _value(self, key):
        if key not in self.values:
            raise OSError(-0x1102, "ESP_ERR_NVS_NOT_FOUND")
        return self.values[key]

    def _write(self, key):
        """Counts the write; where the power is cut in its middle, the key being written is lost."""
        self.writes += 1
        if self.writes == self.cut_at:
            self.values.pop(key, None)
            raise self.cut_by


class PowerCut(BaseException):
    """The power goes away in the middle of a write."""


class FakeLog:
    """Keeps the lines."""

    def __init__(self):
        self.lines = []

    def error(self, area, text, *args):
        self.lines.append("{}: {}".format(area, text.format(*args)))

    warning = info = debug = error

    def exception(self, area, text, error):
        self.lines.append("{}: {}: {}".format(area, text, error))


class FakeDoor:
    """A Door that counts in memory."""

    def __init__(self):
        self.count = 0

    def wrong(self):
        self.count += 1

    def right(self):
        self.count = 0

    @property
    def pause_ms(self):
        return 1000 if self.count >= 5 else 0


class FakeTime:
    """What a module knows as `time` and `asyncio`, where a minute shall not take one."""

    def __init__(self):
        self.now_ms = 0

    def ticks_ms(self):
        return self.now_ms

    def ticks_diff(self, later, earlier):
        return later - earlier

    async def sleep_ms(self, ms):
        self.now_ms += ms
        await asyncio.sleep_ms(0)

    Event = asyncio.Event

    async def within(self, timeout_ms, coroutine):
        """As that of iot.probation, a tenth of a second after the other."""
        task = asyncio.create_task(coroutine)
        end_ms = self.now_ms + timeout_ms
        while not task.done() and self.now_ms < end_ms:
            await self.sleep_ms(100)
        came = task.done()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        return came


class FakeMachine:
    """The chip's module `machine` within a `with`, as far as its RTC's memory goes.

    Entered again it is the chip after a reset; a new one is a chip whose power was cut.
    """

    def __init__(self, memory=b""):
        self.kept = memory
        self.RTC = lambda: self
        self.reset_cause = lambda: 1

    def memory(self, *data):
        if data:
            self.kept = bytes(data[0])
        return self.kept

    def datetime(self, fields):
        self.set_to = fields

    def __enter__(self):
        self._before = sys.modules.get("machine")
        sys.modules["machine"] = self
        forget("iot.storage.rtc", "iot.deaths")

    def __exit__(self, *error):
        forget("iot.storage.rtc", "iot.deaths")
        del sys.modules["machine"]
        if self._before:
            sys.modules["machine"] = self._before


class FakeChip:
    """What `iot.memory` tells of the chip within a `with`; modules that use it are loaded anew."""

    _USERS = ("iot.starving",)

    def __init__(self, free=30000, total=92000, largest=40000):
        self._told = {
            "heap_free": lambda: free,
            "heap_total": lambda: total,
            "idf_largest": lambda: largest,
        }

    def _put(self):
        forget(*self._USERS)
        for name in self._told:
            before = getattr(memory, name)
            setattr(memory, name, self._told[name])
            self._told[name] = before

    def __enter__(self):
        self._put()

    def __exit__(self, *error):
        self._put()


class Without:
    """A name of a module within a `with` that raises: `bytes` or `bytearray` where there is no memory."""

    def __init__(self, module, name, error=MemoryError):
        self._module, self._name, self._error = module, name, error

    def _fail(self, *arguments):
        raise self._error

    def __enter__(self):
        self._before = getattr(self._module, self._name, None)
        setattr(self._module, self._name, self._fail)

    def __exit__(self, *error):
        if self._before is None:
            delattr(self._module, self._name)
        else:
            setattr(self._module, self._name, self._before)
