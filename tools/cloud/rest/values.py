"""One value of a request by its shape in AWS's model: its type, then the constraints of the model."""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from ..errors import AwsError, SerializationException

_SHOWN_CHARACTERS = 100  # of a value, in an error

# Java's classes of characters, as the models have them, for Python's.
_CLASSES = {
    r"\p{Graph}": "!-~",
    r"\p{C}": r"\x00-\x1f\x7f-\x9f\ud800-\udfff",
    r"\p{Cntrl}": r"\x00-\x1f\x7f",
    r"\p{Upper}": "A-Z",
    r"\p{Digit}": "0-9",
    r"\p{L}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\w",
}
_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
}
_BITS = {"integer": 31, "long": 63}
_TIME_CHARACTERS = 64


class ConstraintError(AwsError):
    """A value that the model does not allow; told by the operation's own error."""


def from_json(shape: Shape, value: Any, place: str) -> Any:
    """The argument for a value of a JSON document; what the model does not know in it is passed over.

    Raises:
        SerializationException: another type.
        ConstraintError: what the model does not allow, or a member that is missing.
    """
    _check_type(shape, value, place)
    made: Any = value
    if isinstance(shape, StructureShape):
        return members(shape, value, f"{place}.")
    if isinstance(shape, ListShape):
        made = [from_json(shape.member, one, f"{place}[{i}]") for i, one in enumerate(value)]
    elif isinstance(shape, MapShape):
        made = {
            from_json(shape.key, key, f"{place} (a key)"): from_json(shape.value, one, f"{place}.{key[:100]}")
            for key, one in value.items()
        }
    elif shape.type_name == "blob":
        made = _blob(value, place)
    elif shape.type_name == "timestamp":
        made = _timestamp(value, place)
    return constrained(shape, made, place)


def _check_type(shape: Shape, value: Any, place: str) -> None:
    kinds = _JSON_TYPES[shape.type_name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise SerializationException(f"{place}: {_kind(value)}, must be {_name(shape)}")
    bits = _BITS.get(shape.type_name)
    if bits and not -(2**bits) <= value < 2**bits:
        raise SerializationException(f"{place}: must be a whole number of {bits + 1} bits")
    if isinstance(value, float) and not math.isfinite(value):  # as 1e400 comes to be
        raise SerializationException(f"{place}: must be a number that is finite")


def members(shape: StructureShape, document: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """The members of a structure that are in a JSON object; null is the same as none."""
    found = {}
    for name, member in shape.members.items():
        value = document.get(member.serialization.get("name", name))
        if value is not None and "location" not in member.serialization:
            found[name] = from_json(member, value, place + name)
    if not place:
        return found  # an operation's own, of which others are elsewhere in the request
    check_required(shape, found, place)
    return found


def check_required(shape: StructureShape, found: Mapping[str, Any], place: str = "") -> None:
    """Raises ConstraintError."""
    for name in shape.required_members:
        if name not in found:
            raise ConstraintError(_error("null", place + name, "Member must not be null"))


def from_text(shape: Shape, text: str, place: str) -> Any:
    """The argument for what stands in a path, a query string or a header; raises as from_json."""
    value: Any = text
    if shape.type_name == "boolean":
        if text.lower() not in ("true", "false"):
            raise SerializationException(f"{place}: {_shown(text)}, must be true or false")
        value = text.lower() == "true"
    elif shape.type_name in ("integer", "long"):
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise SerializationException(f"{place}: {_shown(text)}, must be {_name(shape)}")
        value = int(text)
    elif shape.type_name == "timestamp":
        value = _timestamp(text, place)
    return constrained(shape, value, place)


def constrained(shape: Shape, value: Any, place: str) -> Any:
    """The value itself, which raises ConstraintError where the model does not allow it."""
    rules = shape.metadata
    if "enum" in rules and value not in rules["enum"]:
        raise ConstraintError(
            _error(_shown(value, shape), place, f"Member must satisfy enum value set: {rules['enum']}")
        )
    is_number = isinstance(value, int | float)
    size = value if is_number else len(value)
    what = "value" if is_number else "length"
    if "min" in rules and size < rules["min"]:
        raise ConstraintError(
            _error(
                _shown(value, shape),
                place,
                f"Member must have {what} greater than or equal to {rules['min']}",
            )
        )
    if "max" in rules and size > rules["max"]:
        raise ConstraintError(
            _error(
                _shown(value, shape), place, f"Member must have {what} less than or equal to {rules['max']}"
            )
        )
    if isinstance(value, str) and "pattern" in rules and not pattern(rules["pattern"]).fullmatch(value):
        raise ConstraintError(
            _error(
                _shown(value, shape),
                place,
                f"Member must satisfy regular expression pattern: {rules['pattern']}",
            )
        )
    return value


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A pattern of the models as one of Python's."""
    flags = re.NOFLAG if r"\p{L}" in text else re.ASCII  # Java's \w is ASCII's
    for java, ours in _CLASSES.items():
        text = text.replace(java, ours)
    return re.compile(text, flags)


def _blob(text: str, place: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SerializationException(f"{place}: must be base64") from None


def _timestamp(value: Any, place: str) -> float:
    """Seconds since 1970."""
    try:
        if isinstance(value, str) and len(value) > _TIME_CHARACTERS:
            raise ValueError
        return float(parse_timestamp(value).timestamp())
    except (ValueError, OverflowError, OSError, RuntimeError):
        raise SerializationException(f"{place}: {_shown(value)}, must be a time") from None


def _error(value: str, place: str, constraint: str) -> str:
    return (
        f"1 validation error detected: Value {value} at '{place}' failed to satisfy constraint: {constraint}"
    )


def _shown(value: Any, shape: Shape | None = None) -> str:
    """A value for an error, as far as it is short and no secret."""
    if isinstance(value, int | float):
        return repr(value)
    if (
        not isinstance(value, str)
        or len(value) > _SHOWN_CHARACTERS
        or (shape and shape.metadata.get("sensitive"))
    ):
        return f"of length {len(value)}"
    return repr(value)


def _name(shape: Shape) -> str:
    names = {"structure": "an object", "map": "an object", "list": "a list", "blob": "a string of base64"}
    names |= {"integer": "a whole number", "long": "a whole number", "boolean": "true or false"}
    return names.get(shape.type_name, f"a {shape.type_name}")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a whole number"}
    return kinds.get(type(value), "a number" if isinstance(value, float) else "null")
