"""What mbedTLS finds wrong with a server's certificates, and how it says so.

OpenSSL stops at the first fault, and has other rules for names, for uses and for what may be trusted.
"""

import socket

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tools.sim.cpython.certificates import fault, loads_key

# Faults.
_EXPIRED = "The certificate validity has expired"
_WRONG_NAME = "The certificate Common Name (CN) does not match with the expected CN"
_NOT_TRUSTED = "The certificate is not correctly signed by the trusted CA"
_FUTURE = "The certificate validity starts in the future"
_WRONG_USE = "Usage does not match the extendedKeyUsage extension"
_BAD_HASH = "The certificate is signed with an unacceptable hash."
_BAD_KEY = "The certificate is signed with an unacceptable key (eg bad curve, RSA too short)."
_AS_TOLD = (_EXPIRED, _WRONG_NAME, _NOT_TRUSTED, _FUTURE, _WRONG_USE, _BAD_HASH, _BAD_KEY)
_TEXT_LIMIT = 256  # bytes that MicroPython has for them, with the last zero
_VERIFY_FAILED = -0x2700, "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"
_BAD_CERTIFICATE = -0x7A00, "MBEDTLS_ERR_SSL_BAD_CERTIFICATE"
_NO_TRUST = -0x7680, "MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED"
_CONN_EOF = -0x7280
# Alerts of RFC 5246, section 7.2, for the first fault here that there is.
_ALERTS = ((_WRONG_NAME, 42), (_WRONG_USE, 43), (_BAD_KEY, 43), (_EXPIRED, 45), (_NOT_TRUSTED, 48))
_CERTIFICATE_UNKNOWN = 46
_HASHES = ("sha256", "sha384", "sha512")
_RSA_LEAST_BITS = 2048


class MbedTlsError(OSError):
    """An OSError with a number of mbedTLS's, which prints as MicroPython's does."""

    def __init__(self, number, *name):
        super().__init__(number, *name)
        self.errno = number  # CPython sets none where there are no words

    def __str__(self):
        return str(self.args if len(self.args) > 1 else self.errno)


MbedTlsError.__name__ = "OSError"


class Refused(Exception):
    """mbedTLS refuses the server.

    Attributes:
        number: mbedTLS's, which is also what any later use of the socket says.
        alert: what the server is told, None: nothing.
        told: what MicroPython raises.
    """

    def __init__(self, number, alert, told):
        super().__init__(told)
        self.number, self.alert, self.told = number, alert, told


def parse(raw_chain):
    """The certificates that a server sent as DER; Refused where mbedTLS cannot read one, verified or not."""
    chain = []
    for raw in raw_chain:
        certificate = x509.load_der_x509_certificate(raw)
        found = fault(certificate)
        if found:
            raise Refused(found[0], 42, MbedTlsError(*found))
        chain.append(certificate)
    if not loads_key(chain[0].public_key()):  # it would not have come to that: they have no cipher in common
        raise Refused(_CONN_EOF, None, MbedTlsError(_CONN_EOF))
    return chain


def verify(chain, trusted, host, now):
    """Refused, unless the chain of certificates, the server's first, leads to one of `trusted`.

    Args:
        host: name or address that the server must have; None: any.
        now: the time, UTC.
    """
    faults = _faults_of_path(chain, trusted, now)
    if host is not None and not _is_called(chain[0], host):
        faults.add(_WRONG_NAME)
    if not _is_strong(chain[0].public_key()):
        faults.add(_BAD_KEY)
    found = _VERIFY_FAILED if faults else None
    if not _serves(chain[0]):
        faults.add(_WRONG_USE)
        found = found or _BAD_CERTIFICATE
    if not trusted:
        found = _NO_TRUST
    if not found:
        return
    alert = next((alert for name, alert in _ALERTS if name in faults), _CERTIFICATE_UNKNOWN)
    text = "".join(f"\n{name}\n" for name in _AS_TOLD if name in faults)
    is_told = found == _VERIFY_FAILED and len(text) < _TEXT_LIMIT
    raise Refused(found[0], alert, ValueError(text) if is_told else MbedTlsError(*found))


def _faults_of_path(chain, trusted, now):
    """Faults on the way from the server's certificate to the first trusted one."""
    faults = set()
    child, rest, length, renewed = chain[0], chain[1:], 0, 0
    while True:
        faults |= _faults_of_dates(child, now)
        if child.signature_hash_algorithm is None or child.signature_hash_algorithm.name not in _HASHES:
            faults.add(_BAD_HASH)
        is_self_issued = child.issuer == child.subject
        if not length and is_self_issued and child in trusted:
            return faults
        above = length - renewed
        root, _ = _find_issuer(child, trusted, now, above, must_fit=True)
        parent, fits = (root, True) if root else _find_issuer(child, rest, now, above)
        if not parent:
            return faults | {_NOT_TRUSTED}
        if not fits:
            faults.add(_NOT_TRUSTED)
        if not _is_strong(parent.public_key()):
            faults.add(_BAD_KEY)
        if root:
            return faults | _faults_of_dates(root, now)
        renewed += bool(length and is_self_issued)
        child, rest, length = parent, rest[rest.index(parent) + 1 :], length + 1


def _find_issuer(child, candidates, now, above, must_fit=False):
    """(issuer, whether its key made the signature): the first that is valid now, else the first, else None.

    above: certificates between the server's and the issuer. must_fit: none whose key did not.
    """
    found = None, False
    for candidate in candidates:
        if candidate.subject != child.issuer or not _may_sign(candidate, above, must_fit):
            continue
        fits = _has_signed(candidate, child)
        if must_fit and not fits:
            continue
        if not _faults_of_dates(candidate, now):
            return candidate, fits
        if not found[0]:
            found = candidate, fits
    return found


def _faults_of_dates(certificate, now):
    faults = {_EXPIRED} if certificate.not_valid_after_utc < now else set()
    return faults | ({_FUTURE} if certificate.not_valid_before_utc > now else set())


def _may_sign(certificate, above, is_trusted):
    if is_trusted and certificate.version == x509.Version.v1:  # which cannot say so
        return True
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if not constraints or not constraints.ca or (usage and not usage.key_cert_sign):
        return False
    return constraints.path_length is None or constraints.path_length >= above


def _has_signed(issuer, certificate):
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _is_strong(public_key):
    is_rsa = isinstance(public_key, rsa.RSAPublicKey)
    return loads_key(public_key) and (not is_rsa or public_key.key_size >= _RSA_LEAST_BITS)


def _serves(certificate):
    uses = _extension(certificate, x509.ExtendedKeyUsage)
    wanted = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    return uses is None or any(use in wanted for use in uses)


def _is_called(certificate, host):
    """Whether the certificate has this name; an address may stand as a DNS name too."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        subject = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return any(_matches(one.value, host) for one in subject)
    if any(_matches(name, host) for name in names.get_values_for_type(x509.DNSName)):
        return True
    addresses = [address.packed for address in names.get_values_for_type(x509.IPAddress)]
    return _packed(host) in addresses or host in names.get_values_for_type(x509.UniformResourceIdentifier)


def _matches(name, host):
    name, host = name.lower(), host.lower()
    label, dot, domain = host.partition(".")
    return name == host or (len(name) > 2 and bool(label and dot) and name == "*." + domain)


def _packed(host):
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return None


def _extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
