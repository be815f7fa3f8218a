"""As much of X.509 (RFC 5280) as tells when a certificate ends."""

from micropython import const

from iot.crypto.tlv import behind, content, inside

_VERSION = const(0xA0)  # [0], the one member of a certificate that may be missing before its validity
_UTC_TIME = const(0x17)  # two digits of year; of a GeneralizedTime four


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
