"""A root, written and read: whose signatures count. docs/updates.md has the form."""

import ast
import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from tools.board.errors import BoardError, writing

from .manifest import COUNTER_MAX, PRODUCT, FormError, Lines, check, limited

KEYS_MAX = 5
KEY_BYTES = 65  # 04 X Y
_BYTES_MAX = 1024
_FORM = "1"
_NUMBER = r"[1-9][0-9]{0,9}"
_THRESHOLD = f"[1-{KEYS_MAX}]"
_KEY = r"[A-Za-z0-9+/]{87}="
_MAKE = "Make one: python3 -m tools release root make --help tells how."
_SOURCE = '''"""Whose signatures make an update of this product. `python3 -m tools release root` writes it."""

ROOT = """\\
{}"""
'''


@dataclass(frozen=True)
class Root:
    """Whose signatures count.

    Args:
        product: for whose updates.
        version: 1, and one more with each that replaces another.
        threshold: how many keys must have signed.
        keys: P-256 public keys, 65 bytes each.
    """

    product: str
    version: int
    threshold: int
    keys: tuple[bytes, ...]

    def text(self) -> bytes:
        """The bytes that are signed. Raises FormError where a member is none that a device takes."""
        encoded = [base64.b64encode(key).decode() for key in self.keys]
        lines = [("iot-root", _FORM), ("product", self.product), ("version", str(self.version))]
        lines += [("threshold", str(self.threshold)), *(("key", key) for key in encoded)]
        check("product", self.product, PRODUCT)
        check("version", str(self.version), _NUMBER)
        check("threshold", str(self.threshold), _THRESHOLD)
        for key, text in zip(self.keys, encoded, strict=True):
            check_key(key, f"key {text}")
        if self.version > COUNTER_MAX:
            raise FormError(f"version {self.version}: at most {COUNTER_MAX}")
        if not 1 <= len(self.keys) <= KEYS_MAX or len(set(self.keys)) < len(self.keys):
            raise FormError(f"key: 1 to {KEYS_MAX}, none twice")
        if self.threshold > len(self.keys):
            raise FormError(f"threshold {self.threshold}: there are {len(self.keys)} keys")
        if len(set(self.ids)) < len(self.keys):
            raise FormError("key: two of them have one id; make another")
        return limited("".join(f"{name} {value}\n" for name, value in lines).encode("ascii"), _BYTES_MAX)

    @property
    def ids(self) -> list[str]:
        """Of its keys."""
        return [key_id(key) for key in self.keys]


def read(text: bytes) -> Root:
    """The root of these bytes. Raises FormError where it deviates from the form in anything."""
    lines = Lines(limited(text, _BYTES_MAX))
    lines.take("iot-root", _FORM)
    product, version = lines.take("product", PRODUCT), lines.take("version", _NUMBER)
    threshold, keys = lines.take("threshold", _THRESHOLD), []
    while lines.next == "key":
        keys.append(public_bytes(lines.take("key", _KEY)))
    lines.end()
    root = Root(product, int(version), int(threshold), tuple(keys))
    if root.text() != text:
        raise FormError("not written as a root is")
    return root


def public_bytes(text: str) -> bytes:
    """A public key's bytes, of base64. Raises FormError."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormError(f"key {text[:100]!r}: no base64") from None
    check_key(key, f"key {text[:100]}")
    return key


def check_key(key: bytes, name: str) -> None:
    """Raise FormError where this is no point of P-256 in 65 bytes."""
    try:
        if len(key) != KEY_BYTES:
            raise ValueError
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        raise FormError(f"{name}: no public key of P-256") from None


def key_id(key: bytes) -> str:
    """What a signature calls a key."""
    return hashlib.sha256(key).hexdigest()[:8]


def load(path: Path) -> Root:
    """The root in a module as firmware/update_root.py, or in a file of its own. Raises BoardError."""
    try:
        text = path.read_bytes()
        return read(_value(text) if path.suffix == ".py" else text)
    except FileNotFoundError:
        raise BoardError(f"{path}: this product has no root", _MAKE) from None
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}", "Name a file that can be read.") from None
    except (FormError, SyntaxError) as error:
        raise BoardError(f"{path}: no root: {error}", _MAKE) from None


def _value(source: bytes) -> bytes:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if names == ["ROOT"] and isinstance(node.value.value, str):
                return node.value.value.encode()
    raise FormError("ROOT is not there")


def save(path: Path, root: Root) -> None:
    """Write a root: as the module that a device takes its first one from, or where it is no *.py, alone."""
    text = root.text().decode()
    if path.suffix == ".py":
        text = _SOURCE.format(text)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
