"""The operators of conditions: each makes a test of a value in a policy, or a ValueError where it is none.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators".
"""

import base64
import datetime as dt
import ipaddress
import operator
import re
from collections.abc import Callable

from . import pattern
from .context import Variables, is_known, text_value

_ARN_FIELDS = 6

Test = Callable[[str, Variables], bool]
"""Whether a request's value is the one that a policy has."""


def _or_itself(variables: Variables) -> Callable[[str], str | None]:
    """In a condition's value a variable that has none stays the text that it is."""
    value = text_value(variables)
    return lambda name: found if (found := value(name)) is not None else f"${{{name}}}"


def _parsed(wanted: str, parse: Callable[[str], pattern.Pattern] = pattern.parse) -> pattern.Pattern:
    parsed = parse(wanted)
    for name in pattern.names(parsed):
        if not is_known(name):
            raise ValueError(f"{name!r} is not a variable that a device's connection has")
    return parsed


def _equals(wanted: str) -> Test:
    parsed = _parsed(wanted, pattern.parse_plain)
    return lambda value, variables: _filled(parsed, variables) == value


def _equals_ignoring_case(wanted: str) -> Test:
    parsed = _parsed(wanted, pattern.parse_plain)
    return lambda value, variables: _filled(parsed, variables).casefold() == value.casefold()


def _filled(plain: pattern.Pattern, variables: Variables) -> str:
    return "".join(map(str, pattern.fill(plain, _or_itself(variables)) or ()))


def _like(wanted: str) -> Test:
    parsed = _parsed(wanted)
    return lambda value, variables: pattern.matches(pattern.fill(parsed, _or_itself(variables)) or (), value)


def _arn(wanted: str) -> Test:
    """As _like, but no wildcard reaches over one of an ARN's first five colons."""
    fields = [""]
    for index, piece in enumerate(re.split(r"(\$\{[^{}]*\})", wanted)):
        if index % 2 or len(fields) == _ARN_FIELDS:
            fields[-1] += piece
        else:
            first, *others = piece.split(":", _ARN_FIELDS - len(fields))
            fields[-1] += first
            fields += others
    if len(fields) != _ARN_FIELDS:
        raise ValueError(f"{wanted!r} is not an ARN")
    tests = [_like(field) for field in fields]

    def test(value: str, variables: Variables) -> bool:
        texts = value.split(":", _ARN_FIELDS - 1)
        return len(texts) == _ARN_FIELDS and all(
            test(text, variables) for test, text in zip(tests, texts, strict=True)
        )

    return test


def boolean(wanted: str) -> bool:
    if wanted.lower() not in ("true", "false"):
        raise ValueError(f"{wanted!r} is neither true nor false")
    return wanted.lower() == "true"


def _bool(wanted: str) -> Test:
    expected = str(boolean(wanted)).lower()
    return lambda value, variables: value.lower() == expected


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?", text):  # no more, so that it is finite
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def _moment(text: str) -> float:
    """Seconds since 1970 of a date of ISO 8601, or such a number itself."""
    try:
        return _number(text)
    except ValueError:
        pass
    try:
        moment = dt.datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a date of ISO 8601 nor seconds since 1970") from None


def _compares(read: Callable[[str], float], holds: Callable[[float, float], bool]) -> Callable[[str], Test]:
    def make(wanted: str) -> Test:
        number = read(wanted)

        def test(value: str, _variables: Variables) -> bool:
            try:
                return holds(read(value), number)
            except ValueError:  # a value that is no number is not the one wanted
                return False

        return test

    return make


def _ip(wanted: str) -> Test:
    try:
        network = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        raise ValueError(f"{wanted!r} is neither an IP address nor a range of them") from None

    def test(value: str, _variables: Variables) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return (getattr(address, "ipv4_mapped", None) or address) in network

    return test


def _binary(wanted: str) -> Test:
    try:
        expected = base64.b64decode(wanted, validate=True)
    except ValueError:
        raise ValueError(f"{wanted!r} is not base64") from None
    return lambda value, variables: value.encode() == expected


_ORDERS = {
    "Equals": operator.eq, "LessThan": operator.lt, "LessThanEquals": operator.le,
    "GreaterThan": operator.gt, "GreaterThanEquals": operator.ge,
}  # fmt: skip
# What makes an operator's tests, and whether it is the negation of them.
OPERATORS: dict[str, tuple[Callable[[str], Test], bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnLike": (_arn, False),
    "ArnNotLike": (_arn, True),
    "Bool": (_bool, False),
    "BinaryEquals": (_binary, False),
    "IpAddress": (_ip, False),
    "NotIpAddress": (_ip, True),
    "NumericNotEquals": (_compares(_number, operator.eq), True),
    "DateNotEquals": (_compares(_moment, operator.eq), True),
    **{f"Numeric{order}": (_compares(_number, holds), False) for order, holds in _ORDERS.items()},
    **{f"Date{order}": (_compares(_moment, holds), False) for order, holds in _ORDERS.items()},
}
