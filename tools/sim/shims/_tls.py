"""`tls` of the simulated chip on MicroPython's unix port (on CPython: tools/sim/cpython/tls.py).

The port's own, on mbedTLS, lacks two things that the chip's has: PEM, and the chip's clock to check dates by.
"""

import binascii
import time

import _memory
import utime
from tls import CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER
from tls import SSLContext as _SSLContext

_SEQUENCE, _UTC_TIME = 0x30, 0x17


class SSLContext:
    """A TLS configuration. A client verifies its server."""

    def __init__(self, protocol):
        self._context = _SSLContext(protocol)
        self.verify_mode = self._context.verify_mode

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode
        self._context.verify_callback = None if mode == CERT_NONE else _check

    def set_ciphers(self, *arguments):
        self._context.set_ciphers(*arguments)

    def load_cert_chain(self, *arguments):  # none of them by name, as on the chip
        certificate, key = arguments
        _memory.tls("key")
        # In an EC key file, parameters come first.
        self._context.load_cert_chain(_ders(certificate)[0], _ders(key)[-1])

    def load_verify_locations(self, *arguments):
        (data,) = arguments
        for certificate in _ders(data):
            self._context.load_verify_locations(certificate)

    def wrap_socket(self, sock, *, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        _memory.tls("connect")
        return self._context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )


def _ders(data):
    """The blocks of PEM data, or DER data as it is."""
    data = bytes(data)
    if b"-----BEGIN " not in data:
        return [data]
    try:
        blocks = [block.split(b"-----", 2)[1] for block in data.split(b"-----BEGIN ")[1:]]
        for block in blocks:  # mbedTLS wants its lines, and nothing between their letters
            if block.lstrip(b" \r")[:1] != b"\n" or b"\t" in block or b" " in block.rstrip():
                raise ValueError
        return [binascii.a2b_base64(block.replace(b"\n", b"").replace(b"\r", b"")) for block in blocks]
    except (ValueError, IndexError):
        raise ValueError("invalid cert")


def _check(certificate, depth):
    """mbedTLS calls this for each certificate of a chain; what it raises ends the handshake."""
    _memory.tls("handshake")
    begin, end = _validity(bytes(certificate))
    fault = _fault(begin, end, time.gmtime())
    # What this computer's clock says too, mbedTLS tells together with what else is wrong.
    if fault and fault != _fault(begin, end, utime.gmtime()):
        raise ValueError(fault)
    return 0


def _fault(begin, end, now):
    year, month, day, hour, minute, second = now[:6]
    now = f"{year:04d}{month:02d}{day:02d}{hour:02d}{minute:02d}{second:02d}"
    if now < begin:
        return "\nThe certificate validity starts in the future\n"
    return "\nThe certificate validity has expired\n" if now > end else None


def _validity(der):
    """Begin and end of a certificate's validity (RFC 5280 section 4.1.2.5) as YYYYMMDDHHMMSS."""
    _, at, _ = _element(der, 0)  # Certificate
    _, at, _ = _element(der, at)  # TBSCertificate
    tag, start, following = _element(der, at)
    sequences = 0
    while True:
        sequences += tag == _SEQUENCE
        if sequences == 3:  # behind signature and issuer
            break
        tag, start, following = _element(der, following)
    first, start, following = _element(der, start)
    begin = _digits(first, der[start:following])
    second, start, following = _element(der, following)
    return begin, _digits(second, der[start:following])


def _element(der, at):
    """(tag, where its content starts, where the next element starts)"""
    length = der[at + 1]
    start = at + 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    return der[at], start, start + length


def _digits(tag, text):
    text = text.decode()[:-1]
    if tag == _UTC_TIME:
        return ("20" if int(text[:2]) < 50 else "19") + text
    return text
