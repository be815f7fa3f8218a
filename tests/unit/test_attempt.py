"""An attempt to get into a Wi-Fi network: what a driver shows over time, and what people are told."""

import asyncio

from check import araises
from fakes import FakeTime
from iot.ble.codes import NAMES
from iot.wifi import attempt, words

HOME = {"ssid": "Home", "password": "correct horse"}
OPEN = {"ssid": "Open", "password": ""}
IDLE, CONNECTING, GOT_IP = 1000, 1001, 1010
OPEN_MODE, WEP, WPA, WPA2, ENTERPRISE = 0, 1, 2, 3, 5
FAR, NEAR = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"


def point(name="Home", mode=WPA2, rssi=-50, bssid=FAR):
    """A row of WLAN.scan()."""
    return (name.encode(), bssid, 1, rssi, mode, False)


HEARD = (point(),)


class FakeWlan:
    """A network.WLAN that shows `script`, (from ms after connect, status) each; associated from a time on."""

    def __init__(self, script, associated_ms=None, fails=(), before=IDLE, until_ms=10**9):
        self.time = FakeTime()
        self.calls = []
        self.address = "0.0.0.0"
        self._script = script
        self._associated_ms, self._until_ms = associated_ms, until_ms
        self._fails = fails
        self._before = before
        self._start_ms = None

    def config(self, reconnects):
        self._note(("reconnects", reconnects))

    def disconnect(self):
        self._note("disconnect")

    def ifconfig(self, *config):
        if config:
            self._note(config[0])
            self.address = config[0][0]
        return (self.address, "", "", "")

    def ipconfig(self, dhcp4):
        self._note(("dhcp4", dhcp4))
        self.address = "0.0.0.0"

    def connect(self, ssid, password=None, bssid=None):
        self._start_ms = self.time.now_ms
        self._note((ssid, password, bssid))

    def isconnected(self):
        return self.status() == GOT_IP

    def status(self, what=None):
        ms = self.time.now_ms - self._start_ms
        if what is None:
            return ([self._before] + [status for since_ms, status in self._script if since_ms <= ms])[-1]
        if self._associated_ms is None or not self._associated_ms <= ms < self._until_ms:
            raise OSError("Wifi Not Connected")
        return -50

    def _note(self, call):
        self.calls.append(call)
        if call in self._fails:
            raise OSError("Wifi Internal Error")

    def connects(self):
        return [call for call in self.calls if isinstance(call, tuple) and len(call) == 3]


async def tried(wlan, network=HOME, points=HEARD):
    """The result and its words."""
    real = attempt.time, attempt.asyncio
    attempt.time = attempt.asyncio = wlan.time
    try:
        result, _ = await attempt.join(wlan, network, points)
        return NAMES[result], words.words(result, network, points) if result else ""
    finally:
        attempt.time, attempt.asyncio = real


async def joined(wlan, network=HOME, points=HEARD):
    result, words = await tried(wlan, network, points)
    assert result in NAMES and bool(words) == (result != "SUCCESS")
    assert result == "SUCCESS" or wlan.calls[-1] == "disconnect", "it would go on trying"
    return result


async def test_a_network_that_lets_the_device_in():
    wlan = FakeWlan([(0, CONNECTING), (3000, GOT_IP)])
    assert await joined(wlan) == "SUCCESS"
    assert wlan.calls == [("reconnects", 2), "disconnect", ("Home", "correct horse", None)]
    assert 3000 <= wlan.time.now_ms < 3500


async def test_an_open_network_is_joined_without_a_password():
    wlan = FakeWlan([(0, GOT_IP)])
    assert await joined(wlan, OPEN, [point("Open", OPEN_MODE)]) == "SUCCESS"
    assert wlan.calls[2] == ("Open", None, None)


async def test_one_number_for_getting_in_and_another_for_the_address():
    assert await joined(FakeWlan([(0, CONNECTING), (19900, GOT_IP)])) == "SUCCESS"
    for came_ms in (500, 19800):
        for address_ms in (came_ms + 15000, came_ms + 39000):
            wlan = FakeWlan([(0, CONNECTING), (address_ms, GOT_IP)], associated_ms=came_ms)
            assert await joined(wlan) == "SUCCESS", "an association that waits for its address goes on"
    for points in ((point(),), ()):
        wlan = FakeWlan([(0, CONNECTING)], associated_ms=1000)
        assert await joined(wlan, points=points) == "NO_ADDRESS"
        assert 40000 <= wlan.time.now_ms < 42000


async def test_an_association_that_is_lost_before_its_address():
    wlan = FakeWlan([(0, CONNECTING), (9000, 200)], associated_ms=1000, until_ms=9000)
    assert await joined(wlan) == "WRONG_PASSWORD"
    assert wlan.time.now_ms < 10000


async def test_reasons_of_the_driver():
    for status, expected in (
        (202, "WRONG_PASSWORD"),  # AUTH_FAIL
        (204, "WRONG_PASSWORD"),  # HANDSHAKE_TIMEOUT
        (15, "WRONG_PASSWORD"),  # 4WAY_HANDSHAKE_TIMEOUT
        (2, "WRONG_PASSWORD"),  # AUTH_EXPIRE
    ):
        wlan = FakeWlan([(0, CONNECTING), (4000, status)])
        assert await joined(wlan) == expected, status
        assert wlan.time.now_ms < 9000
    for status in (201, 212):  # NO_AP_FOUND, and IN_RSSI_THRESHOLD
        wlan = FakeWlan([(0, CONNECTING), (2500, status)])
        assert await joined(wlan, points=[point("Other")]) == "WRONG_SSID"
        assert wlan.time.now_ms < 3000, "the scan says so, too"


