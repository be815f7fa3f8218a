"""The station side of Wi-Fi as ESP-IDF's driver behaves under MicroPython (ports/esp32/network_wlan.c)."""

import asyncio
import contextlib
import dataclasses
import ipaddress

from tools.sim.clock import Clock

# Disconnect reasons of esp_wifi_types.h that `WLAN.status()` may pass on.
ASSOC_LEAVE, HANDSHAKE_4WAY_TIMEOUT, BEACON_TIMEOUT, NO_AP_FOUND, AUTH_FAIL = 8, 15, 200, 201, 202
NO_AP_FOUND_W_COMPATIBLE_SECURITY, NO_AP_FOUND_IN_AUTHMODE_THRESHOLD = 210, 211
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
AUTH_OPEN, AUTH_WEP, AUTH_WPA_PSK, AUTH_WPA2_PSK, AUTH_WPA_WPA2_PSK = 0, 1, 2, 3, 4
AUTH_WPA2_ENTERPRISE, AUTH_WPA3_PSK, AUTH_WPA2_WPA3_PSK = 5, 6, 7
_AT_ONCE = (  # shown while attempts go on
    NO_AP_FOUND,
    AUTH_FAIL,
    NO_AP_FOUND_W_COMPATIBLE_SECURITY,
    NO_AP_FOUND_IN_AUTHMODE_THRESHOLD,
)
_WPA2_KEY_LEAST = 8  # characters: with such a key ESP-IDF takes nothing below WPA2 (wifi_scan_threshold_t)
_BELOW_WPA2 = (AUTH_OPEN, AUTH_WEP, AUTH_WPA_PSK)
_NAME_BYTES, _KEY_BYTES = 32, 64  # of wifi_sta_config_t: MicroPython cuts what is longer, without a word
SUBNET, GATEWAY = ipaddress.ip_network("192.168.4.0/24"), "192.168.4.1"


class RadioError(Exception):
    """What the driver refuses; its text is that of the OSError the device sees."""


@dataclasses.dataclass
class AccessPoint:
    """One access point; auth: one of the AUTH_ constants. A hidden one does not tell its name."""

    ssid: str
    password: str = ""
    rssi_dbm: int = -55
    channel: int = 1
    bssid: str = "02:53:49:4d:00:01"
    auth: int = AUTH_WPA2_PSK
    hidden: bool = False


@dataclasses.dataclass
class Air:
    """What all stations share: the access points and how well they are heard.

    access_points: name to password ("" is an open network), all of the strength rssi_dbm. others: those of
    which there is more to say; there a name may come twice, and on one channel the first is heard first.
    no_address: names of networks whose DHCP never answers. address_ms: how long that takes elsewhere. All
    networks are 192.168.4.0/24. join_ms, scan_ms and beacon_timeout_ms are how long an attempt and a scan
    take, and how long a lost access point goes unnoticed (about 1 s, 2 s and 6 s on a chip; short here so
    that tests are).
    """

    access_points: dict[str, str]
    lost: bool = False
    rssi_dbm: int = -55
    join_ms: int = 50
    scan_ms: int = 50
    beacon_timeout_ms: int = 300
    others: list[AccessPoint] = dataclasses.field(default_factory=list)
    no_address: set[str] = dataclasses.field(default_factory=set)
    address_ms: int = 0

    def heard(self) -> list[AccessPoint]:
        """All access points, the strongest first."""
        return sorted(self.in_turn(), key=lambda point: -point.rssi_dbm)

    def in_turn(self) -> list[AccessPoint]:
        """All access points in the order in which a scan meets them: from channel to channel."""
        if self.lost:
            return []
        simple = [
            AccessPoint(ssid, key, self.rssi_dbm, auth=AUTH_WPA2_PSK if key else AUTH_OPEN)
            for ssid, key in self.access_points.items()
        ]
        return sorted([*simple, *self.others], key=lambda point: point.channel)


