"""A line of a log, whoever wrote it: a device, another system by syslog, or the drain itself."""

import base64
import binascii
import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .syslog import MalformedError, Message

LEVELS = "EWID"  # error, warning, info, debug: as a device's log has them
_SEVERITIES = "EEEEWIID"  # by the severity of syslog
_EXCERPT = 200
_DEPTH = 20
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_MS = (dt.datetime(9999, 12, 31, tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(milliseconds=1)
HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Line:
    """One.

    Args:
        time_ms: since 1970.
        kind: "device", "syslog", or "drain": what the drain itself has to say.
        source: a thing's name, or a host's.
        level: one of LEVELS.
        area: a device's area; an application and its process.
        text: without the end of the line.
        more: what else there is.
        came_ms: when the drain got it, the same for all of a request; 0 where that is not known.
    """

    time_ms: int
    kind: str
    source: str
    level: str
    area: str
    text: str
    more: Mapping[str, Any] = field(default_factory=dict)
    came_ms: int = 0

    def document(self) -> dict[str, Any]:
        """As it is kept and sent: no member of `more` stands for one of the line's own."""
        own = {name: getattr(self, name) for name in ("kind", "source", "level", "area", "text")}
        thing = {"thing": self.source} if self.kind == "device" else {}
        return {**self.more, "time": moment(self.time_ms), **own, **thing}

    def json(self) -> str:
        """That document, as UTF-8 can have it."""
        text = json.dumps(self.document(), ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="backslashreplace").decode()  # half of a pair of JSON's \\ud83d

    def without(self, secrets: tuple[str, ...]) -> "Line":
        """Itself, where it has none of them in it; they are of what JSON writes as it is."""
        parts = json.dumps([self.source, self.area, self.text, dict(self.more)], ensure_ascii=False)
        if not any(secret in parts for secret in secrets):
            return self
        for secret in secrets:
            parts = parts.replace(secret, HIDDEN)
        source, area, text, more = json.loads(parts)
        return replace(self, source=source, area=area, text=text, more=more)


def moment(time_ms: int) -> str:
    """As in 2026-11-29T10:00:00.000Z; before 1970 and after 9999 is neither."""
    at = _EPOCH + dt.timedelta(milliseconds=min(max(time_ms, 0), _LAST_MS))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def of_syslog(message: Message, now_ms: int) -> Line:
    """A message's."""
    process = f"[{message.process}]" if message.process else ""
    more: dict[str, Any] = {"facility": message.facility, "severity": message.severity}
    if message.message_id:
        more["message_id"] = message.message_id
    if message.data:
        more["data"] = message.data
    return Line(
        now_ms if message.time_ms is None else message.time_ms,
        "syslog",
        message.host or "unknown",
        _SEVERITIES[message.severity],
        message.application + process,
        message.text,
        more,
        now_ms,
    )


def payloads(event: Mapping[str, Any]) -> Iterator[bytes]:
    """The lines of a message that a device has sent, as the rule hands it on. Raises MalformedError."""
    try:
        message = base64.b64decode(str(event.get("line", "")), validate=True)
    except binascii.Error:
        raise MalformedError(0, "the rule's event has no line in base64") from None
    yield from message.splitlines() or [b""]


def of_device(line: bytes, event: Mapping[str, Any], now_ms: int) -> Line:
    """A line that a device has sent: a JSON object. Raises MalformedError.

    Args:
        line: as it was sent.
        event: who has sent it, by the rule's own word, and when: thing, principal, received_ms.
        now_ms: where the event has no time.
    """
    try:
        found = json.loads(line, parse_constant=_number, parse_float=_number)
    except json.JSONDecodeError as error:
        raise MalformedError(error.pos, f"no JSON: {error.msg}") from None
    except (ValueError, RecursionError):  # no UTF-8, too deep, or a number that is none
        raise MalformedError(0, "no JSON in UTF-8") from None
    if not isinstance(found, dict) or _is_deep(found, _DEPTH):
        raise MalformedError(0, f"a JSON object expected, {_DEPTH} deep at most")
    level, area, text = found.pop("level", None), found.pop("area", ""), found.pop("text", None)
    if not (isinstance(level, str) and level[:1].upper() in LEVELS and level):
        raise MalformedError(0, f"level: one of {' '.join(LEVELS)} expected")
    if not (isinstance(area, str) and isinstance(text, str)):
        raise MalformedError(0, "area and text: texts expected")
    principal = event.get("principal")
    more = {**found, **({"principal": principal} if principal else {})}
    received = event.get("received_ms")
    time_ms = received if isinstance(received, int) else now_ms
    return Line(time_ms, "device", source_of(event), level[0].upper(), area, text, more, now_ms)


def _number(text: str) -> float:
    """One that JSON has a word for."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _is_deep(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _is_deep(one, levels - 1) for one in inner)


def source_of(event: Mapping[str, Any]) -> str:
    """The thing that has sent a message."""
    return str(event.get("thing") or "unknown")


def own_word(source: str, text: str, now_ms: int) -> Line:
    """What the drain has to say of a source."""
    return Line(now_ms, "drain", source, "W", "drain", text, {}, now_ms)


def excerpt(data: bytes) -> str:
    """The begin of bytes that are no line, for people."""
    more = f"… ({len(data)} bytes)" if len(data) > _EXCERPT else ""
    return data[:_EXCERPT].decode(errors="backslashreplace").rstrip() + more
