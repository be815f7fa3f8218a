"""How long and how stubbornly a device advertises, on a radio that does as told."""

import asyncio
import sys

from check import araises
from fakes import FakeLog, FakeTime, forget

DAY_MS = 86400000


class Radio(FakeTime):
    """The modules `aioble`, `bluetooth`, `time` and `asyncio` for the service within a `with`.

    outcomes: what becomes of each time it is asked to advertise: an exception, None or a connection;
        then nobody comes any more.
    asked: for how many ms it was asked each time.
    """

    TimeoutError, CancelledError = asyncio.TimeoutError, asyncio.CancelledError

    def __init__(self, *outcomes):
        FakeTime.__init__(self)
        self.outcomes = list(outcomes)
        self.asked = []
        self.log = FakeLog()

    def ticks_diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)

    def UUID(self, text):
        return text

    async def advertise(self, interval_us, name, services, timeout_ms):
        assert 0 < timeout_ms < 1 << 29, "longer than MicroPython can wait"
        self.asked.append(timeout_ms)
        outcome = self.outcomes.pop(0) if self.outcomes else asyncio.TimeoutError()
        if isinstance(outcome, asyncio.TimeoutError):
            self.now_ms += timeout_ms
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def welcome(self, limit_ms):
        """Run what welcomes phones, of which it serves none."""

        async def pause():
            pass

        async def serve(connection):
            return False

        service = self.module.Service("esp32", b"", None, pause, self.log, None)
        service._serve = serve
        await service._welcome(limit_ms, False)

    def __enter__(self):
        self._before = {name: sys.modules.get(name) for name in ("aioble", "bluetooth")}
        sys.modules["aioble"] = sys.modules["bluetooth"] = self
        forget("iot.ble.service")
        from iot.ble import service

        self.module = service
        service.asyncio = service.time = self
        return self

    def __exit__(self, *error):
        forget("iot.ble.service")
        for name, before in self._before.items():
            del sys.modules[name]
            if before:
                sys.modules[name] = before


async def test_a_time_of_weeks_is_advertised_in_pieces():
    for limit_ms in (1, 900000, DAY_MS, 10 * DAY_MS, 365 * DAY_MS):
        with Radio() as radio:
            await radio.welcome(limit_ms)
        assert sum(radio.asked) == limit_ms


async def test_a_radio_that_fails_is_asked_again_and_the_time_goes_on():
    errors = [OSError(12), MemoryError(), OSError("x")] * 3
    with Radio(*errors, object(), *errors) as radio:
        await radio.welcome(10000)
    assert len(radio.asked) == 20 and 5000 < radio.asked[-1] < 9000
    assert len(radio.log.lines) == 18


async def test_a_radio_that_never_works_is_a_failure():
    with Radio(*[OSError(19)] * 10) as radio:
        await araises(OSError, "19", radio.welcome(10000))


async def test_a_cancellation_passes():
    with Radio(None) as radio:
        await araises(asyncio.CancelledError, "", radio.welcome(10000))
