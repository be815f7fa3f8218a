"""Conditions of policies: what a statement asks of a request beside action and resource.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .context import Variables, is_known
from .operators import OPERATORS, Test, boolean


@dataclass(frozen=True)
class Condition:
    """One key of one operator: whether the request's values of the key are the policy's.

    Args:
        key: a key that is_known().
        tests: one for each of the policy's values, of which one must hold.
        negated: none of them may hold.
        every: ForAllValues: each of the request's values; None: the key is thought to have one value.
        if_exists: without the key it holds.
        absent: for the operator Null alone: whether the key must be absent.
    """

    key: str
    tests: tuple[Test, ...]
    negated: bool
    every: bool | None
    if_exists: bool
    absent: bool | None = None

    def holds(self, variables: Variables) -> bool:
        found = variables.get(self.key, ())
        values = (found,) if isinstance(found, str) else found
        if self.absent is not None:
            return self.absent is not bool(values)
        if not values:
            return self.if_exists or (self.negated if self.every is None else self.every)
        hits = [any(test(value, variables) for test in self.tests) for value in values]
        if self.every is None:
            return any(hits) is not self.negated
        return (all if self.every else any)(hit is not self.negated for hit in hits)


def conditions(source: Any) -> list[Condition]:
    """The conditions of a statement's Condition; raises ValueError, which names the place and the reason."""
    made = []
    for name, keys in _object(source, "").items():
        for key, values in _object(keys, f".{name}").items():
            try:
                made.append(_condition(name, key, values))
            except ValueError as error:
                raise ValueError(f".{name}.{key}: {error}") from None
        if not keys:
            _operator(name)
    return made


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: must be an object")
    return value


def _condition(name: str, key: str, values: Any) -> Condition:
    make, negated, every, if_exists = _operator(name)
    if not is_known(key):
        raise ValueError(f"{key!r} is not a key that a device's connection has")
    texts = _texts(values)
    if make is None:
        absents = {boolean(text) for text in texts}
        if len(absents) != 1:
            raise ValueError("must be true or false")
        return Condition(key, (), False, None, False, absents.pop())
    return Condition(key, tuple(make(text) for text in texts), negated, every, if_exists)


def _texts(values: Any) -> list[str]:
    """A value or a list of them, which may be empty, as text: JSON's true is "true", as in IAM."""
    texts = []
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, bool):
            texts.append(str(value).lower())
        elif isinstance(value, str | int | float):
            texts.append(str(value))
        else:
            raise ValueError("must be a string or a list of strings")
    return texts


def _operator(name: str) -> tuple[Callable[[str], Test] | None, bool, bool | None, bool]:
    """(what makes its tests, None for Null; whether it is a negation; Condition's every and if_exists)."""
    quantifier, colon, rest = name.rpartition(":")
    base = rest.removesuffix("IfExists")
    if base in OPERATORS and (not colon or quantifier in ("ForAllValues", "ForAnyValue")):
        make, negated = OPERATORS[base]
        return make, negated, quantifier == "ForAllValues" if colon else None, base != rest
    if name == "Null":
        return None, False, None, False
    raise ValueError(f"{name!r} is not an operator")
