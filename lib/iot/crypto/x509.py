"""As much of X.509 (RFC 5280) as tells when a certificate ends, and what keys there are."""

from micropython import const

from iot.crypto.tlv import behind, content, inside

_VERSION = const(0xA0)  # [0], the one member of a certificate that may be missing before its validity
_UTC_TIME = const(0x17)  # two digits of year; of a GeneralizedTime four
_EC_KEY = const(b"\x2a\x86\x48\xce\x3d\x02\x01")  # id-ecPublicKey (RFC 5480, 2.1.1)
_RSA_KEY = const(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")  # rsaEncryption (RFC 8017, A.1)


def not_after(der):
    """When the certificate `der` (bytes) ends, e.g. "2049-12-31T23:59:59Z" (4.1.2.5).

    Raises ValueError where it is none.
    """
    try:
        at = inside(der, inside(der, 0))  # Certificate, TBSCertificate
        if der[at] == _VERSION:
            at = behind(der, at)
        for _ in range(3):  # serialNumber, signature, issuer
            at = behind(der, at)
        at = behind(der, inside(der, at))  # validity: notBefore, notAfter
        start, end = content(der, at)
        text = str(der[start:end], "ascii")
        if der[at] == _UTC_TIME:
            text = str(20 if int(text[:2]) < 50 else 19) + text
        if len(text) != 15 or text[-1] != "Z" or not text[:-1].isdigit():
            raise ValueError
    except (IndexError, ValueError):
        raise ValueError("no X.509 certificate")
    return "{}-{}-{}T{}:{}:{}".format(text[:4], text[4:6], text[6:8], text[8:10], text[10:12], text[12:])


def is_light(roots, host):
    """Whether `host` shall show a chain of ECDSA: to check one of RSA takes 8 KB more of ESP-IDF's heap.

    AWS IoT has both, and shows what the offered cipher suites ask for (AWS IoT Developer Guide, "Server
    authentication"). Others have one, and are asked for ECDSA where nothing else is trusted.

    Args:
        roots: the trusted certificates in DER, one behind the other.
        host: the server's name.
    """
    return _EC_KEY in roots and (_RSA_KEY not in roots or ".iot." in host)
