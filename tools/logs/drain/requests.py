"""An HTTPS request, as a Lambda function's URL hands it on (payload format 2.0), and the answer."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BODY_MAX = 6 * 1024 * 1024  # what a function's URL takes
LOGPLEX = "application/logplex-1"


class RefusedError(Exception):
    """A request that is not served.

    Args:
        status: HTTP's.
        text: why, without anything of the request's own.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Request:
    """One that is served.

    Args:
        body: as it was sent.
        is_structured: whether its messages have structured data.
        count: of its messages, by the sender's word; None where it says nothing.
        frame_id: the sender's, "" where it has none.
    """

    body: bytes
    is_structured: bool
    count: int | None
    frame_id: str


def request_of(event: Mapping[str, Any], tokens: tuple[str, ...]) -> Request:
    """Read one of who has a token.

    Args:
        event: the function's.
        tokens: of which one is in Logplex-Drain-Token, or is the password or the bearer's in Authorization;
            one that is empty is none.

    Raises:
        RefusedError: it is not served.
    """
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    tokens = tuple(filter(None, tokens))
    if not tokens:
        raise RefusedError(503, "no drain token is set")
    if not _is_admitted(headers, tokens):
        raise RefusedError(401, "no valid drain token")
    method = event.get("requestContext", {}).get("http", {}).get("method")
    if method != "POST":
        raise RefusedError(405, "POST alone is served")
    if headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(415, "no Content-Encoding is served")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("application/logplex-") and kind != LOGPLEX:
        raise RefusedError(415, f"of logplex's formats {LOGPLEX} alone is served")
    count = headers.get("logplex-msg-count", "")
    if count and not (count.isascii() and count.isdigit() and len(count) < 10):
        raise RefusedError(400, "Logplex-Msg-Count: a number expected")
    return Request(
        _body(event), kind != LOGPLEX, int(count) if count else None, headers.get("logplex-frame-id", "")
    )


def answer(status: int, document: Mapping[str, Any]) -> dict[str, Any]:
    """As a function's URL wants it."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="logs"'
    return {"statusCode": status, "headers": headers, "body": json.dumps(document)}


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    try:
        data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise RefusedError(400, "a body that cannot be read") from None
    if len(data) > BODY_MAX:
        raise RefusedError(413, f"more than {BODY_MAX:,} bytes")
    return data


def _is_admitted(headers: Mapping[str, str], tokens: tuple[str, ...]) -> bool:
    """In a time that tells nothing of the tokens, but how many there are."""
    shown = [headers.get("logplex-drain-token", "")]
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        shown.append(value.strip())
    elif scheme.lower() == "basic":
        try:
            shown.append(base64.b64decode(value, validate=True).decode().partition(":")[2])
        except ValueError:
            shown.append("")
    pairs = [(one.encode(errors="replace"), token.encode()) for one in shown for token in tokens]
    return sum(hmac.compare_digest(one, token) for one, token in pairs) > 0
