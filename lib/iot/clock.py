"""Keeps the chip's clock right by SNTP, and never lets TLS start in the year 2000."""

import asyncio
import time

from micropython import const

from iot.modules import forget

_ESTIMATE_MS = const(8000)  # without an answer for so long, an estimate has to do
_POLL_MS = const(100)
_RETRY_UNSET_MS = const(1000)
_RETRY_FIRST_MS = const(15000)
_RETRY_MOST_MS = const(3600 * 1000)
_RESYNC_MS = const(6 * 3600 * 1000)  # the chip's crystal drifts by seconds a day


class Clock:
    """Keeps the chip's clock right.

    Args:
        hosts: names or addresses of NTP servers, asked one after another.
        built: (year, month, day) of the build: no time before it is believed.
        nvs: an esp32.NVS, where the last time known is kept for a start without an answer from SNTP.
        online: coroutine function that returns when there is a network.
        log: a Log.
        notify: called with ("clock_set", how).

    Attributes:
        state: "unset", "estimate" or "sntp".
    """

    def __init__(self, hosts, built, nvs, online, log, notify):
        self._hosts = hosts
        self._built = built
        self._nvs = nvs
        self._online = online
        self._log = log
        self._notify = notify
        self.state = "unset"

    async def ready(self):
        """Returns when there is a network, and a time that is right or as good as it gets.

        Only then certificates can be judged.
        """
        await self._online()
        while self.state == "unset":
            await asyncio.sleep_ms(_POLL_MS)

    async def run(self):
        """Asks the servers, for ever: until one answers, then a few times a day."""
        await self._online()
        start_ms = time.ticks_ms()
        retry_ms = _RETRY_FIRST_MS
        while True:
            late = time.ticks_diff(time.ticks_ms(), start_ms) > _ESTIMATE_MS
            if await self._adjust(late and self.state == "unset"):
                retry_ms = _RETRY_FIRST_MS
                await asyncio.sleep_ms(_RESYNC_MS)
            elif self.state == "unset":
                await asyncio.sleep_ms(_RETRY_UNSET_MS)
            else:
                await asyncio.sleep_ms(retry_ms)
                retry_ms = min(retry_ms * 2, _RETRY_MOST_MS)

    async def _adjust(self, estimate):
        """Sets the chip's clock where a server answers, else where it may be an estimate; True for SNTP."""
        from iot import timekeeping  # a few times a day

        forget("iot.timekeeping", "iot.sntp")
        state = await timekeeping.adjust(self._hosts, self._built, self._nvs, estimate, self._log)
        if state not in (None, self.state):
            self.state = state
            self._log.info("clock", "set by {}", state)
            self._notify("clock_set", state)
        return state == "sntp"
