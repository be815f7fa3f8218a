"""What makes an SSLContext: once in a life, and forgotten."""

import tls  # what the module ssl wraps, for half a KB of heap more
from micropython import const

from iot.memory import borrow

_ECDSA = const(("TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384"))


def context(root_ca, certificate=None, key=None, host=""):
    """An SSLContext that trusts `root_ca` alone. Costly (about 1 s on the chip): build it once and reuse it.

    Args:
        root_ca: trusted certificates in DER, one behind the other; or PEM, as firmware up to 0.1 stored it.
        certificate: the client's certificate, DER bytes, or None.
        key: its private key, DER bytes.
        host: the server's name; it is asked for a chain of ECDSA where iot.crypto.x509.is_light.

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
        if borrow("iot.crypto.x509").is_light(root_ca, host):
            result.set_ciphers(_ECDSA)
    if certificate is not None:
        result.load_cert_chain(certificate, key)
    return result
