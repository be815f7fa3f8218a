"""A private key as a file has it: PKCS#8 in PEM, encrypted by PBES2 (RFC 5958, RFC 8018)."""

import base64
import hashlib
import os
import textwrap

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_ROUNDS = 600_000  # of PBKDF2-HMAC-SHA256; a fifth of a second
_PBES2, _PBKDF2, _HMAC_SHA256, _AES256_CBC = (
    bytes.fromhex(oid)
    for oid in ("2a864886f70d01050d", "2a864886f70d01050c", "2a864886f70d0209", "60864801650304012a")
)
_INTEGER, _OCTETS, _NULL, _OID, _SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30


def sealed(key: ec.EllipticCurvePrivateKey, passphrase: bytes) -> bytes:
    """The key's file; whatever reads PKCS#8 opens it with the passphrase.

    What `cryptography` writes by itself has OpenSSL's 2,048 rounds, too few to hold up a guess.
    """
    salt, vector = os.urandom(16), os.urandom(16)
    secret = hashlib.pbkdf2_hmac("sha256", passphrase, salt, _ROUNDS, 32)
    pad = padding.PKCS7(algorithms.AES256.block_size).padder()
    plain = pad.update(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())) + pad.finalize()
    encrypt = Cipher(algorithms.AES256(secret), modes.CBC(vector)).encryptor()
    data = encrypt.update(plain) + encrypt.finalize()
    hmac = _der(_SEQUENCE, _der(_OID, _HMAC_SHA256), _der(_NULL))
    rounds = _der(_INTEGER, _ROUNDS.to_bytes(3, "big"))
    kdf = _der(_SEQUENCE, _der(_OID, _PBKDF2), _der(_SEQUENCE, _der(_OCTETS, salt), rounds, hmac))
    scheme = _der(_SEQUENCE, _der(_OID, _AES256_CBC), _der(_OCTETS, vector))
    algorithm = _der(_SEQUENCE, _der(_OID, _PBES2), _der(_SEQUENCE, kdf, scheme))
    text = base64.b64encode(_der(_SEQUENCE, algorithm, _der(_OCTETS, data))).decode()
    lines = "\n".join(textwrap.wrap(text, 64))
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{lines}\n-----END ENCRYPTED PRIVATE KEY-----\n".encode()


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    return bytes([tag, size] if size < 128 else [tag, 0x81, size]) + content
