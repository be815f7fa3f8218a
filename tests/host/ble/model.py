"""docs/ble.md once more: the device's half of a session, made from the document and not from the code."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

CODE = "ABCDEFGHJKMN"
INFO = b"esp32-aws-iot ble 1"

# P-256: SEC 2, 2.4.2.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope**2 - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(number: int, point: Point) -> tuple[int, int]:
    result: Point = None
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    assert result
    return result


def encode(point: tuple[int, int]) -> bytes:
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def sha256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def keys(private: int, peer: bytes, salt: bytes, code: str) -> list[bytes]:
    x, y = (int.from_bytes(half, "big") for half in (peer[1:33], peer[33:]))
    z = multiply(private, (x, y))[0].to_bytes(32, "big")
    prk = sha256(salt, z + code.encode("ascii"))
    blocks = [b""]
    for number in range(1, 7):
        blocks.append(sha256(prk, blocks[-1] + INFO + bytes([number])))
    return blocks[1:]


def seal(encryption: bytes, authentication: bytes, channel: int, counter: int, data: bytes) -> bytes:
    start = counter.to_bytes(4, "big")
    cipher = Cipher(AES(encryption), ECB()).encryptor()
    stream = b"".join(
        cipher.update(start + bytes(8) + n.to_bytes(4, "big")) for n in range(len(data) // 16 + 1)
    )
    sealed = start + bytes(a ^ b for a, b in zip(data, stream, strict=False))
    return sealed + sha256(authentication, bytes([channel]) + sealed)[:16]


class Half:
    """A device with a fixed key, which answers as the document says; `keys` in the document's order."""

    def __init__(self, private: int = 2, code: str = CODE) -> None:
        self.private = private
        self.code = code
        self.public = encode(multiply(private, G))
        self.sent = self.received = 0
        self.salt = b""
        self.keys: list[bytes] = []

    def on_hello(self, message: bytes) -> bytes:
        assert message[:2] == b"\x01\x01" and len(message) == 67
        self.salt = message[2:] + self.public
        self.keys = keys(self.private, message[2:], self.salt, self.code)
        self.sent = self.received = 0
        return b"\x01\x01" + self.public

    def on_proof(self, message: bytes) -> bytes | None:
        """The device's proof, None where the phone's is wrong."""
        if message != b"\x02" + sha256(self.keys[0], self.salt):
            return None
        return b"\x02" + sha256(self.keys[1], self.salt)

    def seal(self, channel: int, plaintext: bytes) -> bytes:
        message = seal(self.keys[4], self.keys[5], channel, self.sent, plaintext)
        self.sent += 1
        return message

    def open(self, channel: int, message: bytes) -> bytes:
        counter = int.from_bytes(message[:4], "big")
        plaintext = seal(self.keys[2], self.keys[3], channel, counter, message[4:-16])[4:-16]
        right = seal(self.keys[2], self.keys[3], channel, self.received, plaintext)
        if message != right:
            raise ValueError("not the next message")
        self.received += 1
        return plaintext
