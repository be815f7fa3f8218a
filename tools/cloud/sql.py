"""A rule's SQL, as far as rules here go: which messages it takes, and what it selects of them.

Source: Developer Guide, "AWS IoT SQL reference". Known are `topic()`, `topic(N)`, `principal()`,
`clientid()`, `*` and paths into the payload, each with AS; behind WHERE one of them, or two with `=` or `<>`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import topics
from .limits import Limits

MISSING = object()
"""What AWS calls Undefined: it is left out of an event, and is neither equal to anything nor different."""

_RULE = re.compile(
    r"\s*SELECT\s+(?P<select>.+?)\s+FROM\s+'(?P<filter>[^']*)'(?:\s+WHERE\s+(?P<where>.+?))?\s*", re.I | re.S
)
_ITEM = re.compile(r"(?P<value>\S+?)(?:\s+AS\s+(?P<name>\w+))?", re.I)
_WHERE = re.compile(r"(?P<left>\S+)(?:\s*(?P<operator>=|<>)\s*(?P<right>'[^']*'|\S+))?")
_TOPIC = re.compile(r"topic\((?P<level>[1-9]\d*)?\)", re.I)
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Sent:
    """A message, and who has sent it: "n/a" as on AWS where that is no client."""

    topic: str
    payload: bytes
    client_id: str = "n/a"
    certificate_id: str = ""

    def document(self) -> Any:
        """The payload's JSON; MISSING where it has none."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return MISSING


_Value = Callable[[Sent, Any], Any]
_KNOWN: dict[str, _Value] = {
    "*": lambda sent, document: document,
    "clientid()": lambda sent, document: sent.client_id,
    "principal()": lambda sent, document: sent.certificate_id or MISSING,
    "true": lambda sent, document: True,
    "false": lambda sent, document: False,
}


class Sql:
    """One statement.

    Args:
        text: SELECT … FROM '…' WHERE ….
        limits: for its topic filter.

    Raises:
        ValueError: it is none, or has something that is not known here.
    """

    def __init__(self, text: str, limits: Limits) -> None:
        found = _RULE.fullmatch(text)
        if not found:
            raise ValueError("must be SELECT … FROM 'filter', with or without WHERE …")
        self.filter = found["filter"]
        if error := topics.filter_error(self.filter, limits):
            raise ValueError(error)
        self._items = [_item(one.strip()) for one in found["select"].split(",")]
        self._where = _condition(found["where"]) if found["where"] else None

    def event(self, sent: Sent) -> Any:
        """What it selects of a message that its filter takes; MISSING where its WHERE does not hold."""
        document = sent.document()
        if self._where and not self._where(sent, document):
            return MISSING
        if len(self._items) == 1 and not self._items[0][0]:
            return document
        made: dict[str, Any] = {}
        for name, value in self._items:
            one = value(sent, document)
            if name and one is not MISSING:
                made[name] = one
            elif not name and isinstance(one, dict):
                made |= one
        return made


def _item(text: str) -> tuple[str, _Value]:
    """(name in the event, value); "" is the name of all that the payload has."""
    found = _ITEM.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not known here")
    if found["value"] == "*" and not found["name"]:
        return "", lambda sent, document: document
    return found["name"] or found["value"].rpartition(".")[2].partition("(")[0], _value(found["value"])


def _condition(text: str) -> Callable[[Sent, Any], bool]:
    found = _WHERE.fullmatch(text)
    if not found:
        raise ValueError(f"WHERE {text}: not known here")
    left = _value(found["left"])
    if not found["operator"]:
        return lambda sent, document: left(sent, document) is True
    right, equal = _value(found["right"]), found["operator"] == "="

    def holds(sent: Sent, document: Any) -> bool:
        pair = left(sent, document), right(sent, document)
        if MISSING in pair:
            return False
        same = pair[0] == pair[1] and isinstance(pair[0], bool) is isinstance(pair[1], bool)
        return same is equal

    return holds


def _value(text: str) -> _Value:
    """Of a function, a path or a literal. Raises ValueError."""
    if found := _TOPIC.fullmatch(text):
        if not found["level"]:
            return lambda sent, document: sent.topic
        index = int(found["level"]) - 1
        return lambda sent, document: dict(enumerate(sent.topic.split("/"))).get(index, MISSING)
    if text.lower() in _KNOWN:
        return _KNOWN[text.lower()]
    if text.startswith("'"):
        return lambda sent, document: text[1:-1]
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is not known here")
    names = text.split(".")

    def walk(sent: Sent, document: Any) -> Any:
        for name in names:
            document = document.get(name, MISSING) if isinstance(document, dict) else MISSING
        return document

    return walk
