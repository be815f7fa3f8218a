"""Wi-Fi: which network, what when it is lost, and the radio's reset. The radio is a fake with WLAN's ways."""

import asyncio

from check import araises
from fakes import FakeLog, FakeMachine, FakeTime
from iot.wifi import station
from iot.wifi.station import Wifi

PATIENCE_MS = 200_000  # a deadline tells a hang from work
NETWORKS = [{"ssid": "First", "password": "correct horse"}, {"ssid": "Open", "password": ""}]


class FakeWlan:
    """A network.WLAN; `in_reach` names what it hears and can join, joining anything else raises."""

    def __init__(self, in_reach):
        self.in_reach = in_reach
        self.calls = []
        self._joined = None

    def active(self, on):
        self.calls.append("on" if on else "off")
        self._joined = None

    def disconnect(self):
        self._joined = None

    def config(self, reconnects):
        pass

    def scan(self):
        self.calls.append("scan")
        return [(name.encode(), b"\2\0\0\0\0\1", 1, -50, 3, False) for name in self.in_reach]

    def connect(self, ssid, password=None, bssid=None):
        self.calls.append((ssid, password))
        if ssid not in self.in_reach:
            raise OSError("Wifi Internal Error")
        self._joined = ssid

    def isconnected(self):
        return self._joined in self.in_reach

    def ifconfig(self):
        return (
            "192.168.4.9" if self.isconnected() else "0.0.0.0",
            "255.255.255.0",
            "192.168.4.1",
            "192.168.4.1",
        )

    def status(self, what=None):
        if what is None:
            return 1010 if self.isconnected() else 1000
        if not self.isconnected():
            raise OSError("Wifi Not Connected")
        return -50


class NoBackoff:
    def __init__(self):
        self.resets = 0

    def next_ms(self):
        return 1

    def reset(self):
        self.resets += 1


