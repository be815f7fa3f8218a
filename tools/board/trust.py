"""Whether certificates, keys and endpoint of a valid configuration can ever lead to a connection.

The device's own validator knows neither the date nor the clouds; what it lets through is looked at here. What
surely cannot work is an error, what may work, or will stop to, is a warning; both tell the remedy.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

# SHA-256 of the public keys of Amazon's roots 1 to 4 and of Starfield's services root G2, by which they are
# cross-signed (https://www.amazontrust.com/repository/): AWS advises against pinning certificates instead.
AMAZON_ROOTS = frozenset(
    {
        "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
        "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
        "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
        "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
        "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92",
    }
)
_AWS = re.compile(r"(^|\.)iot(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$")
_DATA = re.compile(r"^([a-z0-9]+(-ats|\.ats)\.iot|data\.iot-fips)\.", re.IGNORECASE)
_ATS = "Take the one of: aws iot describe-endpoint --endpoint-type iot:Data-ATS"
_ROOT = "Take AmazonRootCA1.pem, and AmazonRootCA3.pem, of https://www.amazontrust.com/repository/"
_LOOPBACK = re.compile(r"(localhost|127\.[\d.]+|::1)$", re.IGNORECASE)
_HOST = "Take the address by which devices reach the cloud: of a local one, what its --host says"
_PAIRS = (("claim_certificate", "claim_key"), ("certificate", "key"))
_KEY = "Take the key that was made together with the certificate, or a new pair of both."
_AWS_PORT = 8883


@dataclass(frozen=True)
class Finding:
    """Something that stands in the way: its place in the document, what it is, and what to do."""

    place: str
    text: str
    remedy: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def findings(document: dict[str, Any], now: datetime | None = None) -> list[Finding]:
    """What is found in a document that iot.config has validated, errors first; `now` is for tests."""
    from iot.config import CLOUDS  # noqa: PLC0415 # the path to it is laid by tools.board.document

    cloud = next(name for name in CLOUDS if name in document)
    section = document[cloud]
    now = now or datetime.now(UTC)
    found = [*_endpoint(cloud, section), *_roots(cloud, section, now)]
    for certificate, key in _PAIRS:
        if certificate in section:
            found += _pair(cloud, section, certificate, key, now)
    return sorted(found, key=lambda finding: not finding.is_error)


def _endpoint(cloud: str, section: dict[str, Any]) -> Iterator[Finding]:
    endpoint = section["endpoint"]
    if _LOOPBACK.match(endpoint):
        text = f"{endpoint} is the device itself, unless it is a simulated one"
        yield Finding(f"{cloud}.endpoint", text, _HOST, False)
    if not _AWS.search(endpoint.lower()):
        return
    if not _DATA.match(endpoint):
        yield Finding(
            f"{cloud}.endpoint", "not an ATS data endpoint, and no root of Amazon's is for it", _ATS
        )
    if section["port"] != _AWS_PORT:
        text = f"AWS takes certificates at {_AWS_PORT}; at 443 it wants ALPN, which MicroPython has not"
        yield Finding(f"{cloud}.port", text, f"Leave it out, or say {_AWS_PORT}.")


def _roots(cloud: str, section: dict[str, Any], now: datetime) -> Iterator[Finding]:
    from iot.crypto import pem  # noqa: PLC0415 # the path to it is laid by tools.board.document

    roots = [root for root in map(_loaded, pem.certificates(section["root_ca"])) if root]
    late = [root for root in roots if root.not_valid_after_utc < now]
    for root in late:
        remedy = "Take the one that its authority uses now."
        text = f"{_name(root)} expired on {root.not_valid_after_utc:%Y-%m-%d}"
        yield Finding(f"{cloud}.root_ca", text, remedy, len(late) == len(roots))
    if (
        not _AWS.search(section["endpoint"].lower())
        or not roots
        or {_hash(root) for root in roots} & AMAZON_ROOTS
    ):
        return
    if any("Amazon" in _organizations(root) for root in roots):  # an intermediate one
        yield Finding(f"{cloud}.root_ca", "no root of Amazon's, but one that Amazon may change", _ROOT, False)
    else:
        text = f"no root of Amazon's, as AWS's endpoints need, but {_name(roots[0])}"
        yield Finding(f"{cloud}.root_ca", text, _ROOT)


def _pair(cloud: str, section: dict[str, Any], name: str, key_name: str, now: datetime) -> Iterator[Finding]:
    certificate = _loaded(section[name])
    if certificate is None:
        return
    if certificate.not_valid_after_utc < now:
        text = f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
        yield Finding(f"{cloud}.{name}", text, "Make a new one, with its key.")
    if certificate.not_valid_before_utc > now:
        text = f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield Finding(f"{cloud}.{name}", text, "Wait, or set this computer's clock right.", False)
    try:
        key = serialization.load_der_private_key(section[key_name], None)
    except (TypeError, ValueError):
        yield Finding(f"{cloud}.{key_name}", "damaged", _KEY)
        return
    if key.public_key() != certificate.public_key():
        yield Finding(f"{cloud}.{key_name}", "not the key of the certificate", _KEY)


def _loaded(der: bytes) -> x509.Certificate | None:
    """None for what `cryptography` is stricter about than mbedTLS, which then has the say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Starfield's root has a serial number that is none
        try:
            return x509.load_der_x509_certificate(der)
        except ValueError:
            return None


def _hash(certificate: x509.Certificate) -> str:
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(key).hexdigest()


def _organizations(certificate: x509.Certificate) -> str:
    return " ".join(
        str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    )


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return f'"{names[0].value!s}"' if names else "a certificate without a name"
