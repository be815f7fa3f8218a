"""The way back to CONFIG: a Wi-Fi or a cloud that is never reached, and a button that is held."""

import asyncio

from check import raises
from fakes import FakeLog, FakeMachine, FakeNVS, FakeTime, PowerCut
from iot import probation
from iot.events import Events


class FakeSystem:
    """What a watch needs of the System; Wi-Fi and the cloud are reached at a time, or never."""

    def __init__(self, time, nvs, wifi_ms, cloud_ms, clock="sntp"):
        self.nvs, self.log = nvs, FakeLog()
        self.events = Events(self.log)
        self.wifi = self.settings = self.clock = self
        self.WIFI_REACH_MS, self.CLOUD_REACH_MS = 300000, 200000
        self.state = clock
        self.unreached = None
        self.restarts = []
        self.settled = []
        self.on_trial = False
        self._time, self._wifi_ms, self._cloud_ms = time, wifi_ms, cloud_ms
        self._joined = asyncio.Event()

    async def connected(self):
        await self._joined.wait()

    def pass_time(self, ms):
        self._time.now_ms += ms
        if self._wifi_ms is not None and self._time.now_ms >= self._wifi_ms:
            self._joined.set()
        if self._cloud_ms is not None and self._time.now_ms >= self._cloud_ms:
            self.events.emit("cloud_up", False)
            self._cloud_ms = None

    def restart(self, reason):
        self.restarts.append(reason)

    def store(self):
        return self

    def settle_configuration(self, is_kept):
        self.settled.append(is_kept)
        return self.on_trial


class FakePin:
    """A button to ground that is let go at a time, or never."""

    def __init__(self, time, until_ms=None):
        self._time, self._until_ms = time, until_ms

    def value(self):
        return 0 if self._until_ms is None or self._time.now_ms < self._until_ms else 1


async def timed(function, *args):
    """The function's result and the milliseconds that it took; `args` get the time first."""
    real = probation.asyncio, probation.within
    time = probation.asyncio = FakeTime()
    probation.within = time.within
    try:
        return await function(time, *args), time.now_ms
    finally:
        probation.asyncio, probation.within = real


async def watched(nvs, wifi_ms, cloud_ms, clock="sntp", unreached=None, on_trial=False, deaths=0):
    """The system behind a watch, whether its next start goes to CONFIG, and how long the watch took."""

    async def watch(time):
        system = FakeSystem(time, nvs, wifi_ms, cloud_ms, clock)
        system.unreached, system.on_trial = unreached, on_trial
        sleep_ms = time.sleep_ms

        async def pass_time(ms):
            await sleep_ms(0)
            system.pass_time(ms)

        time.sleep_ms = pass_time
        await probation.watch(system)
        return system

    with FakeMachine():
        from iot.storage import rtc

        rtc.set("died", deaths)
        system, ms = await timed(watch)
        asked = rtc.get("setup")
    assert len(system.restarts) == (asked or (on_trial and system.settled == [False]))
    assert not system.events._handlers.get("cloud_up")
    return system, asked, ms


async def test_a_cloud_that_is_reached_is_remembered():
    nvs = FakeNVS()
    assert not probation.reached(nvs)
    for wifi_ms, cloud_ms in ((0, 600), (40000, 90000), (299500, 499000)):
        _, asked, ms = await watched(nvs, wifi_ms, cloud_ms)
        assert not asked and cloud_ms <= ms <= cloud_ms + 1000
        assert probation.reached(nvs)
        assert (await watched(nvs, None, None))[1:] == (0, 0), "once is enough"
        probation.set_reached(nvs, False)


async def test_wifi_alone_does_not_count():
    nvs = FakeNVS()
    system, asked, ms = await watched(nvs, 20000, None, unreached="refused by the broker: not authorized")
    assert asked and 220000 <= ms <= 222000
    assert system.restarts == ["the cloud was never reached: refused by the broker: not authorized"]
    assert not probation.reached(nvs) and probation.reason(nvs) == "refused by the broker: not authorized"


async def test_wifi_that_is_never_reached():
    nvs = FakeNVS()
    system, asked, ms = await watched(nvs, None, None, unreached='"Home": it needs a password')
    assert asked and 300000 <= ms <= 301000
    assert system.restarts == ['Wi-Fi was never reached: "Home": it needs a password']
    assert not probation.reached(nvs) and probation.reason(nvs) == '"Home": it needs a password'


async def test_there_is_always_a_reason():
    for wifi_ms, clock, expected in (
        (None, "unset", "no network lets the device in"),
        (0, "unset", "no time server answers"),
        (0, "estimate", "no answer came"),
    ):
        nvs = FakeNVS()
        await watched(nvs, wifi_ms, None, clock)
        assert probation.reason(nvs) == expected


