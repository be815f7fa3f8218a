"""The cloud's own certificate authority: root, server certificate, device certificates; all ECDSA P-256."""

import datetime as dt
import ipaddress
import os
import re
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .errors import CertificateValidationException

# From before any device's clock can be right, to the last year that X.509 writes with two digits, which small
# parsers expect.
_NOT_BEFORE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_NOT_AFTER = dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC)

_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

_Key = ec.EllipticCurvePrivateKey
_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all; it never exists with wider permissions than `mode`."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class Authority:
    """The CA whose files are in `folder`; made there when there is none.

    Args:
        folder: holds ca.pem, ca.key and the server's server.pem (certificate and key in one file).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        certificate, key = folder / "ca.pem", folder / "ca.key"
        if not certificate.exists():  # written last, so that its presence means that both are there
            made_key = ec.generate_private_key(ec.SECP256R1())
            write_atomic(key, _key_pem(made_key), 0o600)
            write_atomic(certificate, _pem(_root(made_key)))
        self._key = _load_key(key.read_bytes(), key)
        self._certificate = x509.load_pem_x509_certificate(certificate.read_bytes())
        if self._certificate.public_key() != self._key.public_key():
            raise ValueError(f"{certificate} and {key} do not belong together")

    @property
    def root_pem(self) -> str:
        return _pem(self._certificate).decode()

    def issue(self) -> tuple[str, str]:
        """A new key and the device certificate for it, as AWS makes them: (certificate PEM, key PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._device_certificate(key.public_key()), _key_pem(key).decode()

    def sign(self, request_pem: str) -> str:
        """The device certificate (PEM) for a signing request; raises CertificateValidationException."""
        return self._device_certificate(load_request(request_pem))

    def server_context(self, hosts: tuple[str, ...]) -> ssl.SSLContext:
        """A mutual TLS context (1.2 and later) whose certificate is for `hosts`, names and IP addresses."""
        path = self._folder / "server.pem"
        if not path.exists() or not self._serves(path, hosts):
            key = ec.generate_private_key(ec.SECP256R1())
            write_atomic(path, _pem(self._server_certificate(key, hosts)) + _key_pem(key), 0o600)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(path)
        context.load_verify_locations(cadata=self.root_pem)
        context.verify_mode = ssl.CERT_REQUIRED
        # No resumption: each connection shows its certificate anew, so that a deactivated one is out at once.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        return context

    def _serves(self, path: Path, hosts: tuple[str, ...]) -> bool:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names == alternative_names(hosts) and certificate.issuer == self._certificate.subject

    def _server_certificate(self, key: _Key, hosts: tuple[str, ...]) -> x509.Certificate:
        builder = _builder(_name(hosts[0][:64]), self._certificate.subject, key.public_key())
        builder = builder.add_extension(alternative_names(hosts), critical=False)
        return self._finish(builder, ExtendedKeyUsageOID.SERVER_AUTH)

    def _device_certificate(self, public_key: _PublicKey) -> str:
        builder = _builder(_name("AWS IoT Certificate"), self._certificate.subject, public_key)
        return _pem(self._finish(builder, ExtendedKeyUsageOID.CLIENT_AUTH)).decode()

    def _finish(self, builder: x509.CertificateBuilder, usage: x509.ObjectIdentifier) -> x509.Certificate:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(issuer, critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def load_request(pem: str) -> _PublicKey:
    """The public key of a signing request whose owner has the private one; CertificateValidationException."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        valid, key = request.is_signature_valid, request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateValidationException(f"not a certificate signing request: {error}") from None
    if not valid:
        raise CertificateValidationException("the signing request's signature is wrong")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise CertificateValidationException("the key is neither an elliptic curve one nor RSA")
    return key


def certificate_id(certificate: bytes | str) -> str:
    """AWS's certificateId: the SHA-256 of the certificate (DER bytes or PEM text) in hex."""
    der = ssl.PEM_cert_to_DER_cert(certificate) if isinstance(certificate, str) else certificate
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def public_key_pem(certificate_pem: str) -> str:
    public_key = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public_key.public_bytes(serialization.Encoding.PEM, form).decode()


def subject_variables(certificate_pem: str) -> dict[str, str]:
    """The policy variables `iot:Certificate.Subject.…`, `.Issuer.…` and `.SerialNumber` of a certificate."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    variables = {"iot:Certificate.SerialNumber": str(certificate.serial_number)}
    for side, name in (("Subject", certificate.subject), ("Issuer", certificate.issuer)):
        for oid, attribute in _NAME_VARIABLES.items():
            if values := name.get_attributes_for_oid(oid):
                variables[f"iot:Certificate.{side}.{attribute}"] = str(values[0].value)
    return variables


_NAME_VARIABLES = {
    NameOID.COUNTRY_NAME: "Country",
    NameOID.ORGANIZATION_NAME: "Organization",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OrganizationalUnit",
    NameOID.STATE_OR_PROVINCE_NAME: "State",
    NameOID.COMMON_NAME: "CommonName",
    NameOID.SERIAL_NUMBER: "SerialNumber",
}


def _root(key: _Key) -> x509.Certificate:
    name = _name("Local AWS IoT Core CA")
    builder = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return builder.sign(key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, public_key: _PublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(**granted: bool) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
        "crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: granted.get(name, False) for name in every.split()})


def alternative_names(hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    """The names and IP addresses for a server's certificate; raises ValueError for what is neither."""
    return x509.SubjectAlternativeName([_general_name(host) for host in dict.fromkeys(hosts)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is neither a host name nor an IP address") from None
        return x509.DNSName(host)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(pem: bytes, path: Path) -> _Key:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, _Key):
        raise ValueError(f"{path}: not an elliptic curve key")
    return key
