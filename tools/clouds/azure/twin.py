"""A device twin: desired and reported properties, their versions, and what may be in them.

Source: "Understand and use device twins in IoT Hub".
"""

import json
from typing import Any

from .errors import ServiceError

_LEVELS = 10
_KEY_BYTES = 1024
_STRING_BYTES = 4096
_SECTION_BYTES = 32 * 1024
_INTEGERS = range(-(2**52), 2**52)
_FORBIDDEN = frozenset(". $")


class Section:
    """Desired or reported properties."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.version = 1

    def patch(self, change: dict[str, Any]) -> None:
        """Merge a change: None removes. Raises ServiceError, and nothing has changed then."""
        _check(change, 1)
        merged = _merge(self.values, change)
        if (size := len(json.dumps(merged))) > _SECTION_BYTES:
            raise ServiceError(413000, f"{size} bytes of properties, at most {_SECTION_BYTES} are taken")
        self.values = merged
        self.version += 1

    def document(self) -> dict[str, Any]:
        return {**self.values, "$version": self.version}


def _check(value: object, level: int) -> None:
    if isinstance(value, dict):
        if level > _LEVELS:
            raise ServiceError(400000, f"more than {_LEVELS} levels")
        for key, inner in value.items():
            if not key or set(key) & _FORBIDDEN or not key.isprintable() or len(key.encode()) > _KEY_BYTES:
                raise ServiceError(400000, f"{key[:40]!r} is no name of a property")
            _check(inner, level + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, level + 1)
    elif isinstance(value, str) and len(value.encode()) > _STRING_BYTES:
        raise ServiceError(400000, f"a string of more than {_STRING_BYTES} bytes")
    elif isinstance(value, int) and value not in _INTEGERS:
        raise ServiceError(400000, "a whole number of more than 53 bits")


def _merge(values: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            old = merged.get(key)
            merged[key] = _merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[key] = value
    return merged