class Station:
    """One chip's Wi-Fi station. `up` and `down`: whether data passes now; the device is told later."""

    def __init__(self, air: Air, clock: Clock | None = None) -> None:
        self.air = air
        self.clock = clock or Clock()
        self.active = self.connected = self.requested = False
        self.joined: AccessPoint | None = None  # also without an address
        self.reconnects = -1
        self.up, self.down = asyncio.Event(), asyncio.Event()
        self.down.set()
        self.static: tuple[str, ...] | None = (
            None  # address, netmask, gateway and DNS server in place of DHCP
        )
        self._ssid = self._password = ""
        self._bssid: str | None = None
        self._reason = self._failures = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._scan_aborted: asyncio.Event | None = None

    def set_active(self, active: bool) -> None:
        if not active:
            if self._task:
                self._reason = ASSOC_LEAVE
            self._leave()
            self._abort_scan()
        self.active = active

    def connect(self, ssid: str | None, password: str | None, bssid: str | None = None) -> None:
        """Start to connect. A station that is connecting, or connected, refuses: `disconnect` comes first."""
        self._require_started()
        if self._task:
            raise RadioError("Wifi Internal Error")
        if ssid is not None:
            self._ssid, self._password = _cut(ssid, _NAME_BYTES), _cut(password or "", _KEY_BYTES)
            self._bssid = bssid
        self._abort_scan()
        self._failures = 0
        self.requested = True
        self._task = asyncio.create_task(self._stay_connected())

    def set_static(self, config: tuple[str, ...] | None) -> None:
        """Give it an address of its own, or have DHCP do that again; counts for the next connection."""
        self.static = config

    def disconnect(self) -> None:
        self._require_started()
        if self._task:
            self._reason = ASSOC_LEAVE
        self._leave()

    def status(self) -> int:
        """What `WLAN.status()` says: the last failure until an address is got, so stale after `connect`."""
        if self.connected:
            return STAT_GOT_IP
        if self._reason in _AT_ONCE:
            return self._reason
        if self._reason == ASSOC_LEAVE:
            return STAT_IDLE
        if self.requested and not self._gave_up():
            return STAT_CONNECTING
        return self._reason or STAT_IDLE

    def rssi(self) -> int:
        if not self.joined:
            raise RadioError("Wifi Not Connected")
        return self.joined.rssi_dbm

    async def scan(self) -> list[tuple[str, str, int, int, int]]:
        """(name, BSSID, channel, RSSI, authentication mode) of all that are heard; none while connecting."""
        if not self.active:
            raise RadioError("STA must be active")
        if self._scan_aborted or (self._task and not self.joined):
            return []
        self._scan_aborted = asyncio.Event()
        try:
            await asyncio.wait_for(self._scan_aborted.wait(), self.air.scan_ms / 1000)
        except TimeoutError:
            points = self.air.heard()
        else:
            points = []
        finally:
            self._scan_aborted = None
        return [
            ("" if point.hidden else point.ssid, point.bssid, point.channel, point.rssi_dbm, point.auth)
            for point in points
        ]

    def air_changed(self) -> None:
        """Notice that the air is another: data stops or passes at once, the driver finds out in its time."""
        self._changed.set()
        self._update_link()

    def stop(self) -> None:
        """Fall silent, as at a reset."""
        self._leave()
        self.active = False

    def _require_started(self) -> None:
        if not self.active:
            raise RadioError("Wifi Not Started")

    def _abort_scan(self) -> None:
        if self._scan_aborted:
            self._scan_aborted.set()

    def _gave_up(self) -> bool:
        return self.reconnects >= 0 and self._failures > self.reconnects

    def _leave(self) -> None:
        self.requested = self.connected = False
        self.joined = None
        if self._task:
            self._task.cancel()
            self._task = None
        self._update_link()

    def _update_link(self) -> None:
        passes = self.connected and not self.air.lost and self._is_routed()
        (self.up if passes else self.down).set()
        (self.down if passes else self.up).clear()

    def _is_routed(self) -> bool:
        """Whether its address leads anywhere; the driver takes a static one for good as it is."""
        if self.static is None:
            return True
        return ipaddress.ip_address(self.static[0]) in SUBNET and self.static[2] == GATEWAY

    async def _stay_connected(self) -> None:
        while not self._gave_up():
            await self.clock.sleep(self.air.join_ms / 1000)
            self._reason = self._attempt()
            if self.joined:
                address = asyncio.create_task(self._get_address())
                try:
                    await self._beacon_lost()
                finally:
                    address.cancel()
                self.joined = None
                self.connected = False
                self._update_link()
                self._reason = BEACON_TIMEOUT
            self._failures += 1
        self._task = None

    async def _get_address(self) -> None:
        if self.static is None:
            if self._ssid in self.air.no_address:
                return
            await self.clock.sleep(self.air.address_ms / 1000)
        self.connected = True
        self._reason = 0
        self._update_link()

    def _attempt(self) -> int:
        """Join, or give the reason why that fails. A wrong password rarely says so.

        Of several access points of the name it is the first that is heard, however weak: the driver's scan
        goes from channel to channel and ends there (WIFI_FAST_SCAN).
        """
        points = [point for point in self.air.in_turn() if point.ssid == self._ssid]
        points = [point for point in points if self._bssid in (None, point.bssid)]
        if not points:
            return NO_AP_FOUND
        if len(self._password) >= _WPA2_KEY_LEAST:
            points = [point for point in points if point.auth not in _BELOW_WPA2]
            if not points:
                return NO_AP_FOUND_IN_AUTHMODE_THRESHOLD
        point = points[0]
        if point.auth == AUTH_WPA2_ENTERPRISE or (point.auth != AUTH_OPEN and not self._password):
            return NO_AP_FOUND_W_COMPATIBLE_SECURITY
        if self._password != point.password:
            return AUTH_FAIL if self._failures % 4 == 3 else HANDSHAKE_4WAY_TIMEOUT
        self.joined = point
        return self._reason  # only an address clears it

    async def _beacon_lost(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self.air.lost:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), self.air.beacon_timeout_ms / 1000)
                    self._changed.clear()
                    continue
                return


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="replace")
