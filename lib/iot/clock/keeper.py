"""Keeps the chip's clock right by SNTP, and never lets TLS start in the year 2000."""

import asyncio

from micropython import const

from iot.memory import borrow

_CONNECT_MS = const(10000)  # for which its code is kept at a start, as the radio connects
_RETRY_UNSET_S = const(1)
_RETRY_FIRST_S = const(15)
_RETRY_MOST_S = const(3600)
_RESYNC_S = const(6 * 3600)  # the chip's crystal drifts by seconds a day


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
        changed: an Event, set by who changes `state`.
        borne_out: whether the cloud was reached with this time.
    """

    def __init__(self, hosts, built, nvs, online, log, notify):
        self.hosts = list(hosts)
        self.built = built
        self.nvs = nvs
        self.log = log
        self.online = online
        self.notify = notify
        self.state = "unset"
        self.source = None
        self.doubted = []
        self.borne_out = self._unkept = False
        self.changed = asyncio.Event()

    async def ready(self):
        """Returns when there is a network, and a time that is right or as good as it gets.

        Only then certificates can be judged.
        """
        await self.online()
        while self.state == "unset":
            self.changed.clear()
            await self.changed.wait()

    def tell(self, event, detail):
        """Takes what came of a connection: it bears the time out, or its certificate's dates are wrong."""
        if event in ("cloud_up", "provisioned"):
            if not self.borne_out:  # else it is no news: the next adjustment remembers it
                self.borne_out = self._unkept = True
                if event == "provisioned":  # the chip restarts now
                    self._judge()
        elif "validity" in str(detail):  # so mbedTLS says that dates are wrong
            self.borne_out = False
            self._judge()

    def _judge(self):
        self._unkept = False
        try:
            borrow("iot.clock.adjust").judge(self)
        except MemoryError as error:  # of what came of it, others have to hear all the same
            self.log.warning("clock", "{}", error)

    async def run(self):
        """Asks the servers, for ever: until one answers, then a few times a day."""
        retry_s, wait_ms = _RETRY_FIRST_S, _CONNECT_MS
        while True:
            if not wait_ms:
                await self.online()
            certain = False
            try:
                certain = await borrow("iot.clock.adjust").adjust(self, wait_ms)  # a few times a day
            except (OSError, MemoryError) as error:
                self.log.warning("clock", "{}", error)
            wait_ms = 0
            if certain is None:
                continue
            if certain:
                pause_s, retry_s = _RESYNC_S, _RETRY_FIRST_S
            elif self.state == "unset":
                pause_s = _RETRY_UNSET_S
            else:
                pause_s, retry_s = retry_s, min(retry_s * 2, _RETRY_MOST_S)
            # A wait for `changed` with a deadline would take two tasks more, nearly all of the time.
            for _ in range(pause_s):
                await asyncio.sleep_ms(1000)
                # Not at once: much is to be done as a connection begins. Another time may be set since.
                if self._unkept and self.borne_out:
                    self._judge()
                if self.state == "unset":
                    break
