"""Which names and attributes AWS IoT takes (API reference, the patterns of each argument)."""

import re
from collections.abc import Mapping

from .errors import InvalidRequestException

Kind = tuple[str, re.Pattern[str]]
"""The characters of a name in words, and as a pattern."""

POLICY_NAME: Kind = "A-Z a-z 0-9 _ + = , . @ -", re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
THING_NAME: Kind = "a-z A-Z 0-9 : _ -", re.compile(r"[a-zA-Z0-9:_-]{1,128}")  # also of types and groups

_ATTRIBUTE_NAME = re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{1,128}")
_ATTRIBUTE_VALUE = re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{0,800}")
_MAX_ATTRIBUTES = {False: 3, True: 50}  # without and with a thing type


def check(what: str, name: str, kind: Kind) -> None:
    """Raises InvalidRequestException for a name that is none."""
    characters, pattern = kind
    if not pattern.fullmatch(name):
        raise InvalidRequestException(f"{what} {name!r}: must be 1 to 128 of {characters}")


def check_attributes(attributes: Mapping[str, str], with_type: bool) -> None:
    """Raises InvalidRequestException for attributes that a thing cannot have."""
    for name, value in attributes.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            text = f"attribute {name!r}: a name must be 1 to 128 of a-z A-Z 0-9 _ . , @ / : # = [ ] -"
            raise InvalidRequestException(text)
        if not _ATTRIBUTE_VALUE.fullmatch(value):
            text = f"attribute {name}: {value!r}, must be at most 800 of a-z A-Z 0-9 _ . , @ / : # = [ ] -"
            raise InvalidRequestException(text)
    if len(attributes) > (most := _MAX_ATTRIBUTES[with_type]):
        kind = "with" if with_type else "without"
        raise InvalidRequestException(
            f"{len(attributes)} attributes: a thing {kind} a type has at most {most}"
        )


def merged(there: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Attributes with others put over them; an empty value removes one."""
    return {name: value for name, value in {**there, **given}.items() if value != ""}
