"""What becomes of a line that is typed in `make run`."""

from collections.abc import Callable, Mapping
from typing import Protocol

from tools.board.view import mask
from tools.cloud import topics
from tools.cloud.limits import Limits
from tools.stdin import is_ours, lines
from tools.timeline import Timeline

_SEND = "send"


class Console(Protocol):
    """A device's console."""

    async def send(self, line: str) -> None: ...


class Keyboard:
    """Has what is typed go to a device's console, or as a message to the cloud.

    Args:
        devices: by their names; where there are several a line begins with a name, or its number from 1.
        publish: sends a message; None: a line goes to a device alone.
        timeline: where what is typed, and what is answered, is shown.
    """

    def __init__(
        self, devices: Mapping[str, Console], publish: Callable[[str, bytes], None] | None, timeline: Timeline
    ) -> None:
        self._devices = devices
        self._publish = publish
        self._timeline = timeline

    async def follow(self) -> None:
        """Until nothing more is typed."""
        if not is_ours():
            return
        send = "; send TOPIC PAYLOAD goes to the cloud" if self._publish else ""
        self._say(f"a line goes to the device: help lists its commands{send}")
        async for line in lines():
            word, _, rest = line.strip().partition(" ")
            if word == _SEND and self._publish:
                self._send(rest.strip(), self._publish)
            elif word:
                await self._ask(line.strip())

    def _send(self, line: str, publish: Callable[[str, bytes], None]) -> None:
        topic, _, payload = line.partition(" ")
        if error := topics.topic_error(topic, Limits()):
            self._say(f"send {topic}: {error}", "yellow")
        else:
            publish(topic, payload.encode())

    async def _ask(self, line: str) -> None:
        name, line = self._addressee(line)
        if not name or not line:
            first = next(iter(self._devices))
            self._say(
                f"to which of {len(self._devices)}? Begin with its number or name: 1 status ({first})",
                "yellow",
            )
            return
        self._timeline.typed(name, mask(line))
        try:
            await self._devices[name].send(line)
        except (RuntimeError, ConnectionError):  # between two lives
            self._say(f"{name} does not run now: type it again", "yellow")

    def _addressee(self, line: str) -> tuple[str, str]:
        names = list(self._devices)
        if len(names) == 1:
            return names[0], line
        word, _, rest = line.partition(" ")
        if word.isascii() and word.isdigit() and 1 <= int(word) <= len(names):
            word = names[int(word) - 1]
        return (word if word in self._devices else ""), rest.strip()

    def _say(self, text: str, style: str = "dim") -> None:
        self._timeline.say("keyboard", "", text, style)
