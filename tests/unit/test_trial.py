"""A trial of a Wi-Fi network: what a driver shows over time, and what people are told."""

import asyncio

from check import araises
from fakes import FakeTime
from iot import trial

HOME = {"ssid": "Home", "password": "correct horse"}
OPEN = {"ssid": "Open", "password": ""}
IDLE, CONNECTING, GOT_IP = 1000, 1001, 1010


class FakeWlan:
    """A network.WLAN that shows `script`, (from ms, status) each; it is associated from a time on."""

    def __init__(self, script, associated_ms=None, fails=()):
        self.time = FakeTime()
        self.calls = []
        self._script = script
        self._associated_ms = associated_ms
        self._fails = fails

    def config(self, reconnects):
        self._note(("reconnects", reconnects))

    def disconnect(self):
        self._note("disconnect")

    def connect(self, ssid, password=None):
        self._note((ssid, password))

    def isconnected(self):
        return self.status() == GOT_IP

    def status(self, what=None):
        if what is None:
            return [status for ms, status in self._script if ms <= self.time.now_ms][-1]
        if self._associated_ms is None or self.time.now_ms < self._associated_ms:
            raise OSError("Wifi Not Connected")
        return -50

    def _note(self, call):
        self.calls.append(call)
        if call in self._fails:
            raise OSError("Wifi Internal Error")


async def joined(wlan, network=HOME, heard=True):
    real = trial.time, trial.asyncio
    trial.time = trial.asyncio = wlan.time
    try:
        return await trial.join(wlan, network, heard)
    finally:
        trial.time, trial.asyncio = real


async def test_a_network_that_lets_the_device_in_is_left_again():
    wlan = FakeWlan([(0, CONNECTING), (3000, GOT_IP)])
    assert await joined(wlan) == "SUCCESS"
    assert wlan.calls == [("reconnects", 2), "disconnect", ("Home", "correct horse"), "disconnect"]
    assert 3000 <= wlan.time.now_ms < 3500


async def test_an_open_network_is_joined_without_a_password():
    wlan = FakeWlan([(0, GOT_IP)])
    assert await joined(wlan, OPEN) == "SUCCESS"
    assert wlan.calls[2] == ("Open", None)


async def test_an_address_at_the_last_moment():
    wlan = FakeWlan([(0, CONNECTING), (19900, GOT_IP)], associated_ms=500)
    assert await joined(wlan) == "SUCCESS"


async def test_reasons_of_the_driver():
    for status, expected in (
        (201, "WRONG_SSID"),  # NO_AP_FOUND
        (212, "WRONG_SSID"),  # NO_AP_FOUND_IN_RSSI_THRESHOLD
        (202, "WRONG_PASSWORD"),  # AUTH_FAIL
        (204, "WRONG_PASSWORD"),  # HANDSHAKE_TIMEOUT
        (15, "WRONG_PASSWORD"),  # 4WAY_HANDSHAKE_TIMEOUT
        (2, "WRONG_PASSWORD"),  # AUTH_EXPIRE
    ):
        wlan = FakeWlan([(0, CONNECTING), (4000, status)])
        assert await joined(wlan) == expected, status
        assert wlan.calls[-1] == "disconnect" and wlan.time.now_ms < 5000


async def test_a_driver_that_goes_on_trying():
    """A wrong password often looks like that; so does a network out of reach."""
    for heard, expected in ((True, "WRONG_PASSWORD"), (False, "WRONG_SSID")):
        for status in (CONNECTING, IDLE):
            wlan = FakeWlan([(0, status)])
            assert await joined(wlan, heard=heard) == expected
            assert 20000 <= wlan.time.now_ms < 21000 and wlan.calls[-1] == "disconnect"


async def test_a_network_without_an_address():
    for heard in (True, False):
        wlan = FakeWlan([(0, CONNECTING)], associated_ms=1000)
        assert await joined(wlan, heard=heard) == "NO_ADDRESS"


async def test_a_driver_that_raises():
    for call in (("reconnects", 2), "disconnect", ("Home", "correct horse")):
        assert await joined(FakeWlan([(0, GOT_IP)], fails=[call])) == "UNKNOWN_FAILURE"


async def test_a_trial_that_is_broken_off_leaves_the_network():
    wlan = FakeWlan([(0, CONNECTING)])

    async def sleep_ms(ms):
        raise asyncio.CancelledError

    wlan.time.sleep_ms = sleep_ms
    await araises(asyncio.CancelledError, "", joined(wlan))
    assert wlan.calls[-1] == "disconnect"