class Bench:
    """A Wifi at work, and what it told."""

    def __init__(self, in_reach, networks=NETWORKS, machine=None):
        self._machine = machine or FakeMachine()
        self.wlan = FakeWlan(in_reach)
        self.told = []
        self.backoff = NoBackoff()
        notify = lambda event, detail: self.told.append((event, detail))  # noqa: E731
        self.wifi = Wifi(self.wlan, networks, self.backoff, FakeLog(), notify)

    async def __aenter__(self):
        self._machine.__enter__()
        self._task = asyncio.create_task(self.wifi.run())
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass
        self._machine.__exit__(*error)

    async def until(self, condition):
        for _ in range(PATIENCE_MS // 10):
            if condition():
                return
            await asyncio.sleep_ms(10)
        raise AssertionError("did not come: {}".format(self.wlan.calls))


async def test_the_first_network_that_can_be_had():
    async with Bench(["Open"]) as b:
        assert b.wifi.ssid is None
        await asyncio.wait_for_ms(b.wifi.connected(), PATIENCE_MS)
        assert b.wlan.calls == ["on", "scan", ("First", "correct horse"), ("Open", None)]
        assert b.told == [
            ("unreached", 'network "First": it does not let the device in'),
            ("wifi_up", {"ssid": "Open", "ip": "192.168.4.9", "rssi": -50}),
        ]
        assert b.wifi.ssid == "Open" and b.wifi.rssi() == -50 and b.backoff.resets == 1
    assert b.wlan.calls[-1] == "off" and b.wifi.ssid is None and b.wifi.rssi() is None


async def test_a_lost_network_is_told_and_sought_again():
    async with Bench(["First"]) as b:
        await b.until(lambda: b.told)
        b.wlan.in_reach.remove("First")
        assert b.wifi.rssi() is None  # gone, though nobody has noticed yet
        await b.until(lambda: len(b.told) >= 2)
        assert b.told[1] == ("wifi_down", 'lost "First"') and b.wifi.ssid is None
        b.wlan.in_reach.append("First")
        await b.until(lambda: b.told[-1][0] == "wifi_up" and len(b.told) > 2)


async def test_nothing_connects_through_a_network_that_is_gone_though_nobody_has_noticed_yet():
    async with Bench(["First"]) as b:
        await asyncio.wait_for_ms(b.wifi.connected(), PATIENCE_MS)
        b.wlan.in_reach.remove("First")
        assert b.wifi.ssid == "First"
        waiting = asyncio.create_task(b.wifi.connected())
        await asyncio.sleep_ms(0)
        assert not waiting.done()
        b.wlan.in_reach.append("First")
        await asyncio.wait_for_ms(waiting, PATIENCE_MS)


async def test_all_who_wait_go_on_but_who_is_cancelled():
    async with Bench([]) as b:
        waiting = [asyncio.create_task(b.wifi.connected()) for _ in range(3)]
        await b.until(lambda: b.told)
        assert not [task for task in waiting if task.done()]
        waiting[1].cancel()
        b.wlan.in_reach.append("Open")
        await asyncio.wait_for_ms(waiting[0], 10000)
        await asyncio.wait_for_ms(waiting[2], 10000)
        await araises(asyncio.CancelledError, "", waiting[1])


async def test_a_connection_that_comes_and_goes_between_two_looks_is_waited_for_and_not_missed():
    """The driver joins again by itself, and the watch may have seen it where who waits does not."""
    async with Bench(["First"]) as b:
        await asyncio.wait_for_ms(b.wifi.connected(), 10000)
        answers = [False, True, False, True, True]  # who waits, the watch, who waits, the watch, who waits
        b.wlan.isconnected = lambda: answers.pop(0) if answers else True
        await asyncio.wait_for_ms(b.wifi.connected(), 10000)
        assert not answers and [event for event, _ in b.told] == ["wifi_up"]


async def test_what_a_network_is_called_is_no_format():
    """A name may have braces in it, and what is told of it is logged and told as it is."""
    odd = [{"ssid": "{0} {", "password": "correct horse"}]
    async with Bench([], odd) as b:
        await b.until(lambda: b.told)
        assert b.told[0] == ("unreached", 'network "{0} {": it does not let the device in')


async def test_a_radio_that_does_not_scan_is_asked_to_connect_all_the_same():
    async with Bench(["First"]) as b:

        def scan():
            raise RuntimeError("Wifi Unknown Error 0x3006")

        b.wlan.scan = scan
        await asyncio.wait_for_ms(b.wifi.connected(), PATIENCE_MS)


async def test_the_radio_is_reset_after_fruitless_rounds():
    async with Bench([]) as b:
        await b.until(lambda: "off" in b.wlan.calls)
        first_reset = b.wlan.calls.index("off")
        assert first_reset == 1 + 3 * (1 + len(NETWORKS)), b.wlan.calls
        await b.until(lambda: b.wlan.calls.count("on") > 1)
        assert b.wlan.calls[first_reset + 1] == "on"


async def test_a_restart_goes_back_to_where_it_was_without_looking_around():
    machine = FakeMachine()
    for calls in (["on", "scan", ("First", "correct horse"), ("Open", None)], ["on", ("Open", None)]):
        async with Bench(["Open"], machine=machine) as b:
            await asyncio.wait_for_ms(b.wifi.connected(), PATIENCE_MS)
            assert b.wlan.calls == calls
    async with Bench(["First"], machine=machine) as b:  # that one is gone
        await asyncio.wait_for_ms(b.wifi.connected(), PATIENCE_MS)
        assert b.wlan.calls == ["on", ("Open", None), "scan", ("First", "correct horse")]
    async with Bench(["First"], NETWORKS[:1], machine) as b:
        await asyncio.wait_for_ms(b.wifi.connected(), PATIENCE_MS)
        assert b.wlan.calls == ["on", ("First", "correct horse")]
    async with Bench(["Open"], NETWORKS[1:], FakeMachine()) as b:  # a cut of power
        await asyncio.wait_for_ms(b.wifi.connected(), PATIENCE_MS)
        assert b.wlan.calls == ["on", "scan", ("Open", None)]


async def test_a_radio_that_fails_is_tried_again_and_want_of_memory_is_told():
    station.asyncio = time = FakeTime()
    errors = [OSError("Wifi Unknown Error 0x0101"), RuntimeError("x"), MemoryError()]
    try:
        b = Bench(["First"])
        active = b.wlan.active

        def fails(on):
            if on and errors:
                raise errors.pop(0)
            active(on)

        b.wlan.active = fails
        async with b:
            await b.until(lambda: b.told and b.told[-1][0] == "wifi_up")
    finally:
        station.asyncio = asyncio
    assert b.told[0] == ("starved", "Wifi Unknown Error 0x0101")
    assert [event for event, _ in b.told] == ["starved"] * 3 + ["wifi_up"] and time.now_ms >= 15_000


async def test_a_radio_that_fails_at_the_end_too_lets_what_ends_it_pass():
    b = Bench(["First"])
    async with b:
        await b.until(lambda: b.told)

        def fails(on):
            raise OSError("Wifi Not Initialized")

        b.wlan.active = fails
    assert b.wifi.ssid is None and b._task.done()
