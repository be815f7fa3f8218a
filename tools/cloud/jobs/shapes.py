"""Which members AWS takes in a request, and of what kind: botocore's models, as far as values are bounded."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidRequestException

Check = Callable[[str, Any], None]
"""Raises InvalidRequestException for a value that cannot stand at a path."""


def _refuse(path: str, value: Any, must: str) -> None:
    raise InvalidRequestException(f"{path}: {str(value)[:80]!r}, must be {must}")


def whole(low: int, high: int, *also: int) -> Check:
    """A whole number from low to high, or one of the others."""

    def check(path: str, value: Any) -> None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or (not low <= value <= high and value not in also):
            _refuse(path, value, f"a whole number, {low} to {high}" + "".join(f" or {n}" for n in also))

    return check


def number(low: float, high: float) -> Check:
    def check(path: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            _refuse(path, value, f"a number, {low} to {high}")

    return check


def text(low: int, high: int, pattern: str = "", words: str = "") -> Check:
    """A text of low to high characters: those of a pattern, which `words` tell, or all but control."""
    compiled = re.compile(pattern)

    def check(path: str, value: Any) -> None:
        fits = isinstance(value, str) and low <= len(value) <= high
        if fits and pattern:
            fits = compiled.fullmatch(value) is not None
        elif fits:
            fits = not any(unicodedata.category(character).startswith("C") for character in value)
        if not fits:
            _refuse(path, value, f"a text, {low} to {high} " + (f"of {words}" if words else "characters"))

    return check


def one_of(*words: str) -> Check:
    def check(path: str, value: Any) -> None:
        if value not in words:
            _refuse(path, value, " or ".join(words))

    return check


def flag(path: str, value: Any) -> None:
    if not isinstance(value, bool):
        _refuse(path, value, "true or false")


def each(check: Check, low: int, high: int) -> Check:
    """A list of low to high values."""

    def check_all(path: str, value: Any) -> None:
        if not isinstance(value, list) or not low <= len(value) <= high:
            _refuse(path, value, f"a list of {low} to {high}")
        for index, item in enumerate(value):
            check(f"{path}[{index}]", item)

    return check_all


def mapping(key: Check, item: Check, most: int) -> Check:
    """An object with at most so many members, which have names of their own."""

    def check(path: str, value: Any) -> None:
        if not isinstance(value, Mapping) or len(value) > most:
            _refuse(path, value, f"an object with at most {most} members")
        for name, inner in value.items():
            key(f"a name in {path}", name)
            item(f"{path}.{name}", inner)

    return check


def members(needed: Mapping[str, Check], optional: Mapping[str, Check] = {}, least: int = 0) -> Check:
    """An object with these members and no others, at least so many of the optional ones."""

    def check(path: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            _refuse(path, value, "an object")
        if missing := needed.keys() - value.keys():
            raise InvalidRequestException(f"{path}: {min(missing)} is missing")
        if unknown := value.keys() - needed.keys() - optional.keys():
            raise InvalidRequestException(f"{path}: {min(map(str, unknown))[:80]!r} is no member of it")
        if len(value.keys() & optional.keys()) < least:
            raise InvalidRequestException(f"{path}: needs {' or '.join(optional)}")
        for name, inner in value.items():
            (needed.get(name) or optional[name])(f"{path}.{name}", inner)

    return check


_NAME = r"[a-zA-Z0-9_-]+"
_NAME_WORDS = "a-z A-Z 0-9 _ -"
_BIG = 2**31 - 1

JOB_ID = text(1, 64, _NAME, _NAME_WORDS)
DETAILS = mapping(text(1, 128, r"[a-zA-Z0-9:_-]+", "a-z A-Z 0-9 : _ -"), text(1, 1024), most=10)
COUNTED = whole(1, 2**63 - 1)  # versions and numbers
MINUTES = whole(1, 10080)
ARN = text(1, 2048, r"arn:[!-~]+", "an ARN's characters")

_CRITERIA = {"numberOfNotifiedThings": whole(1, _BIG), "numberOfSucceededThings": whole(1, _BIG)}
_EXPONENTIAL = members(
    {
        "baseRatePerMinute": whole(1, 1000),
        "incrementFactor": number(1.1, 5),
        "rateIncreaseCriteria": members({}, _CRITERIA, least=1),
    }
)
_ABORT = members(
    {
        "failureType": one_of("FAILED", "REJECTED", "TIMED_OUT", "ALL"),
        "action": one_of("CANCEL"),
        "thresholdPercentage": number(0, 100),
        "minNumberOfExecutedThings": whole(1, _BIG),
    }
)
_RETRY = members({"failureType": one_of("FAILED", "TIMED_OUT", "ALL"), "numberOfRetries": whole(0, 10)})
_WINDOW = members({"startTime": text(1, 256), "durationInMinutes": whole(1, 1430)})

UPDATE_JOB: dict[str, Check] = {
    "description": text(1, 2028),
    "presignedUrlConfig": members({}, {"roleArn": text(20, 2048), "expiresInSec": whole(60, 3600)}),
    "jobExecutionsRolloutConfig": members(
        {}, {"maximumPerMinute": whole(1, _BIG), "exponentialRate": _EXPONENTIAL}
    ),
    "abortConfig": members({"criteriaList": each(_ABORT, 1, 4)}),
    "timeoutConfig": members({}, {"inProgressTimeoutInMinutes": MINUTES}),
    "jobExecutionsRetryConfig": members({"criteriaList": each(_RETRY, 1, 2)}),
}
CREATE_JOB: dict[str, Check] = UPDATE_JOB | {
    "targets": each(ARN, 1, 100),
    "targetSelection": one_of("CONTINUOUS", "SNAPSHOT"),
    "tags": each(members({"Key": text(1, 128)}, {"Value": text(0, 256)}), 0, 50),
    "namespaceId": text(1, 64, _NAME, _NAME_WORDS),
    "jobTemplateArn": ARN,
    "documentParameters": mapping(text(1, 128, _NAME, _NAME_WORDS), text(1, 30720), 100),
    "schedulingConfig": members(
        {},
        {
            "startTime": text(1, 64),
            "endTime": text(1, 64),
            "endBehavior": one_of("STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL"),
            "maintenanceWindows": each(_WINDOW, 0, 10),
        },
    ),
    "destinationPackageVersions": each(ARN, 0, 25),
}
CANCEL_JOB: dict[str, Check] = {
    "reasonCode": text(1, 128, r"[A-Z0-9_]+", "A-Z 0-9 _"),
    "comment": text(1, 2028),
}


def check(checks: Mapping[str, Check], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the members that are not None.

    Raises:
        InvalidRequestException: names the first that cannot be, with its path.
    """
    there = {name: value for name, value in given.items() if value is not None}
    for name, value in there.items():
        if name not in checks:
            raise InvalidRequestException(f"{name[:80]!r} is no member of the request")
        checks[name](name, value)
    if "jobExecutionsRetryConfig" in there:
        _check_retries(there["jobExecutionsRetryConfig"]["criteriaList"])
    return there


def _check_retries(criteria: list[dict[str, Any]]) -> None:
    path = "jobExecutionsRetryConfig.criteriaList"
    kinds = [one["failureType"] for one in criteria]
    if len(set(kinds)) < len(kinds) or ("ALL" in kinds and len(kinds) > 1):
        raise InvalidRequestException(f"{path}: {' and '.join(kinds)} overlap")
    if (total := sum(one["numberOfRetries"] for one in criteria)) > 10:
        raise InvalidRequestException(f"{path}: {total} retries in all, 10 at most")
