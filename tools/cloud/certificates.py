"""Builds the certificates of the cloud: roots, what stands between root and server, servers, devices."""

import datetime as dt
import ipaddress
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    CertificatePoliciesOID,
    ExtendedKeyUsageOID,
    NameOID,
)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# From before any device's clock can be right, to the last year that X.509 writes with two digits, which small
# parsers expect.
_NOT_BEFORE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_NOT_AFTER = dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC)

_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def name(common_name: str, *organization: str) -> x509.Name:
    """A name; `organization` is country, organization and unit, as far as given."""
    oids = (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
    attributes = [*zip(oids, organization, strict=False), (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def root(subject: x509.Name, key: Key, path_length: int | None) -> x509.Certificate:
    """A CA's certificate that it has signed itself."""
    return _authority(subject, key.public_key(), path_length, subject).sign(key, hashes.SHA256())


def intermediate(
    subject: x509.Name, key: PublicKey, path_length: int | None, issuer: x509.Name, issuer_key: Key
) -> x509.Certificate:
    """A CA's certificate that another has signed, as Amazon's are."""
    builder = _with_addresses(_authority(subject, key, path_length, issuer))
    return builder.add_extension(_issued_by(issuer_key), critical=False).sign(issuer_key, hashes.SHA256())


def server(
    hosts: tuple[str, ...], key: PublicKey, issuer: x509.Name, issuer_key: Key, as_amazon: bool
) -> x509.Certificate:
    """A server's certificate for names and IP addresses; `as_amazon`: with all that one of theirs has."""
    builder = _builder(name(hosts[0][:64]), issuer, key)
    builder = builder.add_extension(alternative_names(hosts), critical=False)
    if as_amazon:
        builder = _with_addresses(builder)
    usage = _usage(digital_signature=True, key_encipherment=as_amazon)
    return _finish(builder, usage, ExtendedKeyUsageOID.SERVER_AUTH, issuer_key)


def device(key: PublicKey, issuer: x509.Name, issuer_key: Key) -> x509.Certificate:
    """A device's certificate."""
    builder = _builder(name("AWS IoT Certificate"), issuer, key)
    return _finish(builder, _usage(digital_signature=True), ExtendedKeyUsageOID.CLIENT_AUTH, issuer_key)


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


def _authority(
    subject: x509.Name, key: PublicKey, path_length: int | None, issuer: x509.Name
) -> x509.CertificateBuilder:
    return (
        _builder(subject, issuer, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )


def _finish(
    builder: x509.CertificateBuilder, usage: x509.KeyUsage, extended: x509.ObjectIdentifier, issuer_key: Key
) -> x509.Certificate:
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
        .add_extension(_issued_by(issuer_key), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: PublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _with_addresses(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    """Add where a certificate of Amazon's says more is to be had: it is a quarter of its size.

    Nobody is at these addresses (RFC 2606).
    """
    ocsp, issuer, revoked = (
        x509.UniformResourceIdentifier(f"http://{host}.local-aws-iot-core.invalid/{file}")
        for host, file in (("ocsp", ""), ("crt", "issuer.cer"), ("crl", "issuer.crl"))
    )
    access = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, ocsp),
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, issuer),
    ]
    point = x509.DistributionPoint([revoked], relative_name=None, reasons=None, crl_issuer=None)
    policy = x509.PolicyInformation(CertificatePoliciesOID.ANY_POLICY, None)
    return (
        builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
        .add_extension(x509.CertificatePolicies([policy]), critical=False)
    )


def _issued_by(key: Key) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(**granted: bool) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
        "crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: granted.get(name, False) for name in every.split()})
