"""The functions in provisioning templates: Ref, Fn::Join, Fn::Select, Fn::Split, Fn::FindInMap, Fn::Sub.

They are checked and put together when a template is made; a device's parameters are what they are called with
(Developer Guide, "Provisioning templates"; for what that leaves open, CloudFormation's reference).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import InvalidRequestException

MAX_CHARACTERS = 64 * 1024  # of what a function makes; Fn::Sub in Fn::Sub could double it at each step

Values = Mapping[str, str]
Text = Callable[[Values], str]
Texts = Callable[[Values], list[str]]
_Found = TypeVar("_Found", str, list[str])
_Mappings = dict[str, dict[str, dict[str, str | list[str]]]]

_PLACE = re.compile(r"(\$\{[^{}]*\})")  # at each odd index of its split() there is one of Fn::Sub's variables


class ParameterError(Exception):
    """A parameter is missing, unknown or not usable where the template uses it."""


@dataclass(frozen=True)
class Scope:
    """What a function may name: the template's parameters and its mappings."""

    parameters: frozenset[str]
    mappings: _Mappings


def mappings(source: Any) -> _Mappings:
    """A template's section Mappings; raises InvalidRequestException."""
    for name, table in an_object(source, "Mappings").items():
        for key, values in an_object(table, f"Mappings.{name}").items():
            for inner, value in an_object(values, f"Mappings.{name}.{key}").items():
                strings = value if isinstance(value, list) else [value]
                if not all(isinstance(one, str) for one in strings):
                    text = "must be a string or a list of them; functions have no place in Mappings"
                    raise InvalidRequestException(f"Mappings.{name}.{key}.{inner}: {text}")
    return source


def an_object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequestException(f"{where}: must be an object")
    return value


def text(source: Any, where: str, scope: Scope) -> Text:
    """A string, or a function that makes one; InvalidRequestException names the place and the reason."""
    if isinstance(source, str):
        return lambda _: source
    name, argument = _function(source)
    if name in _TEXTS:
        return _TEXTS[name](argument, f"{where}.{name}", scope)
    if name in _LISTS:
        raise InvalidRequestException(f"{where}: {name} makes a list; Fn::Select takes one of its values")
    raise InvalidRequestException(_no_function(name, where, "a string"))


def texts(source: Any, where: str, scope: Scope) -> Texts:
    """A list of strings and functions, or a function that makes a list. Raises as text()."""
    if isinstance(source, list):
        parts = [text(part, f"{where}[{index}]", scope) for index, part in enumerate(source)]
        return lambda values: [part(values) for part in parts]
    name, argument = _function(source)
    if name in _LISTS:
        return _LISTS[name](argument, f"{where}.{name}", scope)
    if name == "Fn::FindInMap":
        return _find(argument, f"{where}.{name}", scope, list)
    raise InvalidRequestException(_no_function(name, where, "a list"))


def anything(source: Any, where: str, scope: Scope) -> Callable[[Values], Any]:
    """Any JSON with functions in it; InvalidRequestException names the place and the reason."""
    name, _ = _function(source)
    if name:
        return (texts if name in _LISTS else text)(source, where, scope)
    if isinstance(source, dict):
        parts = {key: anything(value, f"{where}.{key}", scope) for key, value in source.items()}
        return lambda values: {key: part(values) for key, part in parts.items()}
    if isinstance(source, list):
        items = [anything(value, f"{where}[{index}]", scope) for index, value in enumerate(source)]
        return lambda values: [item(values) for item in items]
    return lambda _: source


def _function(source: Any) -> tuple[str, Any]:
    """(name, argument) of what is written as a function, ("", None) for what is not."""
    if isinstance(source, dict) and len(source) == 1:
        ((name, argument),) = source.items()
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return "", None


def _no_function(name: str, where: str, wanted: str) -> str:
    if name in _TEXTS:
        return f"{where}: {name} makes a string, and a list belongs here"
    known = "Ref, Fn::Join, Fn::Select, Fn::Split, Fn::FindInMap or Fn::Sub"
    return (
        f"{where}: {name} is not one of {known}" if name else f"{where}: must be {wanted} or one of {known}"
    )


def _list_of(argument: Any, lengths: tuple[int, ...], where: str, form: str) -> list[Any]:
    if not isinstance(argument, list) or len(argument) not in lengths:
        raise InvalidRequestException(f"{where}: must be {form}")
    return argument


