"""Keeps the chip's clock right by SNTP, and never lets TLS start in the year 2000."""

import asyncio

from micropython import const

from iot.events import within
from iot.memory import borrow

_RETRY_UNSET_MS = const(1000)
_RETRY_FIRST_MS = const(15000)
_RETRY_MOST_MS = const(3600 * 1000)
_RESYNC_MS = const(6 * 3600 * 1000)  # the chip's crystal drifts by seconds a day


class Clock:
    """Keeps the chip's clock right.

    Args:
        hosts: names or addresses of NTP servers.
        built: (year, month, day) of the build: no time before it is believed.
        nvs: an esp32.NVS, where the last time known is kept for a start without an answer from SNTP.
        online: coroutine function that returns when there is a network.
        log: a Log.
        notify: called with ("clock_set", how).

    Attributes:
        state: "unset", "estimate" or "sntp".
        source: names of what the time came from, None before it was set.
        doubted: names of what gave a time that a certificate's dates speak against.
        borne_out: whether the cloud was reached with this time.
    """

    def __init__(self, hosts, built, nvs, online, log, notify):
        self.hosts = list(hosts)
        self.built = built
        self.nvs = nvs
        self.log = log
        self._online = online
        self._notify = notify
        self.state = "unset"
        self.source = None
        self.doubted = []
        self.borne_out = False
        self._changed = asyncio.Event()  # the state

    async def ready(self):
        """Returns when there is a network, and a time that is right or as good as it gets.

        Only then certificates can be judged.
        """
        await self._online()
        while self.state == "unset":
            self._changed.clear()
            await self._changed.wait()

    def become(self, state):
        """Takes a new state and wakes who waits for one."""
        self.state = state
        self._changed.set()

    def tell(self, event, detail):
        """Takes what came of a connection: it bears the time out, or its certificate's dates are wrong."""
        good = event in ("cloud_up", "provisioned")
        if good and self.borne_out:  # no news; the next adjustment remembers it
            return
        if good or "validity" in str(detail):  # so mbedTLS says that dates are wrong
            try:
                borrow("iot.clock.adjust").judge(self, good)
            except MemoryError as error:  # of what came of it, others have to hear all the same
                self.log.warning("clock", "{}", error)

    async def run(self):
        """Asks the servers, for ever: until one answers, then a few times a day."""
        retry_ms = _RETRY_FIRST_MS
        while True:
            await self._online()
            if await self._adjust():
                retry_ms = _RETRY_FIRST_MS
                await self._pause(_RESYNC_MS)
            elif self.state == "unset":
                await asyncio.sleep_ms(_RETRY_UNSET_MS)
            else:
                await self._pause(retry_ms)
                retry_ms = min(retry_ms * 2, _RETRY_MOST_MS)

    async def _pause(self, pause_ms):
        """Waits, but not where the time is in doubt."""
        if self.state != "unset":  # from here on all that it becomes is that
            self._changed.clear()
            await within(pause_ms, self._changed.wait())

    async def _adjust(self):
        """Sets the chip's clock as well as can be; True for SNTP."""
        state = None
        try:
            state = await borrow("iot.clock.adjust").adjust(self)  # a few times a day
        except (OSError, MemoryError) as error:
            self.log.warning("clock", "{}", error)
        if state not in (None, self.state):
            self.become(state)
            self.log.info("clock", "set by {}", state)
            self._notify("clock_set", state)
        return state == "sntp"
