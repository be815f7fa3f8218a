"""Keys that sign updates, by `cryptography`: an independent judge of the device's arithmetic."""

import base64
import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ALGORITHM = ec.ECDSA(hashes.SHA256())


class Signer:
    """A new key pair.

    Attributes:
        public: 65 bytes.
        name: what signatures call it.
        line: of a root.
    """

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        public_key = self._private.public_key()
        self.public = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.name = hashlib.sha256(self.public).hexdigest()[:8]
        self.line = f"key {base64.b64encode(self.public).decode()}\n"

    def sign(self, text: str) -> str:
        return f"{self.name}:{base64.b64encode(self.sign_bytes(text.encode())).decode()}"

    def sign_bytes(self, data: bytes) -> bytes:
        """A DER."""
        return self._private.sign(data, _ALGORITHM)

    def has_signed(self, text: str, signature: str) -> bool:
        try:
            der = base64.b64decode(signature.partition(":")[2])
            self._private.public_key().verify(der, text.encode(), _ALGORITHM)
        except (ValueError, InvalidSignature):
            return False
        return True


def root_of(product: str, signers: Iterable[Signer], threshold: int, version: int = 1) -> str:
    """The text of a root."""
    lines = "".join(signer.line for signer in signers)
    return f"iot-root 1\nproduct {product}\nversion {version}\nthreshold {threshold}\n{lines}"
