"""JSON Web Tokens by ES256 (RFC 7515, 7518), by which a device says who it is. In memory for a moment."""

import binascii
import hashlib

from micropython import const

from iot.memory import borrow

_HEADER = const(b'{"alg":"ES256","typ":"JWT"}')
_CLAIMS = const('{{"iat":{},"exp":{},"aud":"{}"}}')


async def login(section, key, now_s):
    """User name, password and the seconds that they last.

    Args:
        section: the configuration's, whose names have no quotes.
        key: as for `token`.
        now_s: seconds since 1970.
    """
    lasts_s = section["token_s"]
    claims = _CLAIMS.format(now_s, now_s + lasts_s, section["project"])
    return b"unused", await token(key, claims.encode()), lasts_s  # brokers read no user name there


async def token(key, claims):
    """A token (bytes) for `claims`, bytes of JSON. On the chip it takes 0.3 s, in turns with all else.

    Args:
        key: the private key on P-256, in DER (PKCS#8 or SEC 1).

    Raises:
        ValueError: the key is none.
    """
    signed = _coded(_HEADER) + b"." + _coded(claims)
    p256 = borrow("iot.crypto.p256")
    der = await p256.sign(p256.private_from_der(key), hashlib.sha256(signed).digest())
    # Two numbers, of which RFC 7518, 3.4, wants the 32 bytes. iot.crypto.der would be here a second time.
    behind = 4 + der[3]
    return signed + b"." + _coded(_number(der[4:behind]) + _number(der[behind + 2 :]))


def _number(value):
    return (bytes(32) + value)[-32:]


def _coded(data):
    """In base64url without padding (RFC 7515, appendix C)."""
    text = binascii.b2a_base64(data).strip().rstrip(b"=")
    return text.replace(b"+", b"-").replace(b"/", b"_")
