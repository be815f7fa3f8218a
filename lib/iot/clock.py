"""Keeps the chip's clock right by SNTP, and never lets TLS start in the year 2000."""

import asyncio
import time

from micropython import const

from iot.modules import forget

_ESTIMATE_MS = const(8000)  # without an answer for so long, an estimate has to do
_RETRY_UNSET_MS = const(1000)
_RETRY_FIRST_MS = const(15000)
_RETRY_MOST_MS = const(3600 * 1000)
_RESYNC_MS = const(6 * 3600 * 1000)  # the chip's crystal drifts by seconds a day
_KEY = "last_time"

UNSET = "unset"
ESTIMATE = "estimate"
SNTP = "sntp"


class Clock:
    """Keeps the chip's clock right.

    Args:
        rtc: a machine.RTC.
        nvs: an esp32.NVS, where the last time known is kept for a start without an answer from SNTP.
        hosts: names or addresses of NTP servers, asked one after another.
        built: (year, month, day) of the build: no time before it is believed.
        log: a Log.
        notify: called with ("clock_set", how).
    """

    def __init__(self, rtc, nvs, hosts, built, log, notify):
        self._rtc = rtc
        self._nvs = nvs
        self._hosts = hosts
        self._built = time.mktime((built[0], built[1], built[2], 0, 0, 0, 0, 0, 0))
        self._log = log
        self._notify = notify
        self._set = asyncio.Event()
        self.state = UNSET

    async def ready(self):
        """Returns once the time is right or as good as it gets: only then certificates can be judged."""
        await self._set.wait()

    async def run(self):
        """Asks the servers, for ever: until one answers, then a few times a day."""
        start_ms = time.ticks_ms()
        retry_ms = _RETRY_FIRST_MS
        while True:
            if await self._ask_any():
                self._remember()
                retry_ms = _RETRY_FIRST_MS
                await asyncio.sleep_ms(_RESYNC_MS)
            elif self.state != UNSET:
                await asyncio.sleep_ms(retry_ms)
                retry_ms = min(retry_ms * 2, _RETRY_MOST_MS)
            elif time.ticks_diff(time.ticks_ms(), start_ms) > _ESTIMATE_MS:
                self._estimate()
            else:
                await asyncio.sleep_ms(_RETRY_UNSET_MS)

    async def _ask_any(self):
        from iot import sntp  # a few times a day

        try:
            for host in self._hosts:
                try:
                    seconds = await sntp.ask(host, self._built)
                except (OSError, ValueError) as error:
                    self._log.warning("clock", "{}: {}", host, error)
                    continue
                self._set_to(seconds, SNTP)
                return True
            return False
        finally:
            if self.state != UNSET:  # else it is needed again at once
                forget("iot.sntp")

    def _estimate(self):
        """Sets the latest of the chip's clock, the last time known and the time of the build."""
        try:
            known = self._nvs.get_i32(_KEY)
        except OSError:  # never stored
            known = 0
        self._set_to(max(int(time.time()), known, self._built), ESTIMATE)

    def _set_to(self, seconds, state):
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)[:8]
        self._rtc.datetime((year, month, day, weekday, hour, minute, second, 0))
        if self.state != state:
            self.state = state
            self._notify("clock_set", state)
        self._set.set()

    def _remember(self):
        try:
            self._nvs.set_i32(_KEY, int(time.time()))
            self._nvs.commit()
        except OSError as error:
            self._log.warning("clock", "the time is not remembered: {}", error)
