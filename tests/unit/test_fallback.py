"""The way back to CONFIG: a Wi-Fi that is never reached, and a button that is held."""

from check import raises
from fakes import FakeLog, FakeMachine, FakeNVS, FakeTime
from iot import fallback


class FakeWifi:
    """Reaches its network at a time, or never."""

    def __init__(self, time, reached_ms=None):
        self._time, self._reached_ms = time, reached_ms

    @property
    def ssid(self):
        return "Home" if self._reached_ms is not None and self._time.now_ms >= self._reached_ms else None


class FakeSystem:
    """What a watch needs of the System."""

    def __init__(self, wifi, nvs, limit_ms):
        self.wifi, self.nvs, self.settings = wifi, nvs, self
        self.WIFI_REACH_MS = limit_ms
        self.restarts = []

    def restart(self, reason):
        self.restarts.append(reason)


class FakePin:
    """A button to ground that is let go at a time, or never."""

    def __init__(self, time, until_ms=None):
        self._time, self._until_ms = time, until_ms

    def value(self):
        return 0 if self._until_ms is None or self._time.now_ms < self._until_ms else 1


async def timed(function, *args):
    """The function's result and the milliseconds that it took; `args` get the time first."""
    real = fallback.time, fallback.asyncio
    time = fallback.time = fallback.asyncio = FakeTime()
    try:
        return await function(time, *args), time.now_ms
    finally:
        fallback.time, fallback.asyncio = real


async def watched(nvs, reached_ms, limit_ms, log=None):
    """Whether a watch gave up and the next start goes to CONFIG, and after how long."""

    async def watch(time):
        system = FakeSystem(FakeWifi(time, reached_ms), nvs, limit_ms)
        system.log = log
        await fallback.watch(system)
        return system.restarts

    with FakeMachine():
        restarts, ms = await timed(watch)
        from iot import retained

        asked = retained.get("setup")
    assert restarts == ["Wi-Fi was never reached"] * asked
    return bool(asked), ms


async def test_a_network_that_is_reached_is_remembered():
    nvs = FakeNVS()
    assert not fallback.reached(nvs)
    for reached_ms in (0, 40000, 299500):
        given_up, ms = await watched(nvs, reached_ms, 300000)
        assert not given_up and reached_ms <= ms <= reached_ms + 500
        assert fallback.reached(nvs)
        assert await watched(nvs, None, 1000) == (False, 0), "once is enough"
        fallback.set_reached(nvs, False)


async def test_a_network_that_is_never_reached():
    nvs = FakeNVS()
    given_up, ms = await watched(nvs, None, 300000)
    assert given_up and 300000 <= ms <= 301000
    assert not fallback.reached(nvs) and nvs.writes == 0


def test_flash_is_written_only_where_something_changes():
    nvs = FakeNVS()
    fallback.set_reached(nvs, False)
    assert nvs.writes == 0
    fallback.set_reached(nvs, True)
    fallback.set_reached(nvs, True)
    assert nvs.writes == 1 and fallback.reached(nvs)
    fallback.set_reached(nvs, False)
    assert nvs.writes == 2 and not fallback.reached(nvs)


async def test_flash_that_fails_is_not_taken_for_no():
    class Failing(FakeNVS):
        def get_i32(self, key):
            raise OSError(-0x1105, "ESP_ERR_NVS_INVALID_HANDLE")

    raises(OSError, "", fallback.reached, Failing())
    for nvs in (Failing(), FakeNVS()):
        log = FakeLog()
        if not isinstance(nvs, Failing):
            nvs.cut_at = 1
            nvs.cut_by = OSError(28, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
        assert await watched(nvs, 0, 1000, log) == (False, 0), "what works goes on"
        assert len(log.lines) == 1 and "ESP_ERR_NVS" in log.lines[0]


async def test_a_button_that_is_held_for_a_second():
    async def held(time, until_ms):
        return await fallback.held(FakePin(time, until_ms))

    assert await timed(held, None) == (True, 1000)
    assert await timed(held, 0) == (False, 0)
    for until_ms in (50, 400, 900):
        down, ms = await timed(held, until_ms)
        assert not down and ms == until_ms
