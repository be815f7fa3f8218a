"""The station side of Wi-Fi as ESP-IDF's driver behaves under MicroPython (ports/esp32/network_wlan.c)."""

import asyncio
import contextlib
import dataclasses

# Disconnect reasons of esp_wifi_types.h that `WLAN.status()` may pass on.
ASSOC_LEAVE, HANDSHAKE_4WAY_TIMEOUT, BEACON_TIMEOUT, NO_AP_FOUND, AUTH_FAIL = 8, 15, 200, 201, 202
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
AUTH_OPEN, AUTH_WPA2_PSK = 0, 3


class RadioError(Exception):
    """What the driver refuses; its text is that of the OSError the device sees."""


@dataclasses.dataclass
class Air:
    """What all stations share: the access points and how well they are heard.

    dhcp: whether who is let in gets an address, too. join_ms and beacon_timeout_ms are how long an attempt
    takes and how long a lost access point goes unnoticed (about 1 s and 6 s on a chip; short here so that
    tests are).
    """

    access_points: dict[str, str]
    lost: bool = False
    dhcp: bool = True
    rssi_dbm: int = -55
    join_ms: int = 50
    beacon_timeout_ms: int = 300


class Station:
    """One chip's Wi-Fi station. `up` and `down`: whether data passes now; the device is told later."""

    def __init__(self, air: Air) -> None:
        self.air = air
        self.active = self.associated = self.connected = self.requested = False
        self.reconnects = -1
        self.up, self.down = asyncio.Event(), asyncio.Event()
        self.down.set()
        self._ssid = self._password = ""
        self._reason = self._failures = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def set_active(self, active: bool) -> None:
        if not active:
            self._leave()
            self._reason = 0
        self.active = active

    def connect(self, ssid: str | None, password: str | None) -> None:
        """Start to connect. A station that is connecting, or connected, refuses: `disconnect` comes first."""
        self._require_started()
        if self._task:
            raise RadioError("Wifi Internal Error")
        if ssid is not None:
            self._ssid, self._password = ssid, password or ""
        self._failures = 0
        self.requested = True
        self._task = asyncio.create_task(self._stay_connected())

    def disconnect(self) -> None:
        self._require_started()
        if self._task:
            self._reason = ASSOC_LEAVE
        self._leave()

    def status(self) -> int:
        """What `WLAN.status()` says: the last failure until an address is got, so stale after `connect`."""
        if self.connected:
            return STAT_GOT_IP
        if self._reason in (NO_AP_FOUND, AUTH_FAIL):
            return self._reason
        if self._reason == ASSOC_LEAVE:
            return STAT_IDLE
        if self.requested and not self._gave_up():
            return STAT_CONNECTING
        return self._reason or STAT_IDLE

    def rssi(self) -> int:
        if not self.associated:
            raise RadioError("Wifi Not Connected")
        return self.air.rssi_dbm

    def scan(self) -> list[tuple[str, int, int]]:
        """(name, RSSI in dBm, authentication mode) of every access point heard."""
        if not self.active:
            raise RadioError("STA must be active")
        if self._task and not self.connected:
            raise RadioError("Wifi Internal State Error")
        heard = {} if self.air.lost else self.air.access_points
        return [(ssid, self.air.rssi_dbm, AUTH_WPA2_PSK if key else AUTH_OPEN) for ssid, key in heard.items()]

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

    def _gave_up(self) -> bool:
        return self.reconnects >= 0 and self._failures > self.reconnects

    def _leave(self) -> None:
        self.requested = self.associated = self.connected = False
        if self._task:
            self._task.cancel()
            self._task = None
        self._update_link()

    def _update_link(self) -> None:
        passes = self.connected and not self.air.lost
        (self.up if passes else self.down).set()
        (self.down if passes else self.up).clear()

    async def _stay_connected(self) -> None:
        while not self._gave_up():
            await asyncio.sleep(self.air.join_ms / 1000)
            self._reason = self._attempt()
            if not self._reason:
                self.associated = True
                while not self.air.dhcp:
                    self._changed.clear()
                    await self._changed.wait()
                self.connected = True
                self._update_link()
                await self._beacon_lost()
                self.associated = self.connected = False
                self._update_link()
                self._reason = BEACON_TIMEOUT
            self._failures += 1
        self._task = None

    def _attempt(self) -> int:
        """The reason why an attempt fails, 0 if it does not. A wrong password rarely says so."""
        if self.air.lost or self._ssid not in self.air.access_points:
            return NO_AP_FOUND
        if self._password != self.air.access_points[self._ssid]:
            return AUTH_FAIL if self._failures % 4 == 3 else HANDSHAKE_4WAY_TIMEOUT
        return 0

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
