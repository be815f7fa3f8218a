"""TLS connections whose server is always verified, name included."""

import asyncio
import gc

from micropython import const

from iot.memory import borrow

_STREAM_BYTES = const(1536)  # of MicroPython's heap in one piece: what a TLS stream is made of


def is_starved(error):
    """Whether `error`, of a connection that is closed again, means want of memory, whatever else it says."""
    return borrow("iot.starving").is_starved(error)


class Opener:
    """Opens streams to one server, all with one SSLContext.

    Args:
        host: name or address, as in the server's certificate.
        port: 1 to 65535.
        load: returns root certificates, certificate and key, as for iot.trust.context.

    Attributes:
        context: the SSLContext; None makes the next stream load another one.
    """

    def __init__(self, host, port, load):
        self._host = host
        self._port = port
        self._load = load
        self.context = self._made = self._room = None

    def prepare(self):
        """Builds the SSLContext where there is none yet; errors as with iot.trust.context."""
        if self.context is None:
            # Holds a place among what is there already: else a stream would part what is free above all that.
            self._room = bytearray(_STREAM_BYTES)
            own = self._load()
            self.context = borrow("iot.trust").context(*own, self._host)

    async def open(self):
        """A stream; the handshake runs in its first write or read. Its extra info `socket` is below TLS."""
        self.prepare()
        gc.collect()  # the socket and its buffers find what the last connection had
        await asyncio.open_connection(self._host, self._port, ssl=self, server_hostname=self._host)
        made, self._made = self._made, None
        return asyncio.StreamReader(*made)  # in MicroPython one Stream reads and writes

    def wrap_socket(self, sock, **options):
        """For asyncio: TLS on `sock`, which stays known: once a write has failed, TLS reads nothing more."""
        self._room = None
        gc.collect()  # now it costs nothing, and what the last stream was made of makes room for this one
        tls_socket = self.context.wrap_socket(sock, **options)
        self._made = tls_socket, {"socket": sock}
        return tls_socket
