"""TLS on an accepted socket, by asyncio's own protocol with a buffer of a record's size."""

import asyncio
import socket
import ssl
from asyncio.sslproto import SSLProtocol

from . import alerts


class _Tls(SSLProtocol):
    # Allocated once a connection. asyncio has 256 KiB, for a few fast ones; a record has 16 KiB at most.
    max_size = 16 * 1024


async def accept(
    peer: socket.socket,
    context: ssl.SSLContext,
    protocol: asyncio.Protocol,
    handshake_s: float,
    shutdown_s: float,
) -> None:
    """Do the handshake of a server; `protocol` is connected when it returns. Raises OSError.

    As loop.connect_accepted_socket(ssl=…), which leaves no choice of the buffer. Where it fails the socket is
    closed.
    """
    loop = asyncio.get_running_loop()
    shaken = loop.create_future()
    tls = _Tls(
        loop,
        protocol,
        context,
        shaken,
        server_side=True,
        ssl_handshake_timeout=handshake_s,  # type: ignore[arg-type]  # typeshed: whole seconds
        ssl_shutdown_timeout=shutdown_s,
    )
    alerts.peer.set(peer)
    transport, _ = await loop.connect_accepted_socket(lambda: tls, peer)
    try:
        await shaken
    except BaseException:
        transport.abort()
        raise