async def test_a_first_failure_is_not_the_last_word():
    """The driver tries three times, and shows these reasons in between."""
    for status in (201, 202, 212):
        wlan = FakeWlan([(0, CONNECTING), (1000, status), (6500, GOT_IP)])
        assert await joined(wlan) == "SUCCESS", status


async def test_what_is_left_of_an_earlier_network_is_not_believed():
    for status in (201, 202, 15, 2, 210):
        for points in ((point(),), ()):
            wlan = FakeWlan([(5000, GOT_IP)], before=status)
            assert await joined(wlan, points=points) == "SUCCESS", status
    wlan = FakeWlan([], before=201)
    assert await joined(wlan, points=()) == "WRONG_SSID"
    assert 8000 <= wlan.time.now_ms < 9000, "in the end it is"


async def test_a_driver_that_goes_on_trying():
    """A wrong password often looks like that; so does a network out of reach."""
    for points, expected in (((point(),), "WRONG_PASSWORD"), ((), "WRONG_SSID")):
        for status in (CONNECTING, IDLE):
            wlan = FakeWlan([(0, status)])
            assert await joined(wlan, points=points) == expected
            assert 20000 <= wlan.time.now_ms < 21000


async def test_each_kind_of_network_has_its_words():
    secret, open_one = HOME, {"ssid": "Home", "password": ""}
    hidden, other = point(""), point("Other")
    told = []
    for network, points, status, result, text in (
        (secret, [point(mode=OPEN_MODE)], 211, "OPEN_NETWORK", "open"),
        (secret, [point(mode=WEP)], 211, "OLD_SECURITY", "WEP"),
        (secret, [point(mode=WPA)], 211, "OLD_SECURITY", "WPA"),
        (secret, [point(mode=WPA)], 15, "WRONG_PASSWORD", "password"),
        (secret, [point(mode=ENTERPRISE)], 210, "ENTERPRISE", "user name"),
        (open_one, [point(mode=ENTERPRISE)], 210, "ENTERPRISE", "user name"),
        (secret, [point(mode=14)], 210, "ENTERPRISE", "user name"),
        (open_one, [point()], 210, "NEEDS_PASSWORD", "needs a password"),
        (open_one, [point(mode=OPEN_MODE)], 203, "UNKNOWN_FAILURE", "does not let"),
        (secret, [other], 201, "WRONG_SSID", "no network of this name is heard"),
        (secret, [other, hidden], 201, "WRONG_SSID", "hides its name: is this"),
        (secret, [other, hidden], 15, "WRONG_PASSWORD", "hides its name, and"),
        (secret, [point()], 15, "WRONG_PASSWORD", "it does not accept the password"),
    ):
        answer = await tried(FakeWlan([(0, CONNECTING), (2000, status)]), network, points)
        assert answer[0] == result and text in answer[1], answer
        told.append(answer[1])
    assert len(set(told)) == 9, "each its own: " + str(sorted(set(told)))


async def test_the_strongest_of_one_name_then_any():
    points = [point(rssi=-80, bssid=FAR), point("Other", rssi=-20), point(rssi=-40, bssid=NEAR)]
    wlan = FakeWlan([(0, GOT_IP)])
    assert await joined(wlan, points=points) == "SUCCESS"
    assert wlan.connects() == [("Home", "correct horse", NEAR)]
    wlan = FakeWlan([(0, CONNECTING), (300, 15)])
    assert await joined(wlan, points=points) == "WRONG_PASSWORD"
    assert [call[2] for call in wlan.connects()] == [NEAR, None]


async def test_a_stronger_one_of_another_kind_is_passed_over():
    """Anybody may call an open network as ours is called."""
    points = [point(rssi=-20, bssid=FAR, mode=OPEN_MODE), point(rssi=-70, bssid=NEAR)]
    wlan = FakeWlan([(0, GOT_IP)])
    assert await joined(wlan, points=points) == "SUCCESS"
    assert wlan.connects()[0][2] == NEAR


async def test_an_address_of_its_own():
    static = {"ip": "192.168.4.7", "netmask": "255.255.255.0", "gateway": "192.168.4.1", "dns": "1.1.1.1"}
    wlan = FakeWlan([(0, GOT_IP)])
    assert await joined(wlan, {"ssid": "Home", "password": "correct horse", "static": static}) == "SUCCESS"
    assert wlan.calls[2] == ("192.168.4.7", "255.255.255.0", "192.168.4.1", "1.1.1.1")
    assert await joined(wlan) == "SUCCESS"
    assert ("dhcp4", True) in wlan.calls, "the next network has none"
    assert wlan.calls.count(("dhcp4", True)) == 1
    assert await joined(wlan) == "SUCCESS" and wlan.calls.count(("dhcp4", True)) == 1


async def test_a_driver_that_raises():
    for call in (("reconnects", 2), "disconnect", ("Home", "correct horse", None)):
        assert await joined(FakeWlan([(0, GOT_IP)], fails=[call])) == "UNKNOWN_FAILURE"


async def test_an_attempt_that_is_broken_off_leaves_the_network():
    wlan = FakeWlan([(0, CONNECTING)])

    async def sleep_ms(ms):
        raise asyncio.CancelledError

    wlan.time.sleep_ms = sleep_ms
    await araises(asyncio.CancelledError, "", tried(wlan))
    assert wlan.calls[-1] == "disconnect"
