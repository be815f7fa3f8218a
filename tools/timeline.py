"""What happens, as lines that a person can read: when, who, what."""

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

from rich.console import Console
from rich.text import Text

from tools.waiting import SILENCE_S

LOG_LINE = re.compile(r"^\s*(?P<uptime_s>\d+\.\d{3}) (?P<level>[EWID]) (?P<area>\S+): (?P<text>.*)$")

LEVELS = {"E": "bold red", "W": "yellow", "I": "", "D": "dim"}
AREAS = {
    "system": "bold",
    "wifi": "cyan",
    "clock": "cyan",
    "provisioning": "magenta",
    "ble": "blue",
    "phone": "blue",
    "cloud": "green",
    "app": "",
}


class Timeline:
    """Prints lines with the seconds since the start; colour only on a terminal.

    Args:
        console: where to.
        names: how wide the column of names is, in characters.
    """

    def __init__(self, console: Console, names: int = 18) -> None:
        self._console = console
        self._names = names
        self._start = self._said = time.monotonic()
        self._asked: Counter[str] = Counter()  # commands typed for each device, whose answers are shown

    def say(self, who: str, area: str, what: str, style: str = "") -> None:
        """One line."""
        self._said = time.monotonic()
        line = Text().append(f"{time.monotonic() - self._start:7.2f} s  ", style="dim")
        line.append(f"{who:<{self._names}} ", style="blue")
        line.append(f"{area:<13}", style=AREAS.get(area, "dim"))
        line.append(what, style=style)
        self._console.print(line, soft_wrap=True, highlight=False)

    def device_line(self, who: str, line: str) -> None:
        """A line from a device's console: its log, or whatever else it prints (a traceback, say)."""
        if match := LOG_LINE.match(line):
            self.say(who, match["area"], match["text"], LEVELS[match["level"]])
        elif not line.startswith("= "):
            self.say(who, "", line, "red")
        elif self._asked[who]:
            self._asked[who] -= 1
            self.say(who, "console", line)

    def typed(self, who: str, line: str) -> None:
        """A command is typed on a device's console: the next answer is shown."""
        self._asked[who] += 1
        self.say(who, "console", f"> {line}", "dim")

    @contextlib.asynccontextmanager
    async def telling_silence(self, waits: Callable[[], str]) -> AsyncIterator[None]:
        """While it lasts, say what is waited for after 20 s without a line, and again ever more rarely."""

        async def watch() -> None:
            told_s = 0.0
            while True:
                await asyncio.sleep(SILENCE_S / 20)
                silent_s = time.monotonic() - self._said
                if silent_s < told_s:  # somebody has spoken since
                    told_s = 0.0
                if silent_s >= max(SILENCE_S, 2 * told_s):
                    said = self._said
                    self.say("", "", f"nothing for {silent_s:.0f} s: {waits()}", "yellow")
                    self._said, told_s = said, silent_s

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
