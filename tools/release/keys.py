"""Keys that sign: in an encrypted file, a token, or AWS KMS. What else signs brings its signature along."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tools.board.errors import BoardError
from tools.thing.failures import explained

from . import asking, hsm
from .manifest import FormError
from .roots import public_bytes
from .signatures import is_good

PASSPHRASE = "RELEASE_PASSPHRASE"  # noqa: S105  the environment's
KMS = "awskms:"
_PASSPHRASE_MIN = 12
_REMEDY = f"Name a key of P-256: its file, {hsm.SCHEME}…, {KMS}KEY-ID, or what keygen printed."


@dataclass(frozen=True)
class Signer:
    """A key's public half, and what makes its signature of a text, in DER."""

    public: bytes
    sign: Callable[[bytes], bytes]


class Keys:
    """The keys that a user names; those in KMS with what boto3 finds, or with these.

    Args:
        profile: of AWS's configuration.
        region: of AWS.
    """

    def __init__(self, profile: str | None = None, region: str | None = None) -> None:
        self._aws = {"profile_name": profile, "region_name": region}

    def public(self, name: str) -> bytes:
        """A key's public half: of base64, of a file with either half in PEM, in a token or in KMS.

        Raises BoardError.
        """
        if name.startswith(KMS):
            return self._in_kms(name).public
        if name.startswith(hsm.SCHEME):
            return hsm.place(name).public()
        with suppress(FormError):
            return public_bytes(name)
        pem = _read(name)
        if b"PRIVATE KEY" in pem:
            return public_of(_private(name, pem).public_key())
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise BoardError(f"{name}: no public key in PEM", _REMEDY) from None
        return public_of(_of_p256(name, key, ec.EllipticCurvePublicKey))

    def signer(self, name: str) -> Signer:
        """A key that signs: a file or a token, whose secret is asked for, or in KMS. Raises BoardError."""
        if name.startswith(hsm.SCHEME):
            there = hsm.place(name)
            one = Signer(there.public(), there.sign)
        else:
            one = self._in_kms(name) if name.startswith(KMS) else _in_file(name)

        def sign(text: bytes) -> bytes:
            der = one.sign(text)
            if not is_good(one.public, text, der):
                raise BoardError(f"{name}: its signature is not good", "What holds this key is broken.")
            return der

        return Signer(one.public, sign)

    def _in_kms(self, name: str) -> Signer:
        with explained("AWS"):
            session = boto3.Session(**self._aws)
            config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10)
            kms = session.client("kms", config=config)
        key_id = name.removeprefix(KMS)
        with explained("AWS", "kms"):
            found = kms.get_public_key(KeyId=key_id)
        if found["KeySpec"] != "ECC_NIST_P256" or found["KeyUsage"] != "SIGN_VERIFY":
            text = f"{name}: a key {found['KeySpec']} for {found['KeyUsage']}"
            raise BoardError(text, "Make one for SIGN_VERIFY, of ECC_NIST_P256.")
        key = _of_p256(name, serialization.load_der_public_key(found["PublicKey"]), ec.EllipticCurvePublicKey)

        def sign(text: bytes) -> bytes:
            digest = hashlib.sha256(text).digest()
            with explained("AWS", "kms"):
                answer = kms.sign(
                    KeyId=key_id, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
                )
            return bytes(answer["Signature"])

        return Signer(public_of(key), sign)


def public_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The 65 bytes of a public key."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def new_passphrase() -> bytes:
    """What is to open a new key: of the environment, or asked for twice. Raises BoardError."""
    passphrase = _passphrase("Passphrase for the new key: ")
    if len(passphrase) < _PASSPHRASE_MIN:
        text = f"a passphrase of {len(passphrase)} characters: at least {_PASSPHRASE_MIN} are needed"
        raise BoardError(text, "Take some words that nobody has said.")
    if PASSPHRASE not in os.environ and _passphrase("Once more: ") != passphrase:
        raise BoardError("the two passphrases differ", "Begin again.")
    return passphrase.encode()


def _passphrase(prompt: str) -> str:
    return asking.secret(PASSPHRASE, "a passphrase", prompt)


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise BoardError(f"{name}: {error.strerror}", _REMEDY) from None


def _in_file(name: str) -> Signer:
    key = _private(name, _read(name))

    def sign(text: bytes) -> bytes:  # by RFC 6979: the same text has the same signature
        return key.sign(text, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    return Signer(public_of(key.public_key()), sign)


def _private(name: str, pem: bytes) -> ec.EllipticCurvePrivateKey:
    if b"PRIVATE KEY" not in pem:
        raise BoardError(f"{name}: no private key in PEM", _REMEDY)
    passphrase = _passphrase(f"Passphrase of {name}: ").encode() if b"ENCRYPTED" in pem else None
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BoardError(f"{name}: does not open", "Is the passphrase right, and the file whole?") from None
    return _of_p256(name, key, ec.EllipticCurvePrivateKey)


def _of_p256(name: str, key: Any, kind: Any) -> Any:
    if not isinstance(key, kind) or not isinstance(key.curve, ec.SECP256R1):
        raise BoardError(f"{name}: no key of P-256", _REMEDY)
    return key
