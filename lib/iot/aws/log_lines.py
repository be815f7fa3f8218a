"""Lines of the log on their way to the cloud: in memory while REPORTS or a job wants them."""

import asyncio

from micropython import const

_WAITING_MAX = const(8)
_LINE_CHARS = const(200)
_LINE_MS = const(2000)  # between two lines


class LogLines:
    """Publishes the log, a JSON object a line: what is too much is left out and counted.

    Args:
        system: the System, in mode NORMAL.
        level: of the most talkative lines, for `minutes`; after that, and without one, that of the settings'
            REPORTS.
    """

    def __init__(self, system, level=None, minutes=0):
        self._log = system.log
        self._client = system.cloud.client
        self._topic = "telemetry/" + system.cloud.name + "/log"
        self._usual = system.settings.REPORTS.get("log")
        self._level = level or self._usual
        self._until_ms = minutes and self._log.uptime_ms() + minutes * 60000
        self._lines = []
        self._left_out = 0

    async def run(self):
        """For as long as the mode lasts, or somebody wants it; the log is its own again then."""
        log = self._log
        try:
            while self._level:
                log.drain_to(self._level, self._take)
                await self._drain()
                self._level, self._until_ms = self._usual, 0
        finally:
            log.drain_to("error", None)

    async def _drain(self):
        """A line after the other, until the level's time is over."""
        while not self._until_ms or self._log.uptime_ms() < self._until_ms:
            if self._lines and self._client.connected:
                line = self._lines.pop(0)
                if self._left_out:
                    line["left_out"], self._left_out = self._left_out, 0
                self._client.publish(self._topic, line)
            await asyncio.sleep_ms(_LINE_MS)

    def _take(self, ms, level, area, text):
        if len(self._lines) >= _WAITING_MAX:
            self._left_out += 1
            return
        self._lines.append({"t": ms, "level": level, "area": area, "text": text[:_LINE_CHARS]})
