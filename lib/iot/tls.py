"""TLS connections whose server is always verified, name included."""

import asyncio
import gc

import tls  # what the module ssl wraps, for half a KB of heap more

from iot.memory import borrow


def context(root_ca, certificate=None, key=None):
    """An SSLContext that trusts `root_ca` alone. Costly (about 1 s on the chip): build it once and reuse it.

    Args:
        root_ca: trusted certificates in DER, one behind the other; or PEM, as firmware up to 0.1 stored it.
        certificate: the client's certificate, DER bytes, or None.
        key: its private key, DER bytes.

    Raises:
        ValueError: one of them cannot be parsed. That they belong together is for iot.crypto.loadable to say.
        OSError: out of memory.
    """
    result = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    result.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined] # the stubs lack it
    if root_ca[:1] == b"-":
        result.load_verify_locations(root_ca)
    else:
        tlv = borrow("iot.crypto.tlv")
        at = 0
        while at < len(root_ca):  # mbedTLS takes one at a time
            end = tlv.behind(root_ca, at)
            result.load_verify_locations(root_ca[at:end])
            at = end
    if certificate is not None:
        result.load_cert_chain(certificate, key)
    return result


def is_starved(error):
    """Whether `error`, of a connection that is closed again, means want of memory, whatever else it says."""
    return borrow("iot.starving").is_starved(error)


class Opener:
    """Opens streams to one server, all with one SSLContext.

    Args:
        host: name or address, as in the server's certificate.
        port: 1 to 65535.
        load: called once; returns the arguments of `context`.
    """

    def __init__(self, host, port, load):
        self._host = host
        self._port = port
        self._load = load
        self._context = self._made = None

    def prepare(self):
        """Builds the SSLContext where there is none yet; errors as with `context`."""
        if self._context is None:
            self._context = context(*self._load())

    async def open(self):
        """A stream; the handshake runs in its first write or read. Its extra info `socket` is below TLS."""
        self.prepare()
        gc.collect()  # now it costs nothing, and leaves what comes larger pieces
        await asyncio.open_connection(self._host, self._port, ssl=self, server_hostname=self._host)
        made, self._made = self._made, None
        return asyncio.StreamReader(*made)  # in MicroPython one Stream reads and writes

    def wrap_socket(self, sock, **options):
        """For asyncio: TLS on `sock`, which stays known: once a write has failed, TLS reads nothing more."""
        tls_socket = self._context.wrap_socket(sock, **options)
        self._made = tls_socket, {"socket": sock}
        return tls_socket
