"""What happens, as lines that a person can read: when, who, what."""

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from tools.waiting import Waiting

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
_SILENT = "nothing"


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
        self._waiting = Waiting()
        self._asked: Counter[str] = Counter()  # commands typed for each device, whose answers are shown

    def say(self, who: str, area: str, what: str, style: str = "") -> None:
        """One line."""
        self._waiting.now(_SILENT)
        self._print(who, area, what, style)

    def _print(self, who: str, area: str, what: str, style: str) -> None:
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

    @contextlib.contextmanager
    def telling_silence(self, waits: Callable[[], str]) -> Iterator[None]:
        """While it lasts, say what is waited for after 20 s without a line, and again ever more rarely."""

        def tell(silence: str) -> None:
            self._print("", "", f"{silence}: {waits()}", "yellow")

        with Waiting(_SILENT, tell) as self._waiting:
            yield
