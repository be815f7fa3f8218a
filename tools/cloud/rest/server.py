"""The HTTP server of the control plane."""

import asyncio
import inspect
import ipaddress
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from aiohttp import web
from botocore import xform_name

from ..errors import (
    AwsError,
    ForbiddenException,
    InternalFailureException,
    NotImplementedException,
    RequestEntityTooLargeException,
    SerializationException,
    UnknownOperationException,
)
from ..events import Event, printable
from ..listener import address
from ..s3.api import Api
from .models import Models, Request, is_for_s3, models
from .request import arguments, with_page_size
from .response import Response, answer, failure

_BODY_S = 30
_IDLE_S = 75
_SHUTDOWN_S = 1
_LINGER_S = 0.5  # for the rest of a body that is refused; shorter than the shutdown
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_HOST = re.compile(r"\[?([^\]]*?)\]?(?::[0-9]+)?")

_log = logging.getLogger(__name__)
_http_log = logging.Logger(
    "http", logging.CRITICAL
)  # what is no HTTP aiohttp answers; it is no error of ours


class Rest:
    """Answers requests as AWS's endpoints do; an operation is a method of its name (`create_thing`).

    Signatures are not checked: whoever reaches the port may do anything.

    Args:
        services: by AWS's name of a service the objects whose methods are its operations.
        transaction: around each operation that is no coroutine.
        tell: called with an Event for each request that is refused.
        s3: answers what is signed for S3.
        hosts: what this machine is called; a request for another name comes from a web page
            (DNS rebinding), and is refused.
    """

    def __init__(
        self,
        services: Mapping[str, Sequence[object]],
        transaction: Callable[[], AbstractContextManager[None]],
        tell: Callable[[Event], None],
        s3: Api,
        hosts: Sequence[str] = (),
    ) -> None:
        self.services = services
        self._s3 = s3
        self.url = ""
        self._transaction = transaction
        self._tell = tell
        self._hosts = {*_LOOPBACK, *map(str.lower, hosts)}
        self._models: Models | None = None  # from the first request on
        self._runner: web.ServerRunner | None = None

    async def start(self, listen: str, port: int) -> None:
        """Listen, on any free port where it is 0; `url` tells which. Raises OSError."""
        server = web.Server(
            self._serve,
            access_log=None,
            logger=_http_log,
            keepalive_timeout=_IDLE_S,
            lingering_time=_LINGER_S,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, listen, port).start()
        except OSError:
            await self.stop()
            raise
        host, self.port = self._runner.addresses[0][:2]
        self.url = f"http://{'localhost' if _is_any_or_loopback(host) else _bracketed(host)}:{self.port}"

    async def stop(self) -> None:
        """Stop listening; what is asked at this moment is not answered."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, http: web.BaseRequest) -> web.Response:
        if is_for_s3(http.headers.get("Authorization", "")):
            return await self._answer_s3(http)
        made = await self._answer(http)
        return web.Response(status=made.status, body=made.body, headers=made.headers)

    async def _answer(self, http: web.BaseRequest) -> Response:
        request: Request | None = None
        try:
            self._check_sender(http)
            path, _, query = http.raw_path.partition("?")
            if self._models is None:
                self._models = await asyncio.to_thread(models)
            body = await _body(http)
            request = _found(self._models, http, path)
            found = arguments(request.operation, request.labels, query, http.headers, body)
            result, warnings = await self._call(request, found)
            return answer(request.operation, result, warnings)
        except AwsError as error:
            return self._refused(http, request, error)
        except Exception:
            _log.exception("%s %s", http.method, printable(http.raw_path))
            return self._refused(
                http, request, InternalFailureException("an error of this cloud, see its log")
            )

    async def _answer_s3(self, http: web.BaseRequest) -> web.Response:
        try:
            self._check_sender(http)
        except AwsError as error:
            made = self._refused(http, None, error)
            return web.Response(status=made.status, body=made.body, headers=made.headers)
        answered, why = await self._s3.answer(http)
        if why is not None:
            what = f"{http.method} {http.path}: {why}"
            self._tell(Event("rejected", address(http), reason=why.code, detail=what))
        return answered

    async def _call(
        self, request: Request, found: dict[str, Any]
    ) -> tuple[Mapping[str, Any] | None, list[str]]:
        """The method's result, and what has to be said about it."""
        method = self._method(request)
        takes = _parameters(getattr(method, "__func__", method))
        given = with_page_size(takes, found)
        ignored = [] if None in takes else [name for name in given if name not in takes]
        for name in ignored:
            del given[name]
        if inspect.iscoroutinefunction(method):
            result = await method(**given)
        else:
            with self._transaction():
                result = method(**given)
        told = [f"{name} is not simulated here" for name in ignored]
        return result, [*told, *getattr(result, "warnings", ())]

    def _method(self, request: Request) -> Callable[..., Any]:
        name = xform_name(request.operation.name)
        for one in self.services.get(request.service, ()):
            if method := getattr(one, name, None):
                return method
        raise NotImplementedException(f"{request.operation.name} is not simulated here")

    def _check_sender(self, http: web.BaseRequest) -> None:
        """A web page that is open on this machine reaches the port, too, but must not have anything of it."""
        if "Origin" in http.headers:
            raise ForbiddenException("web pages have nothing to ask here (Origin)")
        sent = http.headers.get("Host", "")
        found = _HOST.fullmatch(sent.lower())
        if not found or not (found[1] in self._hosts or _is_address(found[1])):
            raise ForbiddenException(f"{sent[:100]!r} is not this machine's name: give the cloud --host")

    def _refused(self, http: web.BaseRequest, request: Request | None, error: AwsError) -> Response:
        made = failure(error, request.operation if request else None)
        what = request.operation.name if request else f"{http.method} {http.raw_path}"
        reason = made.headers["x-amzn-ErrorType"]
        self._tell(Event("rejected", address(http), reason=reason, detail=f"{what}: {error}"))
        return made


async def _body(http: web.BaseRequest) -> bytes:
    """At most the 1 MiB that aiohttp takes, which is more than any operation needs."""
    try:
        async with asyncio.timeout(_BODY_S):
            return await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise RequestEntityTooLargeException("the body has more than 1 MiB") from None
    except (web.RequestPayloadError, ConnectionError):
        raise SerializationException("the body cannot be read to its end") from None
    except TimeoutError:
        raise RequestEntityTooLargeException(f"the body did not come within {_BODY_S} s") from None


def _found(known: Models, http: web.BaseRequest, path: str) -> Request:
    request = known.find(http.headers.get("Authorization", ""), http.method, path)
    if request is None:
        raise UnknownOperationException(f"no operation of AWS IoT has {http.method} {path[:200]}")
    return request


@lru_cache(maxsize=1000)
def _parameters(function: Callable[..., Any]) -> frozenset[str | None]:
    """The names of a method's keyword arguments; None is one of them where it takes any."""
    parameters = inspect.signature(function).parameters.values()
    return frozenset(
        None if p.kind is p.VAR_KEYWORD else p.name
        for p in parameters
        if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD)
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_any_or_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host)
    return address.is_loopback or address.is_unspecified


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
