"""Objects by HTTPS, for who has a URL that was signed for them. Nothing else is to be had on this port.

Source: Amazon S3 API reference, GetObject, HeadObject, PutObject; RFC 9110, section 14 (ranges).
"""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
import struct
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

from ..events import Event
from ..limits import Limits
from ..listener import SHUTDOWN_S, Listener, address
from ..misbehaviour import Gate, Misbehaviour
from .errors import S3Error
from .objects import Object, Objects
from .presigned import Signer, decoded
from .sent import body

_IDLE_S = 20
_PIECE_BYTES = 16 * 1024
_SLICE_S = 0.1  # of one that sends slowly
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_RESET = struct.pack("ii", 1, 0)  # linger for no time: the connection ends in a reset
_BEFORE = ("no-range", "redirect", "expired", "busy")
_MEANWHILE = ("stall", "reset", "trickle", "lie")

_log = logging.getLogger(__name__)
_http_log = logging.Logger("http", logging.CRITICAL)  # aiohttp's has parts of URLs in it


class Downloads:
    """The HTTPS port.

    Args:
        context: TLS without client certificates.
        objects: what is served.
        signer: knows which URLs are good.
        elsewhere: from host and path a URL of the same at another name, for "redirect".
        gate: of the cloud that may misbehave.
        limits: for connections, handshakes and stalled writes.
        tell: called with an Event for each request.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        objects: Objects,
        signer: Signer,
        elsewhere: Callable[[str, str], str],
        gate: Gate,
        limits: Limits,
        tell: Callable[[Event], None],
    ) -> None:
        self._objects = objects
        self._signer = signer
        self._elsewhere = elsewhere
        self._gate = gate
        self._limits = limits
        self._tell = tell
        self._stopping = asyncio.Event()
        server = web.Server(
            self._serve,
            access_log=None,
            logger=_http_log,
            keepalive_timeout=_IDLE_S,
            handler_cancellation=True,
        )
        self._listener = Listener(web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S), context, limits)

    async def start(self, listen: str, port: int) -> int:
        """Listen on an address; returns the port. Raises OSError."""
        return await self._listener.start(listen, port)

    async def stop(self) -> None:
        """End the connections and stop listening."""
        self._stopping.set()
        await self._listener.stop()

    async def _serve(self, http: web.BaseRequest) -> web.StreamResponse:
        path, _, query = http.raw_path.partition("?")
        try:
            return await self._answer(http, decoded(path), query)
        except S3Error as error:
            what = f"{http.method} {path}: {error}"
            self._tell(Event("rejected", address(http), reason=error.code, detail=what))
            size = error.members.get("ActualObjectSize")
            headers = {} if size is None else {"Content-Range": f"bytes */{size}"}
            headers["Content-Type"] = "application/xml"
            body = b"" if http.method == "HEAD" else error.xml(path)
            return web.Response(status=error.status, body=body, headers=headers)
        except OSError:  # the client has gone
            raise
        except Exception:
            _log.exception("%s %s", http.method, path[:200])
            return web.Response(status=500)

    async def _answer(self, http: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        if http.method not in ("GET", "HEAD", "PUT"):
            raise S3Error("MethodNotAllowed", 405, "The specified method is not allowed here.")
        host = http.headers.get("Host", "")
        self._signer.check(http.method, path, query, http.headers)
        name = path.removeprefix("/")
        bucket, _, key = name.partition("/")
        if http.method == "PUT":
            etag = self._objects.put(bucket, key, await body(http))
            self._tell(Event("served", address(http), detail=f"{name} was put"))
            return web.Response(headers={"ETag": etag})
        with self._objects.open(bucket, key) as found:
            before = self._gate.file(address(http), name, *_BEFORE)
            if before and before.kind == "redirect":
                return web.Response(status=307, headers={"Location": self._elsewhere(host, path)})
            if before and before.kind == "expired":
                raise S3Error("AccessDenied", 403, "Request has expired")
            if before and before.kind == "busy":
                raise S3Error("SlowDown", 503, "Please reduce your request rate.")
            part = None if before else _part(http.headers.get("Range", ""), found.size)
            return await self._send(http, found, part, name)

    async def _send(
        self, http: web.BaseRequest, found: Object, part: tuple[int, int] | None, name: str
    ) -> web.StreamResponse:
        """All of it, or the part (first byte, their number)."""
        rule = self._gate.file(address(http), name, *_MEANWHILE) if http.method == "GET" else None
        more = rule.amount if rule and rule.kind == "lie" else 0
        first, count = part or (0, found.size)
        answer = web.StreamResponse(status=206 if part else 200)
        answer.content_type = "application/octet-stream"
        answer.content_length = count + more
        answer.headers["Accept-Ranges"] = "bytes"
        answer.headers["ETag"] = found.etag
        answer.headers["Last-Modified"] = formatdate(found.modified_s, usegmt=True)
        if part:
            answer.headers["Content-Range"] = f"bytes {first}-{first + count + more - 1}/{found.size + more}"
        await answer.prepare(http)
        if http.method == "GET":
            sent = await self._body(http, answer, found, (first, count), rule)
            self._tell(Event("served", address(http), detail=f"{name}, {sent} bytes from {first}"))
        return answer

    async def _body(
        self,
        http: web.BaseRequest,
        answer: web.StreamResponse,
        found: Object,
        part: tuple[int, int],
        rule: Misbehaviour | None,
    ) -> int:
        """Send the part; returns how much of it was sent."""
        kind, amount = (rule.kind, rule.amount) if rule else ("", 0)
        first, count = part
        most = min(count, amount) if kind in ("stall", "reset") else count
        piece = max(1, min(_PIECE_BYTES, int(amount * _SLICE_S))) if kind == "trickle" else _PIECE_BYTES
        sent = 0
        try:
            while sent < most:
                data = found.read(first + sent, min(piece, most - sent))
                async with asyncio.timeout(self._limits.write_stall_s):
                    await answer.write(data)
                sent += len(data)
                if kind == "trickle":
                    await asyncio.sleep(len(data) / amount)
        except TimeoutError:  # nobody reads at the other end
            kind = "lie"
        if kind == "stall":
            await self._stopping.wait()  # or until the client goes, which cancels this
        if kind in ("stall", "reset", "lie"):
            _end(http, kind == "reset")
        return sent


def _part(header: str, size: int) -> tuple[int, int] | None:
    """First byte and number of those that a Range asks for; None: the whole, as for several ranges at once.

    Raises:
        S3Error: there is nothing of it.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if not found or not (found[1] or found[2]):
        return None
    if found[1]:
        first, last = int(found[1]), int(found[2] or size)
        if last < first:
            return None  # no range at all, of which nobody takes notice
    else:
        first, last = size - min(int(found[2]), size), size
    last = min(last, size - 1)
    if first > last:
        text = "The requested range is not satisfiable"
        raise S3Error("InvalidRange", 416, text, RangeRequested=header, ActualObjectSize=size)
    return first, last - first + 1


def _end(http: web.BaseRequest, reset: bool) -> None:
    """End a connection in the middle of an answer."""
    transport = http.transport
    if transport is None:
        return
    if reset:
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
