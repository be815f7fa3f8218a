"""Which shadow a topic is of (AWS: "Device Shadow MQTT topics")."""

import re
from dataclasses import dataclass

from .. import names
from ..errors import InvalidRequestException

_TOPIC = re.compile(r"\$aws/things/([^/]+)/shadow(?:/name/([^/]+))?/(get|update|delete)")
_NAME = re.compile(r"[$a-zA-Z0-9:_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Shadow:
    """A thing's shadow; `name` is "" for the classic one. The thing need not be in the registry."""

    thing: str
    name: str = ""

    def __str__(self) -> str:
        """As AWS's errors have it."""
        return f"{self.thing}~{self.name}" if self.name else self.thing

    def topic(self, rest: str) -> str:
        """A topic of it, such as `update/accepted`."""
        name = f"/name/{self.name}" if self.name else ""
        return f"$aws/things/{self.thing}/shadow{name}/{rest}"

    def check(self) -> None:
        """Raises InvalidRequestException for names that can be none."""
        names.check("thingName", self.thing, names.THING_NAME)
        if self.name and not _NAME.fullmatch(self.name):
            raise InvalidRequestException(f"shadowName {self.name!r}: must be 1 to 64 of a-z A-Z 0-9 : _ - $")


def parse(topic: str) -> tuple[Shadow, str] | None:
    """The shadow that is asked for, and "get", "update" or "delete"; None where nothing is asked for."""
    found = _TOPIC.fullmatch(topic)
    return (Shadow(found[1], found[2] or ""), found[3]) if found else None
