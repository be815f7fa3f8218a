"""Keeps the station connected to the first of the configured networks that can be had."""

import asyncio
import time

from micropython import const

_CONNECT_MS = const(15000)  # association, key exchange and DHCP
_POLL_MS = const(100)
_WATCH_MS = const(500)
_ROUNDS_TO_RESET = const(3)  # fruitless rounds after which the radio is switched off and on


class Wifi:
    """Connects, watches and reconnects.

    Judged by isconnected() and a deadline alone: status() is stale after a new connect(), and a wrong
    password often shows as CONNECTING.

    Args:
        wlan: a network.WLAN in station mode.
        networks: [{"ssid": str, "password": str}], in the order in which they are tried.
        backoff: gives the milliseconds to wait after a fruitless round (`next_ms()`, `reset()`).
        log: a Log.
        notify: called with ("wifi_up", {"ssid", "ip", "rssi"}) and ("wifi_down", reason).

    Attributes:
        networks: as given.
        ssid: name of the network it is connected to, or None.
    """

    def __init__(self, wlan, networks, backoff, log, notify):
        self._wlan = wlan
        self.networks = networks
        self._backoff = backoff
        self._log = log
        self._notify = notify
        self.ssid = None

    def rssi(self):
        """Signal strength in dBm, or None while there is no connection."""
        try:
            return self._wlan.status("rssi") if self.ssid else None
        except OSError:  # it was lost a moment ago
            return None

    def ip(self):
        """The address that DHCP gave, or None while there is no connection."""
        return self._wlan.ifconfig()[0] if self.ssid else None

    async def connected(self):
        """Returns when there is a connection."""
        while not self.ssid:
            await asyncio.sleep_ms(_POLL_MS)

    async def run(self):
        """Stays connected, for ever; leaves the radio off when it is cancelled."""
        try:
            self._wlan.active(True)
            rounds = 0
            while True:
                for network in self.networks:
                    if await self._connect(network["ssid"], network["password"]):
                        rounds = 0
                        self._backoff.reset()
                        while self._wlan.isconnected():
                            await asyncio.sleep_ms(_WATCH_MS)
                        self._lost()
                        break
                else:
                    rounds += 1
                    if rounds % _ROUNDS_TO_RESET == 0:
                        self._log.warning("wifi", "no network after {} rounds, resetting the radio", rounds)
                        self._wlan.active(False)
                        self._wlan.active(True)
                    await asyncio.sleep_ms(self._backoff.next_ms())
        finally:
            self.ssid = None
            self._wlan.active(False)

    async def _connect(self, ssid, password):
        self._log.debug("wifi", 'trying "{}"', ssid)
        self._wlan.disconnect()  # connect() while connecting raises; and the driver tries for ever by itself
        try:
            self._wlan.connect(ssid, password) if password else self._wlan.connect(ssid)
        except OSError as error:
            self._log.warning("wifi", '"{}": {}', ssid, error)
            return False
        start_ms = time.ticks_ms()
        while not self._wlan.isconnected():
            if time.ticks_diff(time.ticks_ms(), start_ms) > _CONNECT_MS:
                self._log.warning("wifi", '"{}": no connection within {} s', ssid, _CONNECT_MS // 1000)
                self._wlan.disconnect()
                return False
            await asyncio.sleep_ms(_POLL_MS)
        self.ssid = ssid
        ip, rssi = self.ip(), self.rssi()
        self._log.info("wifi", 'connected to "{}" as {}, {} dBm', ssid, ip, rssi)
        self._notify("wifi_up", {"ssid": ssid, "ip": ip, "rssi": rssi})
        return True

    def _lost(self):
        ssid, self.ssid = self.ssid, None
        reason = 'lost "{}"'.format(ssid)
        self._log.warning("wifi", reason)
        self._notify("wifi_down", reason)
