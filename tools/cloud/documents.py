"""Documents that others write, as JSON text: read strictly, so that nothing in them is passed over."""

import json
import math
from typing import Any

_MAX_DEPTH = 100  # whoever walks through a document may do so by recursion


class TooDeepError(ValueError):
    """A document that is nested too deeply."""

    def __init__(self) -> None:
        super().__init__("is nested too deeply")


def load(text: str, max_depth: int = _MAX_DEPTH) -> dict[str, Any]:
    """The object that a document is, with at most `max_depth` objects and lists in each other.

    Raises:
        ValueError: not JSON, not an object, nested too deeply (TooDeepError), a name twice in one object (of
            which JSON's parsers take the last without a word), a number or a character that nothing else can
            carry.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_without_twins, parse_constant=_no_constant, parse_float=_finite
        )
        _check_depth(value, max_depth)
        json.dumps(value, ensure_ascii=False).encode()  # refuses surrogates, which no database takes
    except RecursionError:
        raise TooDeepError from None
    except UnicodeEncodeError:
        raise ValueError("has half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


def _check_depth(value: Any, left: int) -> None:
    if isinstance(value, dict | list):
        if not left:
            raise TooDeepError
        for inner in value.values() if isinstance(value, dict) else value:
            _check_depth(inner, left - 1)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"has {name!r} twice in one object")
        members[name] = value
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"is not JSON: {name} is no number of its")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"is not JSON: {text[:20]} is more than a number can be")
    return number
