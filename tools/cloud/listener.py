"""A TLS port of its own for an HTTP server of aiohttp's, within the cloud's limits."""

import asyncio
import ssl
from typing import Any

from aiohttp import web

from .ca import certificate_id
from .limits import Limits

SHUTDOWN_S = 3


class Listener:
    """One port; more connections than it may have are hung up on.

    Args:
        runner: of the server; its `shutdown_timeout` should be SHUTDOWN_S.
        context: of a TLS server.
        limits: for connections and handshakes.
    """

    def __init__(self, runner: web.BaseRunner, context: ssl.SSLContext, limits: Limits) -> None:
        self._runner = runner
        self._context = context
        self._limits = limits
        self._server: asyncio.Server | None = None

    async def start(self, listen: str, port: int) -> int:
        """Listen on an address; returns the port. Raises OSError."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol,
            listen,
            port,
            ssl=self._context,
            ssl_handshake_timeout=self._limits.handshake_s,
            ssl_shutdown_timeout=SHUTDOWN_S,
        )
        taken: int = self._server.sockets[0].getsockname()[1]
        return taken

    async def stop(self) -> None:
        """End the connections and stop listening."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None  # after setup()
        return server() if len(server.connections) < self._limits.connections else _Full()


def address(http: web.BaseRequest) -> str:
    """Who asks; "" where that is gone."""
    peer = http.transport.get_extra_info("peername") if http.transport else None
    return f"{peer[0]}:{peer[1]}" if peer else ""


def identity(http: web.BaseRequest) -> str:
    """The id of who asks' certificate; "" where that is gone."""
    return certificate_id(_tls(http).getpeercert(binary_form=True)) if http.transport else ""


def server_name(http: web.BaseRequest) -> str:
    """The name that was asked for (SNI), "" for none."""
    return getattr(_tls(http), "server_name", "") if http.transport else ""


def _tls(http: web.BaseRequest) -> Any:
    assert http.transport  # it is there
    return http.transport.get_extra_info("ssl_object")


class _Full(asyncio.Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.abort()
