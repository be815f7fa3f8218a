"""The secured session with a phone (docs/ble.md, The session and Sealed messages). Knows no Bluetooth."""

import struct

import cryptolib
from micropython import const

from iot.ble.codes import Refused
from iot.crypto import hmac256
from iot.memory import borrow

_HELLO = const(1)
_PROOF = const(2)
_VERSION = const(1)
_INFO = b"esp32-aws-iot ble 1"
_KEY = const(32)
_TAG = const(16)
_COUNTER = const(4)
_COUNTER_MAX = const(0xFFFFFFFF)
_ECB = const(1)
_CHUNK = const(256)  # bytes that are encrypted at a time
_BLOCK = const(16)


class Session:
    """The device's half: the key exchange, the proofs, then sealing and opening.

    Args:
        code: the device's code, 12 characters, normalised.
        door: counts wrong proofs: `wrong()`, `right()`, `pause_ms`.
        random: gives n random bytes, os.urandom.

    Attributes:
        greeted: True from the phone's hello on, if that was one.
        proven: True from the phone's right proof on.
    """

    def __init__(self, code, door, random):
        self._code = code.encode()
        self._door = door
        self._random = random
        self.reset()

    def reset(self):
        """Forgets the keys."""
        self.greeted = self.proven = False
        self._salt = self._keys = None
        self._received = self._sent = 0

    async def auth(self, message):
        """Answers a message on AUTH; gives the loop turns while it calculates.

        Raises:
            Refused: ACCESS_DENIED for a wrong proof, LOCKED for one that is followed by a pause, else what is
                wrong with the message.
        """
        message = bytes(message)
        kind = message[0]
        if kind == _HELLO and message[1:2] != bytes((_VERSION,)):
            raise Refused("UNSUPPORTED_VERSION")
        if kind == _HELLO:
            return await self._hello(message[2:])
        if kind == _PROOF and self._keys and not self.proven:
            return self._prove(message[1:])
        raise Refused("INVALID_REQUEST")

    def seal(self, channel, plaintext):
        """The message that carries `plaintext` on a characteristic (its number, 1 to 4)."""
        counter = self._next(self._sent)
        self._sent += 1
        head = struct.pack(">I", counter)
        ciphertext = _ctr(self._key(4), head, plaintext)
        return head + ciphertext + self._tag(5, channel, head, ciphertext)

    def open(self, channel, message):
        """The plaintext of a sealed message; Refused ACCESS_DENIED for anything that is not the next one."""
        head, ciphertext = message[:_COUNTER], message[_COUNTER:-_TAG]
        if not self.proven or len(message) <= _COUNTER + _TAG:
            raise Refused("ACCESS_DENIED")
        right = struct.unpack(">I", head)[0] == self._next(self._received)
        if not _same(self._tag(3, channel, head, ciphertext), message[-_TAG:]) or not right:
            raise Refused("ACCESS_DENIED")
        self._received += 1
        return _ctr(self._key(2), head, ciphertext)

    async def _hello(self, phone):
        self.reset()
        p256 = borrow("iot.crypto.p256")  # for a second in a session
        private = await p256.generate(self._random)
        try:
            secret = await p256.ecdh(private, phone)  # which looks at the point before it calculates
        except ValueError:
            raise Refused("INVALID_REQUEST", "not a point on P-256")
        public = await p256.public(private)
        salt = phone + public
        extracted = hmac256.digest(salt, secret, self._code)
        self._keys = hmac256.expand(extracted, _INFO, 6 * _KEY)
        self._salt = salt
        self.greeted = True
        return bytes((_HELLO, _VERSION)) + public

    def _prove(self, proof):
        if not _same(hmac256.digest(self._key(0), self._salt), proof):
            self.reset()
            self._door.wrong()
            raise Refused("LOCKED" if self._door.pause_ms else "ACCESS_DENIED")
        self._door.right()
        self.proven = True
        return bytes((_PROOF,)) + hmac256.digest(self._key(1), self._salt)

    def _key(self, number):
        return self._keys[number * _KEY : (number + 1) * _KEY]

    def _tag(self, key, channel, head, ciphertext):
        return hmac256.digest(self._key(key), bytes((channel,)), head, ciphertext)[:_TAG]

    def _next(self, counter):
        if counter > _COUNTER_MAX:  # a counter never comes twice under one key
            raise Refused("ACCESS_DENIED")
        return counter


def _same(a, b):
    """Whether two byte strings are equal, in a time that does not tell where they differ."""
    if len(a) != len(b):
        return False
    different = 0
    for i in range(len(a)):
        different |= a[i] ^ b[i]
    return not different


def _ctr(key, head, data):
    """AES-CTR, made from ECB: the chip's cryptolib has no counter mode. Encrypts as it decrypts."""
    aes = cryptolib.aes(key, _ECB)
    blocks = bytearray(_CHUNK)
    result = bytearray(len(data))
    for i in range(0, _CHUNK, _BLOCK):
        blocks[i : i + _COUNTER] = head
    for start in range(0, len(data), _CHUNK):
        end = min(start + _CHUNK, len(data))
        for i in range(0, _CHUNK, _BLOCK):
            struct.pack_into(">I", blocks, i + _BLOCK - _COUNTER, (start + i) // _BLOCK)
        stream = memoryview(aes.encrypt(blocks))[: end - start]
        # Long integers do the XOR of a whole chunk in C.
        mixed = int.from_bytes(data[start:end], "big") ^ int.from_bytes(stream, "big")
        result[start:end] = mixed.to_bytes(end - start, "big")
    return bytes(result)
