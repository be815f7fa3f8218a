"""Certificates as a device's owner makes them for Azure: self-signed, or by a CA of one's own."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools.cloud import certificates


@dataclass(frozen=True)
class Certified:
    """A certificate and its key, in two files of PEM."""

    pem: str
    path: str
    key_path: str
    key: ec.EllipticCurvePrivateKey

    @property
    def identity(self) -> tuple[str, str]:
        return self.pem, Path(self.key_path).read_text()


def certified(folder: Path, name: str, issuer: Certified | None = None, ca: bool = False) -> Certified:
    """For a common name, signed by itself unless there is an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = certificates.name(name)
    if ca:
        made = certificates.root(subject, key, 0)
    else:
        signer = x509.load_pem_x509_certificate(issuer.pem.encode()).subject if issuer else subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(certificates._NOT_BEFORE)
            .not_valid_after(certificates._NOT_AFTER)
        )
        made = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    path.write_text(pem)
    key_path.write_bytes(key_pem)
    return Certified(pem, str(path), str(key_path), key)
