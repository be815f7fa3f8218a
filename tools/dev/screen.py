"""What a developer sees of a device: its console, its messages, what the cloud says of it, and the loop."""

from collections.abc import Callable

from tools.cloud.events import Event, printable
from tools.timeline import Timeline

from .loop import Loop
from .mistakes import Tracebacks


class Screen:
    """Shows it all in a timeline.

    Args:
        name: the device's.
        timeline: takes the lines.

    Attributes:
        loop: hears of tracebacks and of the first line of a version.
        page: hears each line of the console.
    """

    def __init__(self, name: str, timeline: Timeline) -> None:
        self.loop: Loop | None = None
        self.page: Callable[[str], None] = lambda line: None
        self._name = name
        self._timeline = timeline
        self._tracebacks = Tracebacks(lambda line: timeline.device_line(name, line), self._on_traceback)

    def line(self, line: str) -> None:
        """A line of the device's console."""
        self.page(line)
        if self.loop and (seconds := self.loop.runs()) is not None:
            self.say(f"{self._name} runs it {seconds:.1f} s after it was saved", "bold green")
        self._tracebacks.line(line)

    def message(self, topic: str, payload: bytes) -> None:
        """A message in the cloud."""
        text = printable(payload.decode(errors="backslashreplace"))
        self._timeline.say("subscriber", "", f"{printable(topic)} {text}", "green")

    def event(self, event: Event) -> None:
        """Something that the cloud tells; what it refuses a device is told nowhere else."""
        # That a device which restarts at each change reports too often is nothing to see.
        if event.client_id == self._name and event.reason != "Throttled":
            self._timeline.say("cloud", "", str(event), "dim")

    def say(self, text: str, style: str = "") -> None:
        """What the loop tells."""
        for line in text.splitlines():
            self._timeline.say("dev", "", line, style)

    def _on_traceback(self) -> None:
        if self.loop:
            self.loop.on_traceback()
