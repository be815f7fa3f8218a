"""What happens, as lines that a person can read: when, who, what."""

import re
import time

from rich.console import Console
from rich.text import Text

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
        self._start = time.monotonic()

    def say(self, who: str, area: str, what: str, style: str = "") -> None:
        """One line."""
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
