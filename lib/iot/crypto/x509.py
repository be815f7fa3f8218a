"""As much of X.509 (RFC 5280) as tells when a certificate ends, and the steps through its DER (X.690)."""

from micropython import const

_SEQUENCE = const(0x30)
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


def content(der, at):
    """Where the content of the element at `at` starts and ends (X.690, 8.1.3)."""
    length = der[at + 1]
    at += 2
    if length & 128:
        digits = length & 127
        length = int.from_bytes(der[at : at + digits], "big")
        at += digits
    return at, at + length


def behind(der, at):
    """Where the element at `at` ends."""
    return content(der, at)[1]


def inside(der, at):
    """Where the content of the SEQUENCE at `at` starts; ValueError where it is none."""
    if der[at] != _SEQUENCE:
        raise ValueError("damaged DER")
    return content(der, at)[0]
