"""A command's parameters: their types, what their values must be, and how they get into a payload.

Source: AWS IoT Developer Guide, "Commands concepts and status"; API reference, CommandParameter.
"""

import base64
import json
import re
import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from .. import documents
from ..errors import ValidationException

NAME = re.compile(r"[.$a-zA-Z0-9_-]{1,192}")
MAX_TEMPLATE = 32768
_KEYS = {
    "STRING": "S",
    "BOOLEAN": "B",
    "INTEGER": "I",
    "LONG": "L",
    "DOUBLE": "D",
    "BINARY": "BIN",
    "UNSIGNEDLONG": "UL",
}
_BITS = {"I": 31, "L": 63}
_NUMBERS = ("I", "L", "D", "UL")
_PLACEHOLDER = re.compile(r"\$\{aws:iot:commandexecution::(executionTimeoutSec|parameter:([^{}]*))\}")
_SETS = ("IN_SET", "NOT_IN_SET")
_RANGES = ("IN_RANGE", "NOT_IN_RANGE")
_EQUALITIES = ("EQUALS", "NOT_EQUALS")
_ORDERS = ("LESS_THAN", "LESS_THAN_EQUALS", "GREATER_THAN", "GREATER_THAN_EQUALS")


def check_parameters(parameters: list[dict[str, Any]]) -> None:
    """The mandatoryParameters of a command. Raises ValidationException."""
    names = [_text(parameter.get("name")) for parameter in parameters]
    for name, parameter in zip(names, parameters, strict=True):
        where = f"mandatoryParameters: {name!r}"
        if not NAME.fullmatch(name):
            raise ValidationException(f"{where}, a name must be 1 to 192 of . $ a-z A-Z 0-9 _ -")
        kind = parameter.get("type")
        if kind is not None and kind not in _KEYS:
            raise ValidationException(f"{where}: type {kind!r}, must be one of {', '.join(_KEYS)}")
        for member in ("value", "defaultValue"):
            if member in parameter:
                _check(where, parameter, parameter[member])
        for condition in parameter.get("valueConditions", ()):
            _check_condition(where, kind, condition)
    if len(set(names)) < len(names):
        raise ValidationException("mandatoryParameters: a name twice")


