"""Snapshots' ids: they tell when they were made, sort with the newest first, and nobody else can make one.

An id is signed for one thing, so that nothing has to be kept to know whose it is.
"""

import hashlib
import hmac
import re
import secrets

THING = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
"""What AWS IoT takes as a thing's name."""

_ID = re.compile(r"(?P<left>[0-9]{13})-[0-9a-f]{8}-[0-9a-f]{24}")
_END_MS = 9_999_999_999_999  # in the year 2286


def make(secret: str, thing: str, now_ms: int) -> str:
    """A new one, of 47 characters."""
    rest = f"{_END_MS - now_ms:013d}-{secrets.token_hex(4)}"
    return f"{rest}-{_signature(secret, thing, rest)}"


def is_for(secret: str, thing: str, given: object) -> bool:
    """Whether it was made here, for this thing."""
    if not isinstance(given, str) or not _ID.fullmatch(given):
        return False
    rest, _, signature = given.rpartition("-")
    return hmac.compare_digest(signature, _signature(secret, thing, rest))


def made_ms(given: str) -> int | None:
    """When it was made, in milliseconds since 1970; None where it is no id."""
    found = _ID.fullmatch(given)
    return _END_MS - int(found["left"]) if found else None


def _signature(secret: str, thing: str, rest: str) -> str:
    return hmac.digest(secret.encode(), f"snapshot\n{thing}\n{rest}".encode(), hashlib.sha256).hex()[:24]
