"""HMAC-SHA256 (RFC 2104) and HKDF's second half (RFC 5869); the first half is `digest(salt, secret)`."""

import hashlib

from micropython import const

_BLOCK = const(64)  # bytes of a block of SHA-256, and of its digest
_DIGEST = const(32)


class Hmac:
    """HMAC-SHA256 under one key, for many messages: the key's two pads are made once.

    They are hashed anew for each message, because MicroPython's hashes cannot be copied.

    Args:
        key: bytes, of any length.
    """

    def __init__(self, key):
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        # As one large number: 64 bytes one by one would take the interpreter longer than the hash itself.
        number = int.from_bytes(key + bytes(_BLOCK - len(key)), "big")
        self._inner = (number ^ int.from_bytes(b"\x36" * _BLOCK, "big")).to_bytes(_BLOCK, "big")
        self._outer = (number ^ int.from_bytes(b"\x5c" * _BLOCK, "big")).to_bytes(_BLOCK, "big")

    def digest(self, *parts):
        """The 32 bytes for the message that `parts` (bytes) are together."""
        inner = hashlib.sha256(self._inner)
        for part in parts:
            inner.update(part)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()


def digest(key, *parts):
    """The 32 bytes of HMAC-SHA256 under `key` for the message that `parts` (bytes) are together."""
    return Hmac(key).digest(*parts)


def expand(prk, info, length):
    """HKDF-Expand (RFC 5869, 2.3).

    Args:
        prk: bytes, the pseudorandom key; `digest(salt, secret)` extracts one (2.2).
        info: bytes that bind the keys to their use.
        length: bytes wanted, up to 8160.

    Raises ValueError where `length` is more than that.
    """
    if length > 255 * _DIGEST:
        raise ValueError("length: at most {}".format(255 * _DIGEST))
    hmac = Hmac(prk)
    block = okm = b""
    for count in range(1, (length + _DIGEST - 1) // _DIGEST + 1):
        block = hmac.digest(block, info, bytes((count,)))
        okm += block
    return okm[:length]
