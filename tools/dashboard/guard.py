"""Who may ask the page's server: this computer alone, or who has the token of its link."""

import json
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from tools import pages
from tools.board.errors import BoardError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
API = "/api/"
_HEADERS = pages.HEADERS | {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
}
_CHANGES = ("POST", "PUT", "DELETE", "PATCH")
_MONTH_S = 30 * 24 * 3600
# The way on is a step of its own: on a redirect from another site a browser keeps a Strict cookie back.
_WELCOME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Devices</title>'
    '<meta http-equiv="refresh" content="0; url=/">'
)
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
_OTHERS = ("cross-site", "same-site")


class RefusedError(BoardError):
    """A request that is answered by a failure.

    Args:
        status: HTTP's.
        text, remedy: what is told.
    """

    def __init__(self, status: int, text: str, remedy: str) -> None:
        super().__init__(text, remedy)
        self.status = status


class Guard:
    """Looks at each request before anything else does.

    Args:
        host: what the server listens on; beyond loopback it takes a token.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self.token = "" if pages.is_loopback(host) else secrets.token_urlsafe(32)

    def link(self, port: int) -> str:
        """Where the page is, with the token where it takes one."""
        host = pages.own_address() if self._host in _EVERYWHERE else self._host
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{port}/" + (f"?token={self.token}" if self.token else "")

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what comes from elsewhere, and tell a failure as JSON."""
        try:
            self._check_origin(request)
            if self.token and not self._is_proved(request):
                return self._prove(request)
            return await handler(request)
        except RefusedError as error:
            return failure(error.status, error)
        except BoardError as error:
            return failure(502, error)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return failure(error.status, BoardError(error.reason, "docs/dashboard.md has what there is."))

    def _check_origin(self, request: web.Request) -> None:
        host = request.headers.get("Host", "")
        if not pages.is_known(host, self._host):
            raise RefusedError(
                421, "this page has no such name", "Open it as localhost, or by the address of its computer."
            )
        origin = request.headers.get("Origin")
        if origin is not None and not _is_same(origin, host):
            raise RefusedError(403, "a page of another site asks", "Open this page itself.")
        if request.path.startswith(API) and request.headers.get("Sec-Fetch-Site") in _OTHERS:
            raise RefusedError(403, "a page of another site asks", "Open this page itself.")
        if request.method in _CHANGES and request.content_type != "application/json":
            raise RefusedError(415, "not JSON", "Send Content-Type: application/json.")

    def _cookie(self, request: web.Request) -> str:
        return f"dashboard-{(request.url.port or 80)}"  # browsers have the same cookies for all ports

    def _is_proved(self, request: web.Request) -> bool:
        return _same(request.cookies.get(self._cookie(request), ""), self.token)

    def _prove(self, request: web.Request) -> web.StreamResponse:
        """Give who comes by the link its cookie, and nobody else."""
        if request.path != "/" or not _same(request.query.get("token", ""), self.token):
            raise RefusedError(
                401,
                "this page is for who has its link",
                "Open the link that its server tells, token and all.",
            )
        response = web.Response(text=_WELCOME, content_type="text/html")
        response.set_cookie(
            self._cookie(request), self.token, max_age=_MONTH_S, httponly=True, samesite="Strict", path="/"
        )
        return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """To each answer."""
    response.headers.update(_HEADERS)
    if request.path.startswith(API):
        response.headers["Cache-Control"] = "no-store"


def failure(status: int, error: BoardError) -> web.Response:
    """What is told of an error."""
    told = {"error": {"text": error.text, "remedy": error.remedy}}
    return web.Response(status=status, text=json.dumps(told), content_type="application/json")


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())


def _is_same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
