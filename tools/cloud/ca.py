"""The cloud's own certificate authority: its files, its keys, and what it signs."""

import ssl
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tools.atomic import write_atomic

from . import alerts, certificates
from .certificates import Key, PublicKey, alternative_names
from .database import StateError
from .errors import CertificateValidationException

# What the server shows in a handshake. "p256": its certificate, which the root has signed. "rsa": as Amazon's
# servers three of RSA-2048, which ask more of a small client.
ServerChain = Literal["p256", "rsa"]
CHAINS: tuple[ServerChain, ...] = ("p256", "rsa")

# What AWS takes ("Create client certificates": CSRs), and its API's limit on their length.
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_RSA_MIN_BITS = 2048
_MAX_REQUEST_CHARACTERS = 4096

_P256_ROOT = certificates.name("Local AWS IoT Core CA")
# About as long as Amazon's, since a client keeps the whole chain.
_RSA_ROOT = certificates.name("Local AWS IoT Core Root CA 1", "US", "Local")
_SERVER_CA = certificates.name("Local AWS IoT Core RSA 2048 Server CA", "US", "Local")
_OLD_ROOT = certificates.name(
    "Local AWS IoT Core Services Root Certificate Authority", "US", "Local", "Trusted before Root CA 1 was"
)


class Authority:
    """The CA whose files are in `folder`; made there when there is none.

    Args:
        folder: holds ca.pem, ca.key and the server's server.pem (certificates and key in one file). With the
            chain of RSA also chain.pem, which is shown behind the server's certificate: the CA that signed it
            (its key is server_ca.key), and the root as an older one signed it, which is old_root.pem.
        server_chain: what the server shows; keys made for devices are of its kind.

    Raises:
        StateError: the folder has the other chain.
        OSError, ValueError: a file is missing or damaged.
    """

    def __init__(self, folder: Path, server_chain: ServerChain = "p256") -> None:
        self._folder = folder
        self._server_chain = server_chain
        certificate, key = folder / "ca.pem", folder / "ca.key"
        if not certificate.exists():  # written last, so that its presence means that all are there
            made_key = self._new_key()
            write_atomic(key, _key_pem(made_key), 0o600)
            if server_chain == "rsa":
                self._make_chain(made_key)
                made = certificates.root(_RSA_ROOT, made_key, None)
            else:
                made = certificates.root(_P256_ROOT, made_key, 0)
            write_atomic(certificate, _pem(made))
        self._certificate = _load_certificate(certificate)
        self._key = _load_key(key, self._certificate)
        there = "rsa" if isinstance(self._key, rsa.RSAPrivateKey) else "p256"
        if there != server_chain:
            raise StateError(
                f"{folder} was made with the server chain {there}, whose root its devices trust; "
                f"start it with --server-chain {there}, or use another directory"
            )
        # What signs the server's certificate, and what is shown behind that.
        self._server_ca, self._server_ca_key, self._chain = self._certificate, self._key, b""
        if server_chain == "rsa":
            self._chain = (folder / "chain.pem").read_bytes()
            self._server_ca = _load_certificate(folder / "chain.pem")
            self._server_ca_key = _load_key(folder / "server_ca.key", self._server_ca)

    def _make_chain(self, root_key: Key) -> None:
        """Write what an RSA root needs beside it, once for each folder: the keys take time."""
        old_key, server_ca_key = self._new_key(), self._new_key()
        old = certificates.root(_OLD_ROOT, old_key, None)
        crossed = certificates.intermediate(_RSA_ROOT, root_key.public_key(), None, _OLD_ROOT, old_key)
        server_ca = certificates.intermediate(_SERVER_CA, server_ca_key.public_key(), 0, _RSA_ROOT, root_key)
        write_atomic(self._folder / "old_root.pem", _pem(old))  # its key has done all it is for
        write_atomic(self._folder / "server_ca.key", _key_pem(server_ca_key), 0o600)
        write_atomic(self._folder / "chain.pem", _pem(server_ca) + _pem(crossed))

    def _new_key(self) -> Key:
        if self._server_chain == "rsa":
            return rsa.generate_private_key(65537, 2048)
        return ec.generate_private_key(ec.SECP256R1())

    @staticmethod
    def chain_in(folder: Path) -> ServerChain | None:
        """The chain that the folder was made with, None where no cloud was."""
        if not (folder / "ca.pem").exists():
            return None
        return "rsa" if (folder / "chain.pem").exists() else "p256"

    @property
    def root_pem(self) -> str:
        return _pem(self._certificate).decode()

    def issue(self) -> tuple[str, str]:
        """A new key and the device certificate for it, as AWS makes them: (certificate PEM, key PEM)."""
        key = self._new_key()
        return self._device_certificate(key.public_key()), _key_pem(key).decode()

    def sign(self, request_pem: str) -> str:
        """The device certificate (PEM) for a signing request; raises CertificateValidationException."""
        return self._device_certificate(load_request(request_pem))

    def _device_certificate(self, public_key: PublicKey) -> str:
        return _pem(certificates.device(public_key, self._certificate.subject, self._key)).decode()

    def server_context(
        self, hosts: tuple[str, ...], mutual: bool = True, file: str = "server.pem"
    ) -> ssl.SSLContext:
        """A context (TLS 1.2 and later) whose certificate is for `hosts`, names and IP addresses.

        Args:
            hosts: at least one.
            mutual: clients must show a certificate of this CA.
            file: where its certificate and key are kept; of another one's hosts it is made anew.
        """
        path = self._folder / file
        if not path.exists() or not self._serves(path, hosts):
            key = self._new_key()
            made = certificates.server(
                hosts,
                key.public_key(),
                self._server_ca.subject,
                self._server_ca_key,
                self._server_chain == "rsa",
            )
            write_atomic(path, _pem(made) + self._chain + _key_pem(key), 0o600)
        context = alerts.Context(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(path)
        if mutual:
            context.load_verify_locations(cadata=self.root_pem)
            context.verify_mode = ssl.CERT_REQUIRED
        # No resumption: each connection shows its certificate anew, so that a deactivated one is out at once.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        return context

    def _serves(self, path: Path, hosts: tuple[str, ...]) -> bool:
        data = path.read_bytes()
        try:
            certificate = x509.load_pem_x509_certificate(data)
            certificate.verify_directly_issued_by(self._server_ca)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except Exception:  # damaged, or of another CA: it is made anew
            return False
        return names == alternative_names(hosts)


def load_request(pem: str) -> PublicKey:
    """The public key of a signing request whose owner has the private one; CertificateValidationException."""
    if len(pem) > _MAX_REQUEST_CHARACTERS:
        text = f"not a certificate signing request: more than {_MAX_REQUEST_CHARACTERS} characters"
        raise CertificateValidationException(text)
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        valid, key = request.is_signature_valid, request.public_key()
    except Exception as error:  # a stranger's bytes: whatever the parser makes of them is a refusal
        raise CertificateValidationException(f"not a certificate signing request: {error}") from None
    if not valid:
        raise CertificateValidationException("the signing request's signature is wrong")
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise CertificateValidationException(
                f"the key's curve is {key.curve.name}, not P-256, P-384 or P-521"
            )
        return key
    if not isinstance(key, rsa.RSAPublicKey):
        raise CertificateValidationException("the key is neither an elliptic curve one nor RSA")
    if key.key_size < _RSA_MIN_BITS:
        raise CertificateValidationException(f"the key has {key.key_size} bits, RSA needs {_RSA_MIN_BITS}")
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


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_certificate(path: Path) -> x509.Certificate:
    """A file's first certificate; OSError, ValueError."""
    data = path.read_bytes()
    try:
        certificate = x509.load_pem_x509_certificate(data)
        certificate.public_key()  # which is read as late as this
    except Exception as error:  # a damaged file: whatever the parser makes of it
        raise ValueError(f"{path}: not a certificate: {error}") from None
    return certificate


def _load_key(path: Path, certificate: x509.Certificate) -> Key:
    """The key that belongs to a certificate; OSError, ValueError, also if it is another's."""
    data = path.read_bytes()
    try:
        key = serialization.load_pem_private_key(data, None)
    except Exception as error:  # as above
        raise ValueError(f"{path}: not a private key: {error}") from None
    if not isinstance(key, Key):
        raise ValueError(f"{path}: neither an elliptic curve key nor RSA")
    if key.public_key() != certificate.public_key():
        subject = certificate.subject.rfc4514_string()
        raise ValueError(f"{path} does not belong to the certificate of {subject}")
    return key
