"""Networks as a phone shows them, out of what the driver hears in a thread."""

import asyncio

from check import araises
from fakes import FakeTime
from iot.wifi import scan

BSSID = b"\x02\0\0\0\0\1"


def heard(name, rssi=-50, authmode=3):
    """A network as WLAN.scan gives it."""
    return (name, BSSID, 1, rssi, authmode, False)


class FakeWlan:
    def __init__(self, found):
        self._found = found

    def scan(self):
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


async def scanned(*found):
    return scan.shown(await scan.scan(FakeWlan(list(found))))


async def test_the_strongest_comes_first():
    assert await scanned(heard(b"Far", -80), heard(b"Near", -30, 0), heard(b"Middle", -60, 6)) == [
        {"ssid": "Near", "rssi": -30, "security": "open"},
        {"ssid": "Middle", "rssi": -60, "security": "wpa3"},
        {"ssid": "Far", "rssi": -80, "security": "wpa2"},
    ]


async def test_no_network():
    assert await scanned() == []


async def test_no_name_comes_twice():
    found = [heard(b"Home", -70), heard(b"Home", -40, 4), heard(b"Home", -60), heard(b"Other", -50)]
    networks = await scanned(*found)
    assert [(network["ssid"], network["rssi"]) for network in networks] == [("Home", -40), ("Other", -50)]


async def test_names_that_cannot_be_configured_are_left_out():
    names = [b"", b"\xff\xfe", b"\xc3", "Café".encode(), b'a"b\\']
    networks = await scanned(*[heard(name) for name in names])
    assert {network["ssid"] for network in networks} == {"Café", 'a"b\\'}


async def test_no_more_than_twenty():
    networks = await scanned(*[heard(b"%d" % number, -99 + number) for number in range(50)])
    assert [network["rssi"] for network in networks] == list(range(-50, -70, -1))


async def test_kinds_of_security():
    """By wifi_auth_mode_t of ESP-IDF; what a later one adds is "other"."""
    networks = await scanned(*[heard(b"%d" % mode, -mode, mode) for mode in range(10)])
    assert [network["security"] for network in networks] == [
        "open", "wep", "wpa", "wpa2", "wpa2", "enterprise", "wpa3", "wpa3", "other", "other",
    ]  # fmt: skip


async def test_a_driver_that_raises():
    await araises(
        OSError, "Wifi Internal State Error", scan.scan(FakeWlan(OSError("Wifi Internal State Error")))
    )
    await araises(OSError, "no memory", scan.scan(FakeWlan(MemoryError("no memory"))))


async def test_a_radio_that_never_answers():
    class NoThread:
        def start_new_thread(self, function, arguments):
            pass

    time = FakeTime()
    real = scan._thread, scan.asyncio
    scan._thread, scan.asyncio = NoThread(), time
    try:
        await araises(OSError, "the radio does not answer", scan.scan(FakeWlan([])))
    finally:
        scan._thread, scan.asyncio = real
    assert 15000 <= time.now_ms <= 15100


async def test_the_loop_has_its_turns_meanwhile():
    """The driver takes seconds: others are not to wait for it."""
    turns = []

    async def others():
        while True:
            turns.append(1)
            await asyncio.sleep_ms(1)

    class Patient:
        """A thread that ends once others have had three turns, however slow they are."""

        def start_new_thread(self, function, arguments):
            async def run():
                while len(turns) < 3:
                    await asyncio.sleep_ms(1)
                function(*arguments)

            tasks.append(asyncio.create_task(run()))

    real, scan._thread = scan._thread, Patient()
    tasks = [asyncio.create_task(others())]
    try:
        assert len(await scanned(heard(b"Home"))) == 1
    finally:
        for task in tasks:
            task.cancel()
        scan._thread = real
