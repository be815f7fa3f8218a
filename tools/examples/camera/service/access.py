"""Who may ask: who has the token of the page's link, or this computer alone; and no page of another site."""

import hmac
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from flask import Request, Response

_CHANGES = ("POST", "PUT", "DELETE", "PATCH")
_OTHERS = ("cross-site", "same-site")
_MONTH_S = 30 * 24 * 3600
_COOKIE = "__Host-camera"  # which browsers take over HTTPS or from localhost, and give to this host alone
# The way on is a step of its own: on a redirect from another site a browser keeps a Strict cookie back.
_WELCOME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Cameras</title>'
    '<meta http-equiv="refresh" content="0; url=/">'
)


class RefusedError(Exception):
    """A request that is answered by a failure.

    Args:
        status: HTTP's.
        text: what is told.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Access(Protocol):
    """Looks at each request before anything else does."""

    def check(self, request: Request) -> Response | None:
        """An answer in place of the page's, None where the request may go on. Raises RefusedError."""


class ByToken:
    """Anybody who has come by the link once, which has the token.

    Args:
        token: the page's.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def check(self, request: Request) -> Response | None:
        """As in Access."""
        check_origin(request)
        if _same(request.cookies.get(_COOKIE, ""), self._token):
            return None
        if request.path != "/" or not _same(request.args.get("token", ""), self._token):
            raise RefusedError(401, "This page is for who has its link, token and all.")
        response = Response(_WELCOME, content_type="text/html; charset=utf-8")
        response.set_cookie(
            _COOKIE, self._token, max_age=_MONTH_S, secure=True, httponly=True, samesite="Strict"
        )
        return response


class OnThisComputer:
    """Whoever reaches it, by a name that is this computer's (against DNS rebinding).

    Args:
        is_known: whether a Host header has such a name.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known

    def check(self, request: Request) -> Response | None:
        """As in Access."""
        if not self._is_known(request.host):
            raise RefusedError(421, "This page has no such name: open it as localhost.")
        check_origin(request)
        return None


def check_origin(request: Request) -> None:
    """Refuse what a page of another site asks, and changes that no script of this page has asked for."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise RefusedError(403, "A page of another site asks.")
    if request.path != "/" and request.headers.get("Sec-Fetch-Site") in _OTHERS:
        raise RefusedError(403, "A page of another site asks.")
    if request.method in _CHANGES and request.mimetype != "application/json":
        raise RefusedError(415, "Send Content-Type: application/json.")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
