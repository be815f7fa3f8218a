"""The phone's half of docs/ble.md, made a second time for the tests: nothing here is from lib/iot/ble."""

import hashlib
import json

import cryptolib
from iot.crypto import hmac256, p256

CODE = "0123456789AB"
PRIVATE, DEVICE_PRIVATE = b"\x11" * 32, b"\x22" * 32
AUTH, CONFIG, STATUS, DATA = 1, 2, 3, 4
SUCCESS, IN_PROGRESS, CONFIG_DONE, ACCESS_DENIED = 0, 1, 2, 3
INVALID_REQUEST, MISSING_PACKETS, TOO_LARGE, LOCKED, UNSUPPORTED = 8, 9, 16, 18, 19
BEGIN, PIECE, COMMIT = b"\1", b"\2", b"\3"
GET, SCAN = b"\1", b"\2"


def frames(message, size=19):
    """A list of frames with `size` bytes of the message in each."""
    pieces = [message[i : i + size] for i in range(0, len(message), size)]
    result = []
    for i in range(len(pieces)):
        flags = (0x80 if i == 0 else 0) | (0x40 if i == len(pieces) - 1 else 0)
        result.append(bytes([flags | i % 64]) + pieces[i])
    return result


def begin(text):
    """The request that announces a document."""
    return BEGIN + len(text).to_bytes(4, "big") + hashlib.sha256(text).digest()


def piece(text, at, size=1024):
    """The request that carries the piece of a document that begins at `at`."""
    return PIECE + at.to_bytes(4, "big") + text[at : at + size]


class Keys:
    """A session's keys, which phone and device share, and what sealing makes of them."""

    def __init__(self, okm, sends=2, receives=4):
        self._keys = [okm[i : i + 32] for i in range(0, 192, 32)]
        self._sends, self._receives = sends, receives
        self.sent = self.received = 0

    def proof(self, number, salt):
        return hmac256.digest(self._keys[number], salt)

    def seal(self, channel, plaintext):
        """The next message to the other side."""
        head = self.sent.to_bytes(4, "big")
        self.sent += 1
        ciphertext = _ctr(self._keys[self._sends], head, plaintext)
        return head + ciphertext + self._tag(self._sends, channel, head + ciphertext)

    def open(self, channel, message):
        """The plaintext of the other side's next message, whose seal is right."""
        head, ciphertext, tag = message[:4], message[4:-16], message[-16:]
        assert head == self.received.to_bytes(4, "big"), "counter {}, not {}".format(head, self.received)
        assert tag == self._tag(self._receives, channel, head + ciphertext), "tag"
        self.received += 1
        return _ctr(self._keys[self._receives], head, ciphertext)

    def _tag(self, number, channel, body):
        return hmac256.digest(self._keys[number + 1], bytes([channel]) + body)[:16]


class Phone(Keys):
    """Makes the phone's messages on AUTH, then seals and opens."""

    def __init__(self, code=CODE, private=PRIVATE):
        self._code = code.encode()
        self._private = private

    async def hello(self):
        self._public = await p256.public(self._private)
        return b"\1\1" + self._public

    async def proof_for(self, hello):
        """The phone's proof, by the device's hello."""
        assert hello[:2] == b"\1\1" and len(hello) == 67, hello
        shared = await p256.ecdh(self._private, hello[2:])
        self.salt = self._public + hello[2:]
        okm = hmac256.expand(hmac256.digest(self.salt, shared + self._code), b"esp32-aws-iot ble 1", 192)
        super().__init__(okm)
        return b"\2" + self.proof(0, self.salt)

    def check(self, proof):
        """AssertionError where the device does not know the code."""
        assert proof == b"\2" + self.proof(1, self.salt), proof


def text_of(plaintext):
    """What an answer or a push says, as a dictionary."""
    return json.loads(plaintext)


def _ctr(key, head, data):
    """AES-256-CTR, a block at a time."""
    aes = cryptolib.aes(key, 1)
    result = b""
    for number in range((len(data) + 15) // 16):
        stream = aes.encrypt(head + bytes(8) + number.to_bytes(4, "big"))
        block = data[16 * number : 16 * number + 16]
        result += bytes([block[i] ^ stream[i] for i in range(len(block))])
    return result
