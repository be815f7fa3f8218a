"""A TLS port for MQTT: accepts connections, within limits, and sees each of them to its end."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from . import connection as wire
from . import tls
from .events import Event
from .limits import Limits

_SHUTDOWN_S = 3
_BACKLOG = 128


class Port:
    """One port.

    Args:
        context: of a TLS server.
        limits: for connections and handshakes.
        handler: makes what a connection reports to, of the peer's "address:port".
        tell: called with each Event; must not raise.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        limits: Limits,
        handler: Callable[[str], wire.Handler],
        tell: Callable[[Event], None],
    ) -> None:
        self.connections: set[asyncio.Task[None]] = set()
        self._context = context
        self._limits = limits
        self._handler = handler
        self._tell = tell
        self._handshakes = 0
        context.sni_callback = _note_server_name

    async def start(self, listen: str, port: int) -> int:
        """Listen on an address; returns the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        family, _, _, _, address = (await loop.getaddrinfo(listen, port, type=socket.SOCK_STREAM))[0]
        self._listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())
        return self._listener.getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end every connection; no task is left when it returns."""
        # asyncio would accept whoever comes at this moment, for a future that is cancelled by then.
        with contextlib.suppress(NotImplementedError):  # Windows's loop has no readers
            asyncio.get_running_loop().remove_reader(self._listener)
        await end([self._accepting])
        self._listener.close()
        await end(list(self.connections))

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, address = await loop.sock_accept(self._listener)
            except OSError as error:  # out of file descriptors: those connected go on
                self._tell(Event("server", detail=f"cannot accept: {error}"))
                await asyncio.sleep(1)
                continue
            name = f"{address[0]}:{address[1]}"
            full = len(self.connections) >= self._limits.connections
            if full or self._handshakes >= self._limits.handshakes:
                peer.close()
                self._tell(Event("refused", name, reason=wire.THROTTLED, detail="too many connections"))
                continue
            task = asyncio.create_task(self._serve(peer, name))
            self.connections.add(task)
            task.add_done_callback(self.connections.discard)

    async def _serve(self, peer: socket.socket, address: str) -> None:
        """One connection, from the handshake to its end."""
        connection = wire.Connection(self._handler(address), self._limits)
        self._handshakes += 1
        try:
            await tls.accept(peer, self._context, connection, self._limits.handshake_s, _SHUTDOWN_S)
        except OSError as error:  # ssl.SSLError is one
            self._tell(Event("refused", address, reason="TLS", detail=_tls_error(error)))
            return
        finally:
            self._handshakes -= 1
        try:
            await connection.lost.wait()
        except asyncio.CancelledError:
            connection.close(wire.SERVER_INITIATED_DISCONNECT, "the cloud stops")
            await self._until_lost(connection)
            raise

    async def _until_lost(self, connection: wire.Connection) -> None:
        try:
            async with asyncio.timeout(_SHUTDOWN_S):
                await connection.lost.wait()
        except TimeoutError:
            connection.abort()


async def end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end; an error of one of them goes on to the caller."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _note_server_name(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
    setattr(connection, "server_name", name or "")  # noqa: B010  the only way to hand it over


def _tls_error(error: OSError) -> str:
    """OpenSSL's reason in words, such as "certificate verify failed: unable to get issuer certificate"."""
    if isinstance(error, ssl.SSLError) and error.reason:
        text = error.reason.replace("_", " ").lower()
        return f"{text}: {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else text
    return str(error) or "peer closed the connection in the handshake"
