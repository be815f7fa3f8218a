"""TLS connections whose server is always verified, name included."""

import asyncio
import ssl


def context(root_ca, certificate=None, key=None):
    """An SSLContext that trusts `root_ca` alone. Costly (about 1 s on the chip): build it once and reuse it.

    Args:
        root_ca: trusted certificates, PEM or DER bytes.
        certificate: the client's certificate, DER or PEM bytes, or None.
        key: its private key, DER or PEM bytes.

    Raises:
        ValueError: one of them cannot be parsed, or certificate and key do not belong together.
        OSError: out of memory.
    """
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # MicroPython starts with CERT_NONE (and its stubs lack the attribute)
    result.verify_mode = ssl.CERT_REQUIRED  # type: ignore[attr-defined]
    result.load_verify_locations(cadata=root_ca)
    if certificate is not None:
        result.load_cert_chain(certificate, key)
    return result


def opener(host, port, ssl_context):
    """A function that opens a stream to `host`:`port`; the handshake runs in its first write or read."""

    async def open_stream():
        reader, _ = await asyncio.open_connection(host, port, ssl=ssl_context, server_hostname=host)
        return reader  # in MicroPython one Stream reads and writes

    return open_stream
