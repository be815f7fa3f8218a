"""Certificate requests (PKCS#10, RFC 2986) for a key on P-256, signed with it by ecdsa-with-SHA256."""

import binascii
import hashlib

from micropython import const

from iot.crypto import p256
from iot.crypto.der import BIT_STRING, SEQUENCE, element, integer

_SET = const(0x31)
_UTF8_STRING = const(0x0C)
_ATTRIBUTES = const(b"\xa0\x00")  # [0], none: they may not be left out (4.1)
_COMMON_NAME = const(b"\x06\x03\x55\x04\x03")  # OBJECT IDENTIFIER id-at-commonName
_COMMON_NAME_MAX = const(64)  # RFC 5280, A.1: ub-common-name; some count characters, others bytes
_ECDSA_WITH_SHA256 = const(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")  # RFC 5758, 3.2
_LINE = const(48)  # bytes that make a line of 64 characters (RFC 7468, 2)


async def make(random, common_name):
    """A new key, and the request for its certificate; gives the loop turns as iot.crypto.p256 does.

    Args:
        random: `random(n)` gives n bytes fit for secrets, e.g. os.urandom.
        common_name: of the subject, 1 to 64 bytes.

    Returns:
        (private key as an ECPrivateKey in DER, which mbedTLS loads; request in PEM).
    """
    private = await p256.generate(random)
    public = await p256.public(private)
    return p256.private_to_der(private, public), pem(await request(private, public, common_name))


async def request(private, public, common_name):
    """The CertificationRequest in DER for a key pair as iot.crypto.p256 has it.

    Raises ValueError where the name is too long, or one of the keys is none.
    """
    text = common_name.encode()
    if not 1 <= len(text) <= _COMMON_NAME_MAX:
        raise ValueError("common name: 1 to {} bytes".format(_COMMON_NAME_MAX))
    name = element(SEQUENCE, _COMMON_NAME, element(_UTF8_STRING, text))
    subject = element(SEQUENCE, element(_SET, name))
    # CertificationRequestInfo, of version v1.
    info = element(SEQUENCE, integer(0), subject, p256.public_to_der(public), _ATTRIBUTES)
    signature = await p256.sign(private, hashlib.sha256(info).digest())
    return element(
        SEQUENCE,
        info,
        element(SEQUENCE, _ECDSA_WITH_SHA256),
        element(BIT_STRING, b"\0", signature),
    )


def pem(der):
    """A request in PEM."""
    lines = [str(binascii.b2a_base64(der[at : at + _LINE]), "ascii") for at in range(0, len(der), _LINE)]
    label = "CERTIFICATE REQUEST-----\n"
    return "-----BEGIN " + label + "".join(lines) + "-----END " + label