async def test_a_reason_is_kept_until_it_no_longer_counts():
    nvs = FakeNVS()
    assert probation.reason(nvs) is None
    for text in ("x" * 1000, "\U0001f41f" * 1000):
        await watched(nvs, 0, None, unreached=text)
        assert probation.reason(nvs) == text[:100]
    probation.set_reached(nvs, False)  # of the next configuration
    assert probation.reason(nvs) is None
    await watched(nvs, 0, None)
    assert probation.reason(nvs) and not probation.reached(nvs)
    await watched(nvs, 0, 1000)
    assert probation.reason(nvs) is None and probation.reached(nvs)


async def test_a_trial_that_is_not_reached_has_the_one_before_come_back():
    nvs = FakeNVS()
    system, asked, _ = await watched(nvs, None, None, unreached="no such network", on_trial=True)
    text = "Wi-Fi was never reached: no such network"
    assert not asked and system.settled == [False]
    assert system.restarts == ["the configuration before comes back: " + text]
    assert probation.reached(nvs) and probation.reason(nvs) == text
    system, _, ms = await watched(nvs, None, None, on_trial=True)
    assert ms == 0 and not system.settled, "nothing is on trial any more"


async def test_a_trial_that_is_reached_counts_from_then_on():
    nvs = FakeNVS()
    system, _, _ = await watched(nvs, 0, 600, on_trial=True)
    assert system.settled == [True] and not system.restarts and probation.reached(nvs)


async def test_a_device_that_dies_of_its_configuration():
    for deaths, on_trial in ((4, True), (5, True), (5, False)):
        nvs = FakeNVS()
        system, asked, ms = await watched(nvs, 0, 600, on_trial=on_trial, deaths=deaths)
        assert bool(system.restarts) == (deaths == 5) and asked == (deaths == 5 and not on_trial)
        assert probation.reached(nvs) == on_trial
        assert deaths < 5 or (ms == 0 and "the device restarted 5 times" in system.restarts[0])


class FakeStore:
    """A store that saves, or raises."""

    def __init__(self, nvs, error=None):
        self.nvs, self.error, self.saved = nvs, error, []

    def save(self, document, on_trial=False):
        if self.error:
            raise self.error
        self.saved.append(document)


def test_a_new_configuration_has_to_show_that_it_works():
    nvs = FakeNVS()
    probation.set_reached(nvs, True)
    store = FakeStore(nvs)
    with FakeMachine():
        from iot.storage import rtc

        rtc.set_station(2, b"\2\0\0\0\0\1")
        probation.replace(nvs, store, "new")
        from iot.storage import rtc

        assert rtc.station() == (-1, None), "the new one has networks of its own"
    assert store.saved == ["new"] and not probation.reached(nvs)


def test_one_that_cannot_be_stored_changes_nothing():
    for error in (OSError(28), ValueError("too large"), MemoryError()):
        for before in (True, False):
            nvs = FakeNVS()
            probation.set_reached(nvs, before)
            with FakeMachine():
                raises(type(error), "", probation.replace, nvs, FakeStore(nvs, error), "new")
            assert probation.reached(nvs) == before


def test_a_power_cut_never_has_a_new_configuration_count():
    for cut_at in (1, 2):
        nvs = FakeNVS()
        probation.set_reached(nvs, True)
        nvs.writes, nvs.cut_at = 0, cut_at
        store = FakeStore(nvs)
        try:
            with FakeMachine():
                probation.replace(nvs, store, "new")
        except PowerCut:
            pass
        assert not (store.saved and probation.reached(nvs))


def test_flash_is_written_only_where_something_changes():
    nvs = FakeNVS()
    probation.set_reached(nvs, False)
    assert nvs.writes == 0
    probation.set_reached(nvs, True)
    probation.set_reached(nvs, True)
    assert nvs.writes == 1 and probation.reached(nvs)
    probation.set_reached(nvs, False)
    assert nvs.writes == 2 and not probation.reached(nvs)


async def test_flash_that_fails_is_not_taken_for_no():
    class Failing(FakeNVS):
        def get_i32(self, key):
            raise OSError(-0x1105, "ESP_ERR_NVS_INVALID_HANDLE")

    raises(OSError, "", probation.reached, Failing())
    for nvs, cloud_ms in ((Failing(), 1000), (FakeNVS(), 1000), (FakeNVS(), None)):
        if not isinstance(nvs, Failing):
            nvs.cut_at = 1
            nvs.cut_by = OSError(28, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
        system, asked, _ = await watched(nvs, 0, cloud_ms)
        assert bool(asked) == (cloud_ms is None), "what works goes on"
        assert len(system.log.lines) == 1 and "ESP_ERR_NVS" in system.log.lines[0]


async def test_a_button_that_is_held_for_a_second():
    async def held(time, until_ms):
        return await probation.held(FakePin(time, until_ms))

    assert await timed(held, None) == (True, 1000)
    assert await timed(held, 0) == (False, 0)
    for until_ms in (50, 400, 900):
        down, ms = await timed(held, until_ms)
        assert not down and ms == until_ms
