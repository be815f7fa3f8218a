"""Whether mbedTLS on the chip can load a certificate or a key, and whether they belong together.

It takes RSA and the curves P-256, P-384 and P-521; of RSA keys those from 2,048 bits. What it cannot
load is refused here in words: one such root would spoil its whole bundle, all that it says is "invalid cert".
"""

from micropython import const

from iot.crypto.tlv import behind, content, inside

_INTEGER = const(0x02)
_OCTET_STRING = const(0x04)
_SEQUENCE = const(0x30)
_CONTEXT_0 = const(0xA0)
_CONTEXT_1 = const(0xA1)
_UNCOMPRESSED = const(4)
_MODULUS_LEAST = const(256)  # bytes

# Object identifiers in DER (RFC 3279, 5480, 8410, 4055).
_RSA = const(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
_RSA_SIGNATURE = const(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01")
_RSA_HASHES = const(b"\x05\x0b\x0c\x0d\x0e")  # SHA-1, which a root may have on itself, and SHA-2
_RSA_PSS = const(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")
_EC = const(b"\x2a\x86\x48\xce\x3d\x02\x01")
_EC_SIGNATURE = const(b"\x2a\x86\x48\xce\x3d\x04")
_CURVES = const(
    (b"\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x2b\x81\x04\x00\x22", b"\x2b\x81\x04\x00\x23")
)  # P-256, P-384, P-521
_ED25519 = const(b"\x2b\x65\x70")
_ED448 = const(b"\x2b\x65\x71")
_TAKEN = const("; the chip takes RSA of 2048 bits and more, and EC on P-256, P-384 and P-521")


def public(der):
    """The point or modulus of a certificate's key, in bytes; ValueError where the chip cannot load it."""
    try:
        at = inside(der, inside(der, 0))  # Certificate, TBSCertificate (RFC 5280, 4.1)
        if der[at] == _CONTEXT_0:  # version
            at = behind(der, at)
        at = behind(der, at)  # serialNumber
        _signature(_oid(der, inside(der, at)))
        for _ in range(4):  # signature, issuer, validity, subject
            at = behind(der, at)
        at = inside(der, at)  # subjectPublicKeyInfo
        is_rsa = _algorithm(der, at)
        start, end = content(der, behind(der, at))
        start += 1  # unused bits: none
        if is_rsa:
            return _modulus(der, inside(der, start))
        if der[start] != _UNCOMPRESSED:
            raise ValueError("a compressed point, which the chip cannot load")
        return der[start:end]
    except IndexError:
        raise ValueError("damaged")


def check_key(der, numbers=None):
    """Raises ValueError where the chip cannot load a private key, or it is not the one of a certificate.

    Args:
        der: PKCS#8, SEC 1 or PKCS#1.
        numbers: what `public` gave for the certificate; None: any key will do.
    """
    try:
        tells = _private(der)
    except IndexError:
        raise ValueError("damaged")
    if numbers and tells and numbers not in der:
        raise ValueError("not the key of the certificate")


def _private(der):
    """Whether a key that the chip can load has its public numbers with it: an EC key may do without."""
    at = inside(der, 0)
    start, end = content(der, at)
    if der[at] != _INTEGER or end != start + 1:
        raise ValueError("damaged")
    version = der[start]
    at = end
    if der[at] == _INTEGER:  # PKCS#1 (RFC 8017, A.1.2)
        _modulus(der, at)
        return True
    has_curve = der[at] == _SEQUENCE
    if has_curve:  # PKCS#8 (RFC 5208, 5)
        is_rsa = _algorithm(der, at)
        if version:
            raise ValueError("PKCS#8 of a version that the chip cannot load")
        at = inside(der, content(der, behind(der, at))[0])
        at = behind(der, at)  # the inner key's version
        if is_rsa:
            _modulus(der, at)
            return True
    if der[at] != _OCTET_STRING:  # SEC 1 (RFC 5915, 3)
        raise ValueError("damaged")
    at = behind(der, at)
    if at < len(der) and der[at] == _CONTEXT_0:
        _curve(_oid(der, content(der, at)[0]))
        has_curve = True
        at = behind(der, at)
    if not has_curve:
        raise ValueError("an EC key that does not name its curve")
    return at < len(der) and der[at] == _CONTEXT_1


def _algorithm(der, at):
    """Whether the AlgorithmIdentifier at `at` is RSA's; False for a curve; ValueError for all others."""
    at = inside(der, at)
    oid = _oid(der, at)
    if oid == _RSA:
        return True
    if oid != _EC:
        raise ValueError("a key for " + _called(oid) + _TAKEN)
    _curve(_oid(der, behind(der, at)))
    return False


def _curve(oid):
    if oid not in _CURVES:
        raise ValueError("an EC key on another curve" + _TAKEN)


def _modulus(der, at):
    start, end = content(der, at)
    if der[at] != _INTEGER:
        raise ValueError("damaged")
    modulus = der[start:end].lstrip(b"\0")
    if len(modulus) < _MODULUS_LEAST:
        raise ValueError("an RSA key of {} bits".format(8 * len(modulus)) + _TAKEN)
    return modulus


def _signature(oid):
    is_rsa = oid[:-1] == _RSA_SIGNATURE and oid[-1] in _RSA_HASHES
    if not is_rsa and not oid.startswith(_EC_SIGNATURE):
        raise ValueError("signed by {}, which the chip cannot load".format(_called(oid)))


def _called(oid):
    return {_ED25519: "Ed25519", _ED448: "Ed448", _RSA_PSS: "RSA-PSS"}.get(oid, "another algorithm")


def _oid(der, at):
    start, end = content(der, at)
    return der[start:end]
