"""Keys that never leave a smart card or an HSM: by PKCS#11, and called by its URIs (RFC 7512)."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tools.board.errors import BoardError

from . import asking

SCHEME = "pkcs11:"
PIN = "RELEASE_PIN"  # the environment's
MODULE = "PKCS11_MODULE"  # the same
_CURVE = bytes.fromhex("06082a8648ce3d030107")  # P-256's name in DER
_POINT_BYTES = 65
_PACKAGE = "python-pkcs11"
_FORM = f"As {SCHEME}token=TOKEN;object=KEY, with % and two digits for what is special."
_LOCKS = ("the PIN is wrong", "After some more wrong ones the token locks itself.")
_TOLD = {  # by python-pkcs11's errors, what it is and what to do
    "NoSuchToken": (
        "there is no such token",
        "Is it plugged in, and its name right? pkcs11-tool -L lists them.",
    ),
    "MultipleTokensReturned": ("there are several such tokens", "Say which: serial=…."),
    "NoSuchKey": ("the token has no such key, or not its public half", "pkcs11-tool -O lists what it has."),
    "MultipleObjectsReturned": ("the token has several such keys", "Say which: id=%01."),
    "PinIncorrect": _LOCKS,
    "PinLenRange": _LOCKS,
    "PinLocked": ("the token has locked itself", "Its security officer can open it."),
}


@dataclass(frozen=True)
class Place:
    """Where a key is.

    Attributes:
        name: its URI.
        token: by what the token is found, as python-pkcs11 takes it.
        key: the same of the key.
        module: the file of the library that speaks to the token.
    """

    name: str
    token: dict[str, str]
    key: dict[str, Any]
    module: str

    def public(self) -> bytes:
        """The 65 bytes of its public half. Raises BoardError."""
        with _session(self) as (pkcs11, session):
            found = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, **self.key)
            return self._point(pkcs11, found)

    def sign(self, text: bytes) -> bytes:
        """Its signature of a text, in DER; asks for the PIN. Raises BoardError."""
        with _session(self, with_pin=True) as (pkcs11, session):
            key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, **self.key)
            made = key.sign(hashlib.sha256(text).digest(), mechanism=pkcs11.Mechanism.ECDSA)
        half = len(made) // 2
        return encode_dss_signature(int.from_bytes(made[:half], "big"), int.from_bytes(made[half:], "big"))

    def generate(self) -> bytes:
        """Makes a key there, and returns its public half. Raises BoardError, also where there is one."""
        with _session(self, with_pin=True, is_new=True) as (pkcs11, session):
            if list(session.get_objects(self._attributes(pkcs11))):
                raise BoardError(
                    f"{self.name}: is there already", "Choose another name; no key is ever overwritten."
                )
            curve = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: _CURVE}, local=True
            )
            public, _ = curve.generate_keypair(store=True, **self.key)
            return self._point(pkcs11, public)

    def _attributes(self, pkcs11: ModuleType) -> dict[Any, Any]:
        names = {"label": pkcs11.Attribute.LABEL, "id": pkcs11.Attribute.ID}
        return {names[name]: value for name, value in self.key.items()}

    def _point(self, pkcs11: ModuleType, key: Any) -> bytes:
        if key.key_type != pkcs11.KeyType.EC or bytes(key[pkcs11.Attribute.EC_PARAMS]) != _CURVE:
            raise BoardError(f"{self.name}: no key of P-256", "Name one that is.")
        return bytes(key[pkcs11.Attribute.EC_POINT])[-_POINT_BYTES:]  # behind the head of an octet string


def place(name: str) -> Place:
    """What a URI names. Raises BoardError where it is none of a key's, or has a PIN in it."""
    path, _, query = name.removeprefix(SCHEME).partition("?")
    token: dict[str, str] = {}
    key: dict[str, Any] = {}
    module = os.environ.get(MODULE, "")
    for part in filter(None, [*path.split(";"), *query.split("&")]):
        word, _, value = part.partition("=")
        match word:
            case "token":
                token["token_label"] = unquote(value)
            case "serial":
                token["token_serial"] = unquote(value)
            case "object":
                key["label"] = unquote(value)
            case "id":
                key["id"] = unquote_to_bytes(value)
            case "module-path":
                module = unquote(value)
            case "type":  # of both halves one or the other is meant
                pass
            case "pin-value" | "pin-source":
                raise BoardError(
                    f"{SCHEME}…: {word}: others see what a command is called with",
                    f"Leave it out: the PIN is asked for, or comes from {PIN}.",
                )
            case _:
                raise BoardError(f"{SCHEME}…: {word}: not known here", _FORM)
    if not token or not key:
        raise BoardError(f"{name}: names no {'key' if token else 'token'}", _FORM)
    if not module:
        raise BoardError(
            f"{name}: which library speaks to that token?",
            f"Say it by …?module-path=FILE.so, or by {MODULE} in the environment.",
        )
    return Place(name, token, key, module)


@contextmanager
def _session(at: Place, with_pin: bool = False, is_new: bool = False) -> Iterator[tuple[ModuleType, Any]]:
    """python-pkcs11, and a session with the token; its errors are BoardError."""
    try:
        import pkcs11  # noqa: PLC0415  few need it
    except ImportError:
        raise BoardError(
            f"Python's package {_PACKAGE} is missing, which speaks to tokens",
            "pip install 'esp32-aws-iot[pkcs11]'; make setup does it.",
        ) from None
    try:
        found = pkcs11.lib(at.module).get_token(**at.token)
        pin = asking.secret(PIN, "a PIN", f"PIN of {found.label}: ") if with_pin else None
        with found.open(rw=is_new, user_pin=pin) as session:
            yield pkcs11, session
    except (
        pkcs11.PKCS11Error,
        RuntimeError,
        OSError,
    ) as error:  # a library that does not load is no PKCS11Error
        kind = type(error).__name__
        text, remedy = _TOLD.get(kind, (f"{error}" or kind, f"Is {at.module} the token's library?"))
        raise BoardError(f"{at.name}: {text}", remedy) from None
