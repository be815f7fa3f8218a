"""URLs that anybody may use for a time: Signature Version 4 in the query string.

Source: Amazon S3 API reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
"""

import base64
import calendar
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode

from .errors import S3Error, denied

REGION = "us-east-1"  # as of the local cloud's ARNs

_ALGORITHM = "AWS4-HMAC-SHA256"
_TOKEN_BYTES = 800  # with which URLs are as long as those that AWS IoT makes with a role's credentials
_MOST_PARAMETERS = 50
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TIME = "%Y%m%dT%H%M%SZ"


class Signer:
    """Signs, and knows what it has signed: with credentials of its own, which end with the process.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key_id = "ASIA" + "".join(secrets.choice(_LETTERS) for _ in range(16))
        self._secret = secrets.token_urlsafe(30)
        self._token = base64.b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode()

    def credentials(self) -> tuple[str, str, str]:
        """Key id, secret and session token: what others' clients sign with is taken, too."""
        return self._key_id, self._secret, self._token

    def query(self, method: str, host: str, path: str, expires_s: int) -> str:
        """The query string with which a method may be used on a path for some seconds.

        Args:
            method: GET, HEAD or PUT.
            host: of the URL, with its port where it has one.
            path: /BUCKET/KEY, not encoded.
            expires_s: 1 to 604800.
        """
        now = time.strftime(_TIME, time.gmtime(self._clock()))
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self._key_id}/{_scope(now)}",
            "X-Amz-Date": now,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-Security-Token": self._token,
            "X-Amz-SignedHeaders": "host",
        }
        sent = urlencode(query, quote_via=quote, safe="~")
        signature = self._signature(method, path, list(query.items()), {"host": host}, now)
        return f"{sent}&X-Amz-Signature={signature}"

    def check(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> None:
        """Raises S3Error where this signer has not signed that, or not for now.

        Args:
            method: GET, HEAD or PUT.
            path: /BUCKET/KEY, not encoded.
            query: as it was sent.
            headers: as they were sent, by their names in any case.
        """
        try:
            found = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise denied() from None
        last = dict(found)
        if "X-Amz-Signature" not in last:
            raise denied()
        if not _equal(last.get("X-Amz-Credential", "").partition("/")[0], self._key_id):
            text = "The AWS Access Key Id you provided does not exist in our records."
            raise S3Error("InvalidAccessKeyId", 403, text)
        signed = [pair for pair in found if pair[0] != "X-Amz-Signature"]
        date = last.get("X-Amz-Date", "")
        names = last.get("X-Amz-SignedHeaders", "").split(";")
        sent = {name: " ".join(headers.get(name, "").split()) for name in names}
        if "host" not in sent or not _equal(
            last["X-Amz-Signature"], self._signature(method, path, signed, sent, date)
        ):
            text = (
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method."
            )
            raise S3Error("SignatureDoesNotMatch", 403, text)
        # From here on all of it is what was signed here.
        now_s = self._clock()
        expires_s, since_s = int(last["X-Amz-Expires"]), _seconds(date)
        if now_s >= since_s + expires_s:
            times = {"Expires": _iso(since_s + expires_s), "ServerTime": _iso(now_s)}
            raise denied("Request has expired", **{"X-Amz-Expires": expires_s}, **times)

    def _signature(
        self, method: str, path: str, query: list[tuple[str, str]], headers: Mapping[str, str], date: str
    ) -> str:
        """Of a request in canonical form, by a key that is good for a day."""
        sent = urlencode(sorted(query), quote_via=quote, safe="~", errors="surrogateescape")
        lines = [f"{name}:{value}" for name, value in headers.items()]
        parts = (method, encoded(path), sent, *lines, "", ";".join(headers), "UNSIGNED-PAYLOAD")
        hashed = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
        key = f"AWS4{self._secret}".encode()
        for part in _scope(date).split("/"):
            key = _hmac(key, part)
        return _hmac(key, "\n".join((_ALGORITHM, date, _scope(date), hashed))).hex()


def encoded(path: str) -> str:
    """A path as it stands in a URL."""
    return quote(path, safe="/~", errors="surrogateescape")


def decoded(path: str) -> str:
    """A path without its encoding."""
    return unquote(path, errors="surrogateescape")


def _scope(date: str) -> str:
    return f"{date[:8]}/{REGION}/s3/aws4_request"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(errors="replace"), "sha256")


def _equal(one: str, other: str) -> bool:
    """In a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def _seconds(date: str) -> int:
    return calendar.timegm(time.strptime(date, _TIME))


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
