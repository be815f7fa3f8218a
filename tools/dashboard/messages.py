"""What a message tells, by its topic: pure, and wary of whatever a device may send."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

# What is subscribed to, with its QoS: telemetry is many, and one that is lost is followed by the next.
FILTERS = (
    ("telemetry/#", 0),
    ("drain/+", 0),
    ("$aws/events/presence/#", 1),
    ("$aws/events/jobExecution/#", 1),
    ("$aws/things/+/jobs/notify", 1),
    ("$aws/things/+/shadow/update/documents", 0),
    ("$aws/things/+/shadow/name/+/update/documents", 0),
    ("$aws/things/+/defender/metrics/json/accepted", 1),
    ("$aws/commands/things/+/executions/+/request/#", 1),
)
FIELDS_MAX = 40  # of one message
NAME_MAX = 64
_DEPTH = 4
_WHOLE_MAX = 1 << 53  # which a browser has no room for
_NAME = re.compile(rf'[^",\\\x00-\x1f\x7f]{{1,{NAME_MAX}}}')
_TEXT_MAX = 2000
_MODE = re.compile(r"mode ([A-Z]+)$")
_PROGRESS = re.compile(r"version (\S+): (\d+) of (\d+) bytes are there$")
_INSTALLED = re.compile(r"restarting: version (\S+) is installed$")
_COUNTS = re.compile(r"version (\S+) counts from now on$")
_CODE = re.compile(r"\bcode [0-9A-Z]{4}(-[0-9A-Z]{4}){2}\b")
_LEVELS = "EWID"


def parsed(payload: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def numbers(document: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """The numeric fields of a message, those of inner objects with dots; truth values are 0 and 1."""
    found: dict[str, float] = {}
    for name, value in _leaves(document, prefix, _DEPTH):
        if len(found) == FIELDS_MAX:
            break
        if _NAME.fullmatch(name) and (number := _number(value)) is not None:
            found[name] = number
    return found


def _number(value: int | float) -> int | float | None:
    """As it is kept; None for what is none, or beyond what a plot can show."""
    if isinstance(value, int):
        return int(value) if abs(value) < _WHOLE_MAX else None
    return value if math.isfinite(value) else None


def _leaves(document: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, int | float]]:
    for key, value in document.items():
        if isinstance(value, bool | int | float):
            yield prefix + key, value
        elif isinstance(value, dict) and depth > 1:
            yield from _leaves(value, f"{prefix}{key}.", depth - 1)


def log_line(document: dict[str, Any], raw: bytes) -> tuple[str, str, str]:
    """(level, area, text) of a line that a device sent."""
    level = str(document.get("level", "I"))[:1].upper()
    text = str(document.get("text", "")) if document else raw.decode(errors="backslashreplace")
    if left_out := document.get("left_out"):
        text += f" ({left_out} left out)"
    return level if level in _LEVELS and level else "I", str(document.get("area", ""))[:NAME_MAX], shown(text)


def drained(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of another system, which the log drain has taken."""
    lines = document.get("lines")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def crash(document: dict[str, Any]) -> str:
    """A crash in a text."""
    parts = (document.get(name) for name in ("what", "type", "message"))
    head = ": ".join(str(part) for part in parts if part)
    return shown("\n".join(filter(None, (head, str(document.get("traceback") or "")))))


def shown(text: str) -> str:
    """A device's text as it is kept: bounded, and without the code that sets it up."""
    return _CODE.sub("code …", text[:_TEXT_MAX])


def mode(area: str, text: str) -> str | None:
    """The mode that a log line tells."""
    found = _MODE.match(text) if area == "system" else None
    return found[1] if found else None


def step(area: str, text: str) -> dict[str, Any] | None:
    """How far an update is, where a log line tells it."""
    if area == "system" and text.startswith("mode OTA"):
        return {"step": "asking"}
    if area == "update" and (found := _PROGRESS.match(text)):
        return {"step": "fetching", "version": found[1], "bytes": int(found[2]), "size": int(found[3])}
    if area == "system" and (found := _INSTALLED.match(text)):
        return {"step": "trial", "version": found[1]}
    if area == "update" and (found := _COUNTS.match(text)):
        return {"step": "confirmed", "version": found[1]}
    if area == "update" and "on trial is given up" in text:
        return {"step": "back", "reason": text}
    return None