def resolve(
    parameters: list[dict[str, Any]], given: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The value of each parameter: the one given, else the command's own, else its default.

    Raises ValidationException: none of them, one of another type, one that a condition forbids.
    """
    if unknown := given.keys() - {parameter["name"] for parameter in parameters}:
        raise ValidationException(f"parameters: the command has none called {', '.join(sorted(unknown))}")
    values = {}
    for parameter in parameters:
        name = parameter["name"]
        value = given.get(name, parameter.get("value", parameter.get("defaultValue")))
        if value is None:
            raise ValidationException(f"parameters: {name} has no value and no default")
        key = _check(f"parameters: {name}", parameter, value)
        for condition in parameter.get("valueConditions", ()):
            if not _holds(key, value[key], condition):
                operator, operand = condition["comparisonOperator"], json.dumps(condition["operand"])
                raise ValidationException(
                    f"parameters: {name}: {value[key]!r} is not {operator} of {operand}"
                )
        values[name] = value
    return values


def check_template(template: str, parameters: list[dict[str, Any]]) -> None:
    """A payloadTemplate: a JSON object with a placeholder. Raises ValidationException."""
    if not 1 <= len(template.encode(errors="replace")) <= MAX_TEMPLATE:
        raise ValidationException(f"payloadTemplate: must have 1 to {MAX_TEMPLATE} bytes")
    try:
        documents.load(template)
    except ValueError as error:
        raise ValidationException(f"payloadTemplate {error}") from None
    found = _PLACEHOLDER.findall(template)
    if not found:
        raise ValidationException("payloadTemplate: must have a placeholder ${aws:iot:commandexecution::…}")
    names = {parameter["name"] for parameter in parameters}
    if missing := {name for whole, name in found if whole != "executionTimeoutSec"} - names:
        raise ValidationException(
            f"payloadTemplate: {', '.join(sorted(missing))}, none of mandatoryParameters"
        )


def fill(template: str, values: Mapping[str, dict[str, Any]], timeout_s: int) -> bytes:
    """The payload of a template.

    A text that is one placeholder becomes the value with its type, a number or a boolean; within a longer
    text the value stands as text. Bytes are base64.
    """

    def value(found: re.Match[str]) -> Any:
        if found[1] == "executionTimeoutSec":
            return timeout_s
        ((key, plain),) = values[found[2]].items()
        if key == "BIN":
            return base64.b64encode(plain).decode()
        return int(plain) if key == "UL" else plain

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {filled_text(name): filled(inner) for name, inner in node.items()}
        if isinstance(node, list):
            return [filled(inner) for inner in node]
        if isinstance(node, str):
            whole = _PLACEHOLDER.fullmatch(node)
            return value(whole) if whole else filled_text(node)
        return node

    def filled_text(text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: _as_text(value(found)), text)

    return json.dumps(filled(documents.load(template)), ensure_ascii=False, separators=(",", ":")).encode()


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can carry a text, which half of a surrogate pair cannot be in."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _check(where: str, parameter: Mapping[str, Any], value: Any) -> str:
    """The one key of a CommandParameterValue, whose content is right."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ValidationException(f"{where}: a value has one of {', '.join(_KEYS.values())}")
    ((key, content),) = value.items()
    expected = _KEYS.get(parameter.get("type", ""), key)
    if key != expected or not _fits(key, content):
        kind = parameter.get("type") or key
        raise ValidationException(f"{where}: {content!r} as {key} is no value of the type {kind}")
    return key


def _fits(key: str, content: Any) -> bool:
    if key == "B":
        return isinstance(content, bool)
    if key in _BITS:
        limit = 1 << _BITS[key]
        return isinstance(content, int) and not isinstance(content, bool) and -limit <= content < limit
    if key == "D":
        number = isinstance(content, int | float) and not isinstance(content, bool)
        return number and abs(content) <= sys.float_info.max  # neither infinite nor NaN
    if key == "UL":
        digits = isinstance(content, str) and re.fullmatch(r"[0-9]{1,20}", content) is not None
        return digits and int(content) < 1 << 64
    return (key == "S" and isinstance(content, str) and bool(content) and is_unicode(content)) or (
        key == "BIN" and isinstance(content, bytes) and bool(content)
    )


# Conditions


def _check_condition(where: str, kind: str | None, condition: dict[str, Any]) -> None:
    operator, operand = condition.get("comparisonOperator"), condition.get("operand") or {}
    key = _KEYS.get(kind or "")
    allowed = {
        "S": (*_EQUALITIES, *_SETS),
        "B": (),
        "BIN": (),
    }.get(key or "", (*_EQUALITIES, *_SETS, *_RANGES, *_ORDERS))
    if operator not in allowed:
        raise ValidationException(f"{where}: {operator} is no condition for the type {kind or 'of any'}")
    textual = "string" in operand or "strings" in operand
    if (operator in _SETS) != ("strings" in operand or "numbers" in operand) or (operator in _RANGES) != (
        "numberRange" in operand
    ):
        raise ValidationException(f"{where}: {operator} does not go with the operand {json.dumps(operand)}")
    if len(operand) != 1 or (key == "S" and not textual) or (key in _NUMBERS and textual):
        raise ValidationException(f"{where}: the operand {json.dumps(operand)} is not of the type {kind}")
    if not textual:
        for text in _numbers(operand):
            _number(where, text)


def _numbers(operand: dict[str, Any]) -> list[Any]:
    if "numberRange" in operand:
        return [operand["numberRange"].get("min"), operand["numberRange"].get("max")]
    return operand.get("numbers") or [operand.get("number")]


def _number(where: str, text: Any) -> Decimal:
    try:
        number = Decimal(_text(text))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValidationException(f"{where}: the operand {text!r} is no number")
    return number


def _holds(key: str, content: Any, condition: dict[str, Any]) -> bool:
    operator, operand = condition["comparisonOperator"], condition["operand"]
    if "string" in operand or "strings" in operand:
        inside = content in (operand.get("strings") or [operand["string"]])
        return inside != operator.startswith("NOT_")
    if key not in _NUMBERS:
        return False
    number = Decimal(str(content))
    operands = [_number("valueConditions", text) for text in _numbers(operand)]
    if operator in _RANGES:
        low, high = operands
        return (low <= number <= high) == (operator == "IN_RANGE")
    if operator in (*_EQUALITIES, *_SETS):
        return (number in operands) != operator.startswith("NOT_")
    (other,) = operands
    return {
        "LESS_THAN": number < other,
        "LESS_THAN_EQUALS": number <= other,
        "GREATER_THAN": number > other,
        "GREATER_THAN_EQUALS": number >= other,
    }[operator]
