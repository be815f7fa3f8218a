"""AWS IoT policies: an explicit Deny wins, and what is not allowed is denied."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import documents, pattern
from .conditions import Condition, conditions
from .context import Variables, is_known, text_value
from .errors import MalformedPolicyException

_VERSION = "2012-10-17"
_MAX_CHARACTERS = 2048  # AWS's limit, white space not counted
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}


class Policy:
    """One policy document.

    Args:
        document: the policy's JSON text.

    Raises:
        MalformedPolicyException: names the place and the reason, also for what could not be evaluated.
    """

    def __init__(self, document: str) -> None:
        try:
            parsed = documents.load(document)
        except ValueError as error:
            raise MalformedPolicyException(f"policy {error}") from None
        if unknown := set(parsed) - {"Version", "Id", "Statement"}:
            raise MalformedPolicyException(f"policy: unknown element {sorted(unknown)[0]}")
        if parsed.get("Version", _VERSION) != _VERSION:
            raise MalformedPolicyException(f"Version: {parsed['Version']!r}, must be {_VERSION}")
        if len("".join(document.split())) > _MAX_CHARACTERS:
            raise MalformedPolicyException(f"policy has more than {_MAX_CHARACTERS} characters")
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

    def depends_on(self, keys: Iterable[str]) -> bool:
        """Whether a condition or a resource asks for one of these variables."""
        wanted = set(keys)
        return any(not wanted.isdisjoint(statement.keys) for statement in self._statements)


def is_allowed(policies: Iterable[Policy], action: str, resource: str, variables: Variables) -> bool:
    """Whether the policies together allow `action` (such as `iot:Publish`) on `resource` (an ARN)."""
    effects = [effect for policy in policies for effect in policy.effects(action, resource, variables)]
    return bool(effects) and all(effects)


@dataclass(frozen=True)
class _Statement:
    allow: bool
    actions: list[pattern.Pattern]
    but_actions: bool  # NotAction: all but those
    resources: list[pattern.Pattern]
    but_resources: bool
    conditions: list[Condition]
    keys: frozenset[str]

    def applies(self, action: str, resource: str, variables: Variables) -> bool:
        return (
            any(_matches_action(parts, action) for parts in self.actions) is not self.but_actions
            and self._applies_to(resource, variables)
            and all(condition.holds(variables) for condition in self.conditions)
        )

    def _applies_to(self, resource: str, variables: Variables) -> bool:
        """A variable without a value matches nothing; where a NotResource has one, an Allow allows nothing.

        Neither has a value with `+` or `#` in an Allow: a client called `+` must not widen
        `topicfilter/${iot:ClientId}/in` to everybody's.
        """
        value = text_value(variables)

        def usable(name: str) -> str | None:
            found = value(name)
            return None if found and self.allow and ("+" in found or "#" in found) else found

        filled = [pattern.fill(parts, usable) for parts in self.resources]
        if self.but_resources and self.allow and None in filled:
            return False
        found = any(parts is not None and pattern.matches(parts, resource) for parts in filled)
        return found is not self.but_resources


def _matches_action(parts: pattern.Pattern, action: str) -> bool:
    filled = pattern.fill(parts, lambda name: None)
    return filled is not None and pattern.matches(filled, action)


def _statement(source: Any, where: str) -> _Statement:
    if not isinstance(source, dict):
        raise MalformedPolicyException(f"{where}: must be an object")
    if unknown := set(source) - _ELEMENTS:
        raise MalformedPolicyException(f"{where}: unknown element {sorted(unknown)[0]}")
    if source.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicyException(f"{where}.Effect: {source.get('Effect')!r}, must be Allow or Deny")
    actions, but_actions = _patterns(source, "Action", where, variables=False)
    resources, but_resources = _patterns(source, "Resource", where, variables=True)
    try:
        made = conditions(source.get("Condition", {}))
    except ValueError as error:
        raise MalformedPolicyException(f"{where}.Condition{error}") from None
    keys = {condition.key for condition in made}.union(*map(pattern.names, resources))
    return _Statement(
        source["Effect"] == "Allow", actions, but_actions, resources, but_resources, made, frozenset(keys)
    )


def _patterns(
    source: dict[str, Any], name: str, where: str, variables: bool
) -> tuple[list[pattern.Pattern], bool]:
    """The patterns of an element or of its negation, NotAction or NotResource, and whether it is that."""
    present = [element for element in (name, f"Not{name}") if element in source]
    if len(present) != 1:
        raise MalformedPolicyException(f"{where}: needs {name} or Not{name}, and not both")
    where = f"{where}.{present[0]}"
    value = source[present[0]]
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise MalformedPolicyException(f"{where}: must be a string or a list of strings")
    try:
        parsed = [pattern.parse(text) for text in texts]
    except ValueError as error:
        raise MalformedPolicyException(f"{where}: {error}") from None
    for used in (name for parts in parsed for name in pattern.names(parts)):
        if not variables:
            raise MalformedPolicyException(f"{where}: ${{{used}}}, but variables have no place in an action")
        if not is_known(used):
            text = f"{where}: {used!r} is not a variable that a device's connection has"
            raise MalformedPolicyException(text)
    return parsed, present[0] != name
