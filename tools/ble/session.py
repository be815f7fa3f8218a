"""The phone's half of a session (docs/ble.md, The session): keys from code and key exchange, sealed messages.

Pure: messages in, messages out. One Session is one connection.
"""

import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .errors import BleError, LinkLost, refusal
from .protocol import VERSION, result_name

_HELLO, _PROOF, _REFUSED = 0x01, 0x02, 0xFF
_INFO = b"esp32-aws-iot ble 1"
_POINT_BYTES = 65
_KEY_BYTES = 32
_COUNTER_BYTES = 4
_TAG_BYTES = 16
_CODE_LENGTH = 12
_ALPHABET = frozenset("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None})
_FORGED = "Make sure that no other device of its name is near, and try again."


def normalise_code(text: str) -> str:
    """The code as the session uses it, from the way a person writes it; BleError where it is none."""
    code = "".join(text.split()).upper().translate(_LOOKALIKES)
    if len(code) != _CODE_LENGTH or not _ALPHABET.issuperset(code):
        raise BleError(
            "that is not a device's code",
            "It has 12 letters and digits, as on the device's label: ABCD-EFGH-JKMN",
            "INVALID_VALUE",
        )
    return code


def new_code() -> str:
    """A code for a label that nobody can guess, as a device makes its own."""
    return "".join(secrets.choice(sorted(_ALPHABET)) for _ in range(_CODE_LENGTH))


def spell_code(text: str) -> str:
    """The code as people see it: `ABCD-EFGH-JKMN`."""
    code = normalise_code(text)
    return "-".join((code[:4], code[4:8], code[8:]))


def refused(message: bytes) -> BleError | None:
    """What a message on AUTH says where it is a refusal, else None."""
    if len(message) == 2 and message[0] == _REFUSED:
        return refusal(result_name(message[1]))
    return None


class Session:
    """One connection's keys: `hello`, `on_hello`, `proof`, `on_proof` in this order, then `seal` and `open`.

    Args:
        code: the device's, in any spelling.
        private_key: for this session alone; a fresh one by default.

    Raises:
        BleError: it is no code; and from all that takes a message, where the device refuses or does not know
            the code, or a message was lost (LinkLost). The session is then over.
    """

    def __init__(self, code: str, private_key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._code = normalise_code(code).encode()
        self._private_key = private_key or ec.generate_private_key(ec.SECP256R1())
        self._public_key = self._private_key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        self._salt = b""
        self._keys: tuple[bytes, ...] = ()
        self._sent = self._received = 0
        self._proven = False

    def hello(self) -> bytes:
        """The first message on AUTH."""
        return bytes((_HELLO, VERSION)) + self._public_key

    def on_hello(self, message: bytes) -> None:
        """Take the device's hello: the keys are there."""
        body = _body(message, _HELLO)
        if body[:1] != bytes((VERSION,)):
            raise refusal("UNSUPPORTED_VERSION")
        try:
            if len(body) != 1 + _POINT_BYTES:
                raise ValueError
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), body[1:])
        except ValueError:
            raise _forged("the device's key is none") from None
        self._salt = self._public_key + body[1:]
        okm = HKDF(SHA256(), 6 * _KEY_BYTES, self._salt, _INFO).derive(
            self._private_key.exchange(ec.ECDH(), point) + self._code
        )
        self._keys = tuple(okm[start : start + _KEY_BYTES] for start in range(0, len(okm), _KEY_BYTES))

    def proof(self) -> bytes:
        """The second message on AUTH."""
        return bytes((_PROOF,)) + _hmac(self._keys[0], self._salt)

    def on_proof(self, message: bytes) -> None:
        """Check the device's proof: messages can be sealed."""
        if not hmac.compare_digest(_body(message, _PROOF), _hmac(self._keys[1], self._salt)):
            raise _forged("what answers does not know the code: it is not your device")
        self._proven = True

    def seal(self, channel: int, plaintext: bytes) -> bytes:
        """The next message to the device, on a characteristic (1 to 4)."""
        assert self._proven
        counter = self._sent.to_bytes(_COUNTER_BYTES, "big")
        self._sent += 1
        _, _, encryption, authentication, _, _ = self._keys
        sealed = counter + _aes_ctr(encryption, counter, plaintext)
        return sealed + _tag(authentication, channel, sealed)

    def open(self, channel: int, message: bytes) -> bytes:
        """The plaintext of the device's next message; BleError where it is not just that."""
        if not self._proven:
            raise _forged("the device sends before it has proven that it knows the code")
        sealed, tag = message[:-_TAG_BYTES], message[-_TAG_BYTES:]
        counter = self._received.to_bytes(_COUNTER_BYTES, "big")
        _, _, _, _, encryption, authentication = self._keys
        if not hmac.compare_digest(tag, _tag(authentication, channel, sealed)):
            raise _forged("a message did not come from your device, or was changed on the way")
        if sealed[:_COUNTER_BYTES] != counter:
            raise LinkLost("a message of the device was lost on the way, or came twice")
        self._received += 1
        return _aes_ctr(encryption, counter, sealed[_COUNTER_BYTES:])


def _body(message: bytes, kind: int) -> bytes:
    if error := refused(message):
        raise error
    if message[:1] != bytes((kind,)):
        raise _forged("the device answers what makes no sense")
    return message[1:]


def _forged(text: str) -> BleError:
    return BleError(text, _FORGED, "ACCESS_DENIED")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _tag(key: bytes, channel: int, sealed: bytes) -> bytes:
    return _hmac(key, bytes((channel,)) + sealed)[:_TAG_BYTES]


def _aes_ctr(key: bytes, counter: bytes, data: bytes) -> bytes:
    """Encrypts and decrypts."""
    cipher = Cipher(AES(key), CTR(counter + bytes(16 - _COUNTER_BYTES))).encryptor()
    return cipher.update(data) + cipher.finalize()
