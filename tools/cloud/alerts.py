"""TLS alerts: a client refused in the handshake is told why, as by AWS. asyncio alone does not send them."""

import contextlib
import contextvars
import socket
import ssl

#: The socket of the connection whose handshake the running task has begun.
peer: contextvars.ContextVar[socket.socket] = contextvars.ContextVar("peer")


class _Tls(ssl.SSLObject):
    """Sends the alert of a failed handshake before whoever runs it closes the socket."""

    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            with contextlib.suppress(OSError, LookupError):  # the client is gone, or nobody's socket is known
                peer.get().send(self.outgoing.read())
            raise


class Context(ssl.SSLContext):
    """An SSLContext for a server in asyncio that sets `peer` before each handshake."""

    sslobject_class = _Tls

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        tls = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(tls, _Tls):
            tls.outgoing = outgoing
        return tls
