"""Signatures: lines of text, whose they are, whether they are good, and which are missing."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from .manifest import FormError
from .roots import Root, key_id

SIGNATURES_MAX = 10  # that a device looks at
_DER_MAX = 72
_LINE = re.compile(r"([0-9a-f]{8}):([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True)
class Signature:
    """One key's, by its id; `der` as ECDSA's signatures are encoded."""

    key_id: str
    der: bytes

    def __str__(self) -> str:
        return f"{self.key_id}:{base64.b64encode(self.der).decode()}"


def read(lines: Iterable[str]) -> list[Signature]:
    """The signatures of such lines. Raises FormError."""
    found = []
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        whole = match is not None and len(match[2]) % 4 == 0
        one = Signature(match[1], base64.b64decode(match[2])) if match and whole else None
        if not one or str(one) != line or len(one.der) > _DER_MAX:
            raise FormError(f"signature {number}: not ID:BASE64")
        found.append(one)
    if len(found) > SIGNATURES_MAX:
        raise FormError(f"{len(found)} signatures: a device looks at {SIGNATURES_MAX}")
    return found


def is_good(key: bytes, text: bytes, der: bytes) -> bool:
    """Whether this is the key's signature of the text."""
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    try:
        public.verify(der, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True)
class Standing:
    """How far a root's keys have signed; `good` are the ids of those that have, once each."""

    root: Root
    good: list[str]

    @property
    def missing(self) -> list[str]:
        """Ids of the keys that have not signed."""
        return [one for one in self.root.ids if one not in self.good]

    @property
    def is_complete(self) -> bool:
        """Whether enough have."""
        return len(self.good) >= self.root.threshold

    def __str__(self) -> str:
        told = f"{len(self.good)} of {self.root.threshold} signatures"
        if not self.is_complete:
            told += f"; missing: {self.root.threshold - len(self.good)} of {', '.join(self.missing)}"
        return told


def standing(root: Root, text: bytes, signatures: Iterable[Signature]) -> Standing:
    """Which of the root's keys have signed the text."""
    given = list(signatures)
    good = [
        key_id(key)
        for key in root.keys
        if any(one.key_id == key_id(key) and is_good(key, text, one.der) for one in given)
    ]
    return Standing(root, good)
