"""Keeps the station connected to the first of the configured networks that can be had."""

import asyncio

from micropython import const

from iot.memory import borrow

_WATCH_MS = const(500)  # the driver has to be asked: a WLAN of MicroPython calls nobody back
_BEGIN_MS = const(5000)
_ERRORS = (OSError, RuntimeError, ValueError, MemoryError, OverflowError)  # of a driver: there are many


class Wifi:
    """Connects, watches and reconnects.

    Args:
        wlan: a network.WLAN in station mode.
        networks: [{"ssid": str, "password": str}], perhaps with "static", in the order of trying.
        backoff: gives the milliseconds to wait after a fruitless round (`next_ms()`, `reset()`).
        log: a Log.
        notify: called with ("wifi_up", {"ssid", "ip", "rssi"}), ("wifi_down", reason), ("unreached", reason)
            for each attempt that failed, and ("starved", reason) where the radio gets no memory.

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
        self._up = asyncio.Event()  # set at each look that finds a connection

    def rssi(self):
        """Signal strength in dBm, or None while there is no connection."""
        try:
            return self._wlan.status("rssi") if self.ssid else None
        except OSError:  # it was lost a moment ago
            return None

    def ip(self):
        """Its address, or None while there is no connection."""
        return self._wlan.ifconfig()[0] if self.ssid else None

    async def connected(self):
        """Returns when there is a connection: an attempt in vain takes memory that joining needs."""
        while not (self.ssid and self._wlan.isconnected()):
            self._up.clear()  # it may be of a connection that has gone since
            await self._up.wait()

    async def run(self):
        """Stays connected, for ever; leaves the radio off when it is cancelled."""
        begun = False
        try:
            while True:
                try:
                    if not begun:
                        self._wlan.active(True)
                        begun = True
                    await self._join()
                    while self._wlan.isconnected():
                        self._up.set()
                        await asyncio.sleep_ms(_WATCH_MS)
                except _ERRORS as error:  # mostly, no memory for its buffers; else it needs a restart, too
                    self._log.error("wifi", "the radio fails: {}", error)
                    self._notify("starved", str(error))
                    await asyncio.sleep_ms(_BEGIN_MS)
                if self.ssid:
                    self._lost()
        finally:
            self.ssid = None
            try:
                self._wlan.active(False)
            except _ERRORS:
                pass  # what cancelled it has to pass

    async def _join(self):
        join = borrow("iot.wifi.join")
        self.ssid = await join.join(self._wlan, self.networks, self._backoff, self._log, self._notify)
        join.tell(self, self._log, self._notify)

    def _lost(self):
        ssid, self.ssid = self.ssid, None
        reason = 'lost "{}"'.format(ssid)
        self._log.warning("wifi", reason)
        self._notify("wifi_down", reason)
