"""MicroPython's `ssl`: `tls` with CPython's arguments, and without verification until that is asked for."""

from . import tls
from .tls import *  # noqa: F403 (as MicroPython's own does)


class SSLContext(tls.SSLContext):
    """A TLS 1.2 configuration. Verification is off until `verify_mode` is set, for a client too."""

    def __init__(self, protocol):
        super().__init__(protocol)
        self.verify_mode = tls.CERT_NONE

    def load_cert_chain(self, certfile, keyfile):
        """Use a certificate and its key: a str is a path, bytes are PEM or DER; ValueError if bad."""
        super().load_cert_chain(_bytes_of(certfile), _bytes_of(keyfile))

    def load_verify_locations(self, cafile=None, cadata=None):
        """Trust the certificates of a file, or of `cadata`, PEM or DER."""
        super().load_verify_locations(_bytes_of(cafile) if cafile else cadata)


def wrap_socket(
    sock,
    *,
    server_side=False,
    key=None,
    cert=None,
    cert_reqs=tls.CERT_NONE,
    cadata=None,
    server_hostname=None,
    do_handshake=True,
):
    """TLS on a socket in one call."""
    context = SSLContext(tls.PROTOCOL_TLS_SERVER if server_side else tls.PROTOCOL_TLS_CLIENT)
    if cert or key:
        context.load_cert_chain(cert, key)
    if cadata:
        context.load_verify_locations(cadata=cadata)
    context.verify_mode = cert_reqs
    return context.wrap_socket(
        sock,
        server_side=server_side,
        do_handshake_on_connect=do_handshake,
        server_hostname=server_hostname,
    )


def _bytes_of(source):
    if isinstance(source, str):
        with open(source, "rb") as file:
            return file.read()
    return source
