"""Certificates and keys as mbedTLS takes them; whether a key is that of a certificate it does not ask."""

import base64
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

_HEADER_END = re.compile(rb" ?\r?\n")
_IN_LINE = re.compile(rb"[ \t]+[^ \n]")  # blanks may end a line, and nothing else
_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KNOWN_EXTENSIONS = (
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    x509.ObjectIdentifier("2.16.840.1.113730.1.1"),  # nsCertType
)
_ANY_POLICY = x509.ObjectIdentifier("2.5.29.32.0")
_INVALID_EXTENSIONS = -0x2500, "MBEDTLS_ERR_X509_INVALID_EXTENSIONS"
_UNKNOWN_EXTENSION = -0x2562, "MBEDTLS_ERR_X509_INVALID_EXTENSIONS+MBEDTLS_ERR_ASN1_UNEXPECTED_TAG"
_UNKNOWN_POLICY = -0x2080, "MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE"
_INTEGER, _BIT_STRING, _OCTET_STRING, _SEQUENCE, _CONTEXT_0, _CONTEXT_1 = 2, 3, 4, 0x30, 0xA0, 0xA1
_CURVES = {  # their object identifiers in DER (RFC 5480, 2.1.1.1)
    "secp256r1": b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
    "secp384r1": b"\x06\x05\x2b\x81\x04\x00\x22",
    "secp521r1": b"\x06\x05\x2b\x81\x04\x00\x23",
}
_NO_FACTORS = 7, 5, 1, 1, 1  # OpenSSL tries them, sees that they are wrong and takes the exponent
_SECRET_LIMIT = 2048  # bytes of an RSA exponent
_PEM, _PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def parse(data):
    """Every certificate of PEM or DER data; ValueError if there is none, or one that mbedTLS cannot load."""
    data = data.encode() if isinstance(data, str) else bytes(data)
    try:
        if b"-----BEGIN " not in data:
            found = [x509.load_der_x509_certificate(data)]
        else:
            found = [x509.load_pem_x509_certificate(block) for block in _PEM_CERTIFICATE.findall(data)]
            if len(found) != data.count(b"-----BEGIN CERTIFICATE-----") or not _in_lines(data):
                raise ValueError
        loads = all(loads_key(one.public_key()) and _hashes(one) and not fault(one) for one in found)
    except (ValueError, UnsupportedAlgorithm):
        loads = found = False
    if not found or not loads:
        raise ValueError("invalid cert") from None
    return found


def fault(certificate):
    """mbedTLS's (number, name) for a critical extension that it does not know; None where it knows all."""
    try:
        extensions = list(certificate.extensions)
    except (ValueError, x509.DuplicateExtension):
        return _INVALID_EXTENSIONS
    for extension in extensions:
        if extension.critical and extension.oid not in _KNOWN_EXTENSIONS:
            return _UNKNOWN_EXTENSION
        is_policies = extension.oid == ExtensionOID.CERTIFICATE_POLICIES
        if extension.critical and is_policies and any(not _is_any(policy) for policy in extension.value):
            return _UNKNOWN_POLICY
    return None


def _is_any(policy):
    return policy.policy_identifier == _ANY_POLICY


def loads_key(public_key):
    """Whether mbedTLS as MicroPython's ESP32 port has it knows a key's kind."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return isinstance(public_key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1)
    return isinstance(public_key, rsa.RSAPublicKey)


def pair(certificate, key):
    """PEM of a chain and its key for OpenSSL; ValueError where mbedTLS cannot load one of them.

    A key of another certificate is taken, as mbedTLS takes it, and signs what nobody will believe.
    """
    try:
        private_key = _private_key(bytes(key))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("invalid key") from None
    chain = parse(certificate)
    public_key = chain[0].public_key()
    if private_key.public_key() == public_key:
        pem_key = private_key.private_bytes(_PEM, _PKCS8, serialization.NoEncryption())
    else:
        pem_key = _foreign_key(private_key, public_key)
    return b"".join(one.public_bytes(_PEM) for one in chain) + pem_key


def _in_lines(data):
    """Whether each PEM block has its lines: without them mbedTLS finds no block, or bad base64."""
    bodies = [block.partition(b"-----")[2].partition(b"-----")[0] for block in data.split(b"-----BEGIN ")[1:]]
    return all(_HEADER_END.match(body) and not _IN_LINE.search(body.replace(b"\r", b"")) for body in bodies)


def _hashes(certificate):
    """Whether it knows the signature's: not RSA-PSS, nor those without a hash, such as Ed25519's."""
    is_pss = certificate.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS
    return certificate.signature_hash_algorithm is not None and not is_pss


def _private_key(data):
    is_pem = b"-----BEGIN " in data
    load = serialization.load_pem_private_key if is_pem else serialization.load_der_private_key
    key = load(data, None)
    if (is_pem and not _in_lines(data)) or not loads_key(key.public_key()):
        raise ValueError
    return key


def _foreign_key(key, public_key):
    """PEM of a private key that says it belongs to `public_key`: OpenSSL compares only what is public."""
    private = key.private_numbers()
    secret = private.d if isinstance(key, rsa.RSAPrivateKey) else private.private_value
    if isinstance(public_key, rsa.RSAPublicKey):
        public = public_key.public_numbers()
        numbers = 0, public.n, public.e, secret % public.n, *_NO_FACTORS
        fields = [_integer(number) for number in numbers]
        kind = b"RSA"  # RFC 8017, A.1.2
    else:
        size = (public_key.curve.key_size + 7) // 8
        point = public_key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        fields = [
            _integer(1),
            _element(
                _OCTET_STRING, (secret >> max(0, secret.bit_length() - 8 * size + 8)).to_bytes(size, "big")
            ),
            _element(_CONTEXT_0, _CURVES[public_key.curve.name]),
            _element(_CONTEXT_1, _element(_BIT_STRING, b"\0" + point)),
        ]
        kind = b"EC"  # RFC 5915, 3
    text = base64.encodebytes(_element(_SEQUENCE, b"".join(fields)))
    return b"-----BEGIN %b PRIVATE KEY-----\n%b-----END %b PRIVATE KEY-----\n" % (kind, text, kind)


def _integer(value):
    return _element(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _element(tag, content):
    size = len(content)
    length = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes((tag,)) + length + content
