"""The rules of a shadow document (AWS: "Device Shadow service documents"): pure, without a clock.

What the guide leaves open is as AWS was seen to answer: an object that is empty is a value like others, one
that becomes empty stays, a section that becomes empty goes.
"""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Tree = dict[str, Any]
"""A JSON object: a state, or the metadata beside it, which has `{"timestamp": s}` where that has a value."""


@dataclass(frozen=True, slots=True)
class Document:
    """A shadow's document.

    Args:
        version: of a shadow that is not there the one that the next follows, 0 for none.
        state: "desired" and "reported", neither of them empty.
        metadata: the same tree, a timestamp for each value.
        exists: False where there is no shadow.
    """

    version: int = 0
    state: Tree = field(default_factory=dict)
    metadata: Tree = field(default_factory=dict)
    exists: bool = True

    def updated(self, patch: Tree | None, now_s: int) -> "Document":
        """The next version, after an update's `state`; null empties the shadow."""
        state, metadata = ({}, {}) if patch is None else (deepcopy(self.state), deepcopy(self.metadata))
        _merge(state, metadata, patch or {}, now_s)
        for section in [name for name, value in state.items() if not value]:
            del state[section], metadata[section]
        return Document(self.version + 1, state, metadata)

    def delta(self) -> tuple[Tree, Tree]:
        """What is desired and not reported, and its metadata, which is that of the desired state."""
        difference = delta(self.state.get("desired", {}), self.state.get("reported", {}))
        return difference, _beside(difference, self.metadata.get("desired", {}))


def _merge(state: Tree, metadata: Tree, patch: Tree, now_s: int) -> None:
    """Objects are merged, null removes a field, all else replaces what was there; arrays are values."""
    for name, value in patch.items():
        if isinstance(value, dict):
            new = not isinstance(state.get(name), dict)
            if new:
                state[name], metadata[name] = {}, {}
            _merge(state[name], metadata[name], value, now_s)
            if new and value and not state[name]:  # nothing but nulls
                del state[name], metadata[name]
        elif value is None:
            state.pop(name, None)
            metadata.pop(name, None)
        else:
            state[name], metadata[name] = value, stamped(value, now_s)


def stamped(value: Any, now_s: int) -> Any:
    """The metadata of a value: a timestamp for each that is no object and no array, null too."""
    if isinstance(value, dict):
        return {name: stamped(inner, now_s) for name, inner in value.items()}
    if isinstance(value, list):
        return [stamped(inner, now_s) for inner in value]
    return {"timestamp": now_s}


def delta(desired: Tree, reported: Tree) -> Tree:
    """The fields of `desired` that `reported` lacks or has otherwise, with the path to them; arrays whole."""
    difference: Tree = {}
    for name, wanted in desired.items():
        if name not in reported:
            difference[name] = wanted
        elif isinstance(wanted, dict) and isinstance(reported[name], dict):
            if inner := delta(wanted, reported[name]):
                difference[name] = inner
        elif not equal(wanted, reported[name]):
            difference[name] = wanted
    return difference


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON, where 1 is 1.0 and not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _beside(part: Tree, metadata: Tree) -> Tree:
    """The metadata of a part of the state that `metadata` is for."""
    return {
        name: _beside(value, metadata[name]) if isinstance(value, dict) else metadata[name]
        for name, value in part.items()
    }


def encode(value: Any) -> bytes:
    """JSON without a space in it, as AWS sends and counts it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def size(state: Tree) -> int:
    """The bytes of a state that count for AWS's limit: its sections, without metadata."""
    return sum(len(encode(section)) for section in state.values() if section is not None)
