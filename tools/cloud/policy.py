"""AWS IoT policies: an explicit Deny wins, and what is not allowed is denied."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .errors import MalformedPolicyException

_VERSION = "2012-10-17"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}  # ${*} stands for the character itself
_MAX_BYTES = 2048  # AWS's limit, white space not counted

Variables = Mapping[str, str]
"""The values of policy variables such as `iot:ClientId`; a variable without a value is absent."""


class Policy:
    """One policy document.

    Args:
        document: the policy's JSON text.

    Raises:
        MalformedPolicyException: not JSON, a part missing, or a condition that this broker cannot evaluate.
    """

    def __init__(self, document: str) -> None:
        try:
            parsed = json.loads(document)
        except ValueError as error:
            raise MalformedPolicyException(f"policy is not JSON: {error}") from None
        if not isinstance(parsed, dict):
            raise MalformedPolicyException("policy is not a JSON object")
        if parsed.get("Version", _VERSION) != _VERSION:
            raise MalformedPolicyException(f"Version: must be {_VERSION}")
        if len("".join(document.split())) > _MAX_BYTES:
            raise MalformedPolicyException(f"policy has more than {_MAX_BYTES} characters")
        statements = parsed.get("Statement")
        if isinstance(statements, dict):
            statements = [statements]
        if not isinstance(statements, list) or not statements:
            raise MalformedPolicyException("Statement: must be an object or a list of at least one")
        self._statements = [_statement(s, f"Statement[{i}]") for i, s in enumerate(statements)]

    def effects(self, action: str, resource: str, variables: Variables) -> Iterable[bool]:
        """True for each statement that allows, False for each that denies."""
        for statement in self._statements:
            if statement.applies(action, resource, variables):
                yield statement.allow


def is_allowed(policies: Iterable[Policy], action: str, resource: str, variables: Variables) -> bool:
    """Whether the policies together allow `action` (such as `iot:Publish`) on `resource` (an ARN)."""
    effects = [effect for policy in policies for effect in policy.effects(action, resource, variables)]
    return bool(effects) and all(effects)


@dataclass(frozen=True)
class _Statement:
    allow: bool
    actions: list[str]
    resources: list[str]
    conditions: list[tuple[Callable[[str, str], bool], str, list[str]]]

    def applies(self, action: str, resource: str, variables: Variables) -> bool:
        return (
            any(_matches(pattern, action, {}, self.allow) for pattern in self.actions)
            and any(_matches(pattern, resource, variables, self.allow) for pattern in self.resources)
            and all(
                key in variables and any(test(_plain(value, variables), variables[key]) for value in values)
                for test, key, values in self.conditions
            )
        )


def _statement(source: Any, where: str) -> _Statement:
    if not isinstance(source, dict):
        raise MalformedPolicyException(f"{where}: must be an object")
    unknown = set(source) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise MalformedPolicyException(f"{where}: unknown element {sorted(unknown)[0]}")
    if source.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicyException(f"{where}.Effect: must be Allow or Deny")
    return _Statement(
        source["Effect"] == "Allow",
        _strings(source.get("Action"), f"{where}.Action"),
        _strings(source.get("Resource"), f"{where}.Resource"),
        _conditions(source.get("Condition", {}), f"{where}.Condition"),
    )


def _strings(value: Any, where: str) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
        raise MalformedPolicyException(f"{where}: must be a string or a list of strings")
    return values


def _conditions(source: Any, where: str) -> list[tuple[Callable[[str, str], bool], str, list[str]]]:
    if not isinstance(source, dict):
        raise MalformedPolicyException(f"{where}: must be an object")
    conditions = []
    for operator, keys in source.items():
        if operator not in _OPERATORS:
            raise MalformedPolicyException(f"{where}: {operator} is not supported here")
        if not isinstance(keys, dict):
            raise MalformedPolicyException(f"{where}.{operator}: must be an object")
        for key, value in keys.items():
            wanted = str(value).lower() if isinstance(value, bool) else value
            conditions.append((_OPERATORS[operator], key, _strings(wanted, f"{where}.{operator}.{key}")))
    return conditions


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "StringEquals": lambda wanted, value: wanted == value,
    "StringLike": lambda wanted, value: _matches(wanted, value, {}, True),
}


def _plain(text: str, variables: Variables) -> str:
    return _VARIABLE.sub(lambda m: _LITERALS.get(m[1], variables.get(m[1], m[0])), text)


def _matches(pattern: str, text: str, variables: Variables, allow: bool) -> bool:
    """`*` is any number of characters and `?` is one; a variable's value stands for itself.

    A variable without a value matches nothing. Neither does, in an Allow, a value with `+` or `#`: a client
    called `+` must not widen `topicfilter/${iot:ClientId}/in` to everybody's.
    """
    values = []
    for name in _names(pattern):
        value = variables.get(name)
        if value is None or (allow and ("+" in value or "#" in value)):
            return False
        values.append(value)
    return _compiled(pattern, tuple(values)).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _names(pattern: str) -> tuple[str, ...]:
    return tuple(name for name in _VARIABLE.findall(pattern) if name not in _LITERALS)


@lru_cache(maxsize=4096)
def _compiled(pattern: str, values: tuple[str, ...]) -> re.Pattern[str]:
    rest = iter(values)
    expression = ""
    for index, part in enumerate(_VARIABLE.split(pattern)):
        if index % 2:
            expression += re.escape(_LITERALS[part] if part in _LITERALS else next(rest))
        else:
            expression += re.escape(part).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.DOTALL)
