"""Certificates and keys of every kind, made by `cryptography`."""

import datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2045, 1, 1, tzinfo=datetime.UTC)
_NO_ENCRYPTION = serialization.NoEncryption()


@cache
def key(kind: str) -> Any:
    """A private key: the name of a curve, `ed25519`, `ed448`, or an RSA key's bits."""
    match kind:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ed448":
            return ed448.Ed448PrivateKey.generate()
    if kind.isdigit():
        return rsa.generate_private_key(65537, int(kind))
    curves = {name.lower(): curve for name, curve in vars(ec).items() if hasattr(curve, "group_order")}
    return ec.generate_private_key(curves[kind]())


@cache
def certificate(
    kind: str,
    name: str = "Test",
    organization: str | None = None,
    start: datetime.datetime = START,
    end: datetime.datetime = END,
    signer: str | None = None,
    pss: bool = False,
) -> x509.Certificate:
    """A certificate for `key(kind)`, signed by `key(signer)` or by itself."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    names = x509.Name(attributes)
    builder = x509.CertificateBuilder(names, names, key(kind).public_key(), 77, start, end)
    by = key(signer or kind)
    algorithm = None if isinstance(by, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    if pss:
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return builder.sign(by, algorithm, rsa_padding=scheme)
    return builder.sign(by, algorithm)


def der(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.DER)


def pem(made: x509.Certificate) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()


def key_der(kind: str, form: str = "PKCS8") -> bytes:
    form_ = getattr(serialization.PrivateFormat, form)
    return key(kind).private_bytes(serialization.Encoding.DER, form_, _NO_ENCRYPTION)


def key_pem(kind: str, form: str = "TraditionalOpenSSL", password: bytes | None = None) -> str:
    form_ = getattr(serialization.PrivateFormat, form)
    encryption = serialization.BestAvailableEncryption(password) if password else _NO_ENCRYPTION
    return key(kind).private_bytes(serialization.Encoding.PEM, form_, encryption).decode()