def _literal(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequestException(f"{where}: must be a string, no function")
    return value


def _declared(name: Any, where: str, scope: Scope) -> str:
    if not isinstance(name, str) or name not in scope.parameters:
        raise InvalidRequestException(f"{where}: {name!r} is not declared in Parameters")
    return name


def _bounded(parts: Iterable[str], where: str) -> str:
    made, size = [], 0
    for part in parts:
        made.append(part)
        size += len(part)
        if size > MAX_CHARACTERS:
            raise ParameterError(f"{where}: makes more than {MAX_CHARACTERS} characters")
    return "".join(made)


# One function each: from its argument to what is called with the parameters' values.


def _ref(argument: Any, where: str, scope: Scope) -> Text:
    name = _declared(argument, where, scope)
    return lambda values: values[name]


def _join(argument: Any, where: str, scope: Scope) -> Text:
    separator, parts = _list_of(argument, (2,), where, "[separator, [part, …]]")
    between, listed = _literal(separator, f"{where}[0]"), texts(parts, f"{where}[1]", scope)

    def join(values: Values) -> str:
        found = listed(values)
        return _bounded((part for one in found for part in (between, one)), where)[len(between) :]

    return join


def _select(argument: Any, where: str, scope: Scope) -> Text:
    index, source = _list_of(argument, (2,), where, "[index, list]")
    if isinstance(index, int) and not isinstance(index, bool):
        index = str(index)
    number, listed = text(index, f"{where}[0]", scope), texts(source, f"{where}[1]", scope)
    constant = isinstance(index, str) and isinstance(source, list)

    def select(values: Values) -> str:
        wanted, found = number(values), listed(values)
        if not re.fullmatch(r"[0-9]{1,5}", wanted) or int(wanted) >= len(found):
            raise ParameterError(f"{where}: {wanted!r} is no index of a list of {len(found)}")
        return found[int(wanted)]

    if constant and not (re.fullmatch(r"[0-9]{1,5}", index) and int(index) < len(source)):
        raise InvalidRequestException(f"{where}: {index!r} is no index of a list of {len(source)}")
    return select


def _split(argument: Any, where: str, scope: Scope) -> Texts:
    separator, source = _list_of(argument, (2,), where, "[separator, text]")
    if not (between := _literal(separator, f"{where}[0]")):
        raise InvalidRequestException(f"{where}[0]: must not be empty")
    whole = text(source, f"{where}[1]", scope)
    return lambda values: whole(values).split(between)


def _find(argument: Any, where: str, scope: Scope, wanted: type[_Found]) -> Callable[[Values], _Found]:
    """Looks a value up. What is literal must be there, and all that can be found be of the kind wanted."""
    named, *keys = _list_of(argument, (3,), where, "[mapping, key, key]")
    name = _literal(named, f"{where}[0]")
    if name not in scope.mappings:
        raise InvalidRequestException(f"{where}: {name!r} is not declared in Mappings")
    table = scope.mappings[name]
    outer, inner = (text(key, f"{where}[{index}]", scope) for index, key in enumerate(keys, start=1))
    rows = _at(keys[0], table)
    found = [value for row in rows for value in _at(keys[1], row)]
    if not found:
        raise InvalidRequestException(f"{where}: Mappings.{name} has nothing for it")
    if not all(isinstance(value, wanted) for value in found):
        raise InvalidRequestException(
            f"{where}: Mappings.{name} has strings or lists where the other belongs"
        )

    def find(values: Values) -> _Found:
        first, second = outer(values), inner(values)
        value = table.get(first, {}).get(second)
        if not isinstance(value, wanted):  # None
            raise ParameterError(f"{where}: Mappings.{name} has nothing for {first!r}, {second!r}")
        return value

    return find


def _at(key: Any, table: dict[str, Any]) -> list[Any]:
    """What may be found at a key: only one where it is literal."""
    return [value for name, value in table.items() if name == key or not isinstance(key, str)]


def _sub(argument: Any, where: str, scope: Scope) -> Text:
    source, given = argument, {}
    if not isinstance(argument, str):
        source, given = _list_of(argument, (2,), where, "a string, or [string, {name: value, …}]")
    own = {
        name: text(value, f"{where}[1].{name}", scope)
        for name, value in an_object(given, f"{where}[1]").items()
    }
    parts: list[Text] = []
    for index, piece in enumerate(_PLACE.split(_literal(source, where))):
        name = piece[2:-1].strip()
        if index % 2 == 0:
            parts.append(lambda _, piece=piece: piece)  # type: ignore[misc]
        elif name.startswith("!"):
            parts.append(lambda _, name=name: f"${{{name[1:]}}}")  # type: ignore[misc]
        elif name in own:
            parts.append(own[name])
        elif name in scope.parameters:
            parts.append(_ref(name, where, scope))
        else:
            hint = f"; a policy variable is written ${{!{name}}}" if name.startswith(("iot:", "aws:")) else ""
            raise InvalidRequestException(f"{where}: {name!r} is not declared in Parameters{hint}")
    return lambda values: _bounded((part(values) for part in parts), where)


def _find_text(argument: Any, where: str, scope: Scope) -> Text:
    return _find(argument, where, scope, str)


_TEXTS: dict[str, Callable[[Any, str, Scope], Text]] = {
    "Ref": _ref, "Fn::Join": _join, "Fn::Select": _select, "Fn::FindInMap": _find_text, "Fn::Sub": _sub,
}  # fmt: skip
_LISTS: dict[str, Callable[[Any, str, Scope], Texts]] = {"Fn::Split": _split}
