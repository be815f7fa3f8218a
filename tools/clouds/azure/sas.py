"""Shared access signatures: the passwords of IoT Hub and DPS, made and judged.

Source: "Control access to IoT Hub by using Shared Access Signatures"; "How to use symmetric key attestation".
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from .errors import ServiceError

_PREFIX = "SharedAccessSignature "
_FIELDS = {"sr", "sig", "se"}
_KEY_BYTES = 16, 64


class TokenError(Exception):
    """A token is not taken; its text says why, without the signature."""


@dataclass(frozen=True)
class Token:
    """One that was sent.

    Args:
        resource: what it is for, as it was sent: with percent-encoding, which the signature covers.
        signature: the HMAC.
        end: when it ends, seconds since 1970, as it was sent.
        policy: `skn`, "" where a device signs with its own key.
    """

    resource: str
    signature: bytes
    end: str
    policy: str = ""

    @property
    def until_s(self) -> int:
        return int(self.end)

    def judge(
        self, resource: str, keys: Iterable[str], now_s: float, policies: tuple[str, ...] = ("",)
    ) -> None:
        """Whether it lets into a resource that has these keys (base64). Raises TokenError."""
        if unquote(self.resource).lower() != resource.lower():
            raise TokenError(f"the token is for {unquote(self.resource)}, not for {resource}")
        if self.policy not in policies:
            raise TokenError(f"the token's skn is {self.policy!r}, not {policies[-1]!r}")
        if self.until_s <= now_s:
            raise TokenError(f"the token ended at {shown(self.until_s)}; here it is {shown(now_s)}")
        signed = [_sign(key, self.resource, self.end) for key in keys]
        if not any([hmac.compare_digest(one, self.signature) for one in signed]):
            raise TokenError(f"the token's signature is by none of the keys of {resource}")


def parse(password: bytes) -> Token:
    """A token as it is in a CONNECT. Raises TokenError."""
    try:
        text = password.decode()
        if not text.startswith(_PREFIX):
            raise TokenError(f"the password is no token, which begins with {_PREFIX.strip()}")
        fields = dict(part.split("=", 1) for part in text.removeprefix(_PREFIX).split("&"))
        if missing := _FIELDS - fields.keys():
            raise TokenError(f"the token has no {min(missing)}")
        signature = base64.b64decode(unquote(fields["sig"]), validate=True)
        int(fields["se"])
        return Token(fields["sr"], signature, fields["se"], unquote(fields.get("skn", "")))
    except ValueError:  # UnicodeDecodeError and binascii.Error are some
        raise TokenError("the token's form is not sr=…&sig=…&se=…") from None


def make(resource: str, key: str, until_s: float, policy: str = "") -> str:
    """A token for a resource, signed with a key (base64)."""
    encoded, end = quote(resource, safe=""), str(int(until_s))
    signature = quote(base64.b64encode(_sign(key, encoded, end)).decode(), safe="")
    named = f"&skn={policy}" if policy else ""
    return f"{_PREFIX}sr={encoded}&sig={signature}&se={end}{named}"


def new_key() -> str:
    """A symmetric key as Azure makes them, in base64."""
    return base64.b64encode(secrets.token_bytes(64)).decode()


def checked_key(key: str) -> str:
    """A key that someone gives. Raises ServiceError, without a word of the key in it."""
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        raise ServiceError(400000, "a key that is not base64") from None
    if not _KEY_BYTES[0] <= size <= _KEY_BYTES[1]:
        raise ServiceError(400000, f"a key of {size} bytes, must be {_KEY_BYTES[0]} to {_KEY_BYTES[1]}")
    return key


def derived_key(group_key: str, registration_id: str) -> str:
    """The key of one device of an enrolment group, in base64."""
    digest = hmac.digest(base64.b64decode(group_key), registration_id.encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def shown(time_s: float) -> str:
    """A time for people."""
    try:
        return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):  # a stranger's number
        return f"{time_s:g} s since 1970"


def _sign(key: str, resource: str, end: str) -> bytes:
    return hmac.digest(base64.b64decode(key), f"{resource}\n{end}".encode(), hashlib.sha256)
