"""Conditions of policies: which keys there are, and what each operator makes of them.

Sources: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys";
AWS IoT Developer Guide, "AWS IoT Core policy variables".
"""

import base64
import binascii
import datetime as dt
import ipaddress
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import pattern

Variables = Mapping[str, str | tuple[str, ...]]
"""The values of policy variables such as `iot:ClientId`: a tuple where a key has several."""

TIMES = frozenset(("aws:CurrentTime", "aws:EpochTime"))
"""Those whose values are others a moment later."""

_KEYS = TIMES | {
    "aws:SecureTransport", "aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp",
    "iot:CertificateId", "iot:ClientId", "iot:ConnectAttributes", "iot:DomainName", "iot:LastWillTopic",
    "iot:Connection.Thing.IsAttached", "iot:Connection.Thing.ThingName", "iot:Connection.Thing.ThingTypeName",
    "iot:Certificate.AvailableKeys", "iot:Certificate.SerialNumber",
    # In examples of AWS's guide, but not in its list of variables: it is taken, and never has a value here.
    "iot:Thing.ThingName",
}  # fmt: skip
_KEYS_WITH_NAMES = re.compile(
    r"iot:Connection\.Thing\.Attributes\[[A-Za-z0-9_.,@/:#=\[\]-]{1,128}\]"
    r"|iot:Certificate\.(Subject|Issuer)\.(DistinguishedNameQualifier|Country|Organization|OrganizationalUnit|"
    r"State|CommonName|SerialNumber|Title|Surname|GivenName|Initials|Pseudonym|GenerationQualifier|"
    r"AlternativeName\.(RFC822Name|DNSName|DirectoryName|UniformResourceIdentifier|IPAddress))"
    r"(\.([0-9]|List))?"
)
_ARN_FIELDS = 6

_Test = Callable[[str, Variables], bool]
"""Whether a request's value is the one that a policy has."""


def is_known(key: str) -> bool:
    """Whether a device's connection can have this variable or condition key."""
    return key in _KEYS or _KEYS_WITH_NAMES.fullmatch(key) is not None


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
    tests: tuple[_Test, ...]
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
        absents = {_boolean(text) for text in texts}
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


def _operator(name: str) -> tuple[Callable[[str], _Test] | None, bool, bool | None, bool]:
    """(what makes its tests, None for Null; whether it is a negation; Condition's every and if_exists)."""
    quantifier, colon, rest = name.rpartition(":")
    base = rest.removesuffix("IfExists")
    if base in _OPERATORS and (not colon or quantifier in ("ForAllValues", "ForAnyValue")):
        make, negated = _OPERATORS[base]
        return make, negated, quantifier == "ForAllValues" if colon else None, base != rest
    if name == "Null":
        return None, False, None, False
    raise ValueError(f"{name!r} is not an operator")


# What the operators do: each makes a test of a value in a policy; ValueError where that cannot be one.


def text_value(variables: Variables) -> Callable[[str], str | None]:
    """For pattern.fill(): the value of a variable.

    Of a certificate those with a wildcard character in them are not put in (Developer Guide, "X.509
    Certificate policy variable limitations").
    """

    def value(name: str) -> str | None:
        found = variables.get(name)
        if not isinstance(found, str) or (name.startswith("iot:Certificate.") and set(found) & set("*$+?#")):
            return None
        return found

    return value


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


def _equals(wanted: str) -> _Test:
    parsed = _parsed(wanted, pattern.parse_plain)
    return lambda value, variables: _filled(parsed, variables) == value


def _equals_ignoring_case(wanted: str) -> _Test:
    parsed = _parsed(wanted, pattern.parse_plain)
    return lambda value, variables: _filled(parsed, variables).casefold() == value.casefold()


def _filled(plain: pattern.Pattern, variables: Variables) -> str:
    return "".join(map(str, pattern.fill(plain, _or_itself(variables)) or ()))


def _like(wanted: str) -> _Test:
    parsed = _parsed(wanted)
    return lambda value, variables: pattern.matches(pattern.fill(parsed, _or_itself(variables)) or (), value)


def _arn(wanted: str) -> _Test:
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


def _boolean(wanted: str) -> bool:
    if wanted.lower() not in ("true", "false"):
        raise ValueError(f"{wanted!r} is neither true nor false")
    return wanted.lower() == "true"


def _bool(wanted: str) -> _Test:
    expected = str(_boolean(wanted)).lower()
    return lambda value, variables: value.lower() == expected


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?", text) or not math.isfinite(
        number := float(text)
    ):
        raise ValueError(f"{text!r} is not a number")
    return number


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


def _compares(read: Callable[[str], float], holds: Callable[[float, float], bool]) -> Callable[[str], _Test]:
    def make(wanted: str) -> _Test:
        number = read(wanted)

        def test(value: str, _variables: Variables) -> bool:
            try:
                return holds(read(value), number)
            except ValueError:  # a value that is no number is not the one wanted
                return False

        return test

    return make


def _ip(wanted: str) -> _Test:
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


def _binary(wanted: str) -> _Test:
    try:
        expected = base64.b64decode(wanted, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{wanted!r} is not base64") from None
    return lambda value, variables: value.encode() == expected


_ORDERS = {
    "Equals": operator.eq, "LessThan": operator.lt, "LessThanEquals": operator.le,
    "GreaterThan": operator.gt, "GreaterThanEquals": operator.ge,
}  # fmt: skip
# What makes an operator's tests, and whether it is the negation of them.
_OPERATORS: dict[str, tuple[Callable[[str], _Test], bool]] = {
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
