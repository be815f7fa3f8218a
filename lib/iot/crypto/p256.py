"""NIST P-256 in plain Python: keys, ECDH and ECDSA, the latter with RFC 6979's nonces.

A private key is 32 bytes; a public key 65, 04 X Y (what WebCrypto calls "raw"); a digest 32; a signature DER.
All that takes long gives the loop a turn at least every 20 ms. It is not constant in time: see curve.py.
"""

from micropython import const

from iot.crypto import hmac256
from iot.crypto.curve import G, N, P, affine, combine, inverse, point
from iot.crypto.der import BIT_STRING, OCTET_STRING, SEQUENCE, Reader, element, integer, sequence

_P256 = const(b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")  # OBJECT IDENTIFIER prime256v1
_ALGORITHM = const(
    b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
)  # of a key
_PARAMETERS = const(0xA0)  # of an ECPrivateKey
_PUBLIC_KEY = const(0xA1)
_ATTRIBUTES = const(0xA0)  # of a PrivateKeyInfo


async def generate(random):
    """A new private key.

    Args:
        random: `random(n)` gives n bytes fit for secrets, e.g. os.urandom.
    """
    while True:
        private = random(32)
        if 0 < int.from_bytes(private, "big") < N:  # not modulo N: that would prefer some keys
            return private


async def public(private):
    """The public key of a private one. Raises ValueError where that is out of range."""
    x, y = await affine(await combine((_secret(private), point(G))))
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


async def ecdh(private, public):
    """The secret that two keys share: 32 bytes, the X coordinate (SP 800-56A, 5.7.1.2).

    Raises ValueError where `public` is no point of the curve, or `private` out of range.
    """
    x, _ = await affine(await combine((_secret(private), point(public))))
    return x.to_bytes(32, "big")


async def sign(private, digest):
    """The signature of a digest. Raises ValueError where that has not 32 bytes, or `private` is none."""
    secret = _secret(private)
    number = _number(digest)
    nonces = _nonces(private, number)
    while True:
        nonce = next(nonces)
        x, _ = await affine(await combine((nonce, point(G))))
        r = x % N
        s = await inverse(nonce, N) * (number + r * secret) % N
        if r and s:
            return element(SEQUENCE, integer(r), integer(s))


async def verify(public, digest, signature):
    """Whether `signature` is that of `digest` by the owner of `public`; what is malformed is not.

    Raises ValueError where `public` is no point of the curve, or `digest` has not 32 bytes.
    """
    key = point(public)
    number = _number(digest)
    try:
        reader = sequence(signature, "signature")
        r, s = reader.integer("r"), reader.integer("s")
        reader.end()
    except ValueError:
        return False
    if not (0 < r < N and 0 < s < N):
        return False
    factor = await inverse(s, N)
    x, _, z = await combine((number * factor % N, point(G)), (r * factor % N, key))
    z = z * z % P
    # x / z, modulo N, is to be r. A point's coordinate may be up to P, so it may be r + N as well.
    return z != 0 and (x == r * z % P or (r + N < P and x == (r + N) * z % P))


def private_to_der(private, public):
    """A key pair as an ECPrivateKey (SEC 1, C.4; RFC 5915), which mbedTLS loads.

    Raises ValueError where one of them is no key; whether they belong together is not looked at.
    """
    _secret(private)
    point(public)
    return element(
        SEQUENCE,
        integer(1),
        element(OCTET_STRING, private),
        element(_PARAMETERS, _P256),
        element(_PUBLIC_KEY, element(BIT_STRING, b"\0", public)),
    )


def private_from_der(der):
    """The private key in an ECPrivateKey (RFC 5915), bare or within a PrivateKeyInfo (PKCS#8, RFC 5208).

    Raises ValueError, with the place, where it is none; a public key that is in it too is only looked at for
    its form.
    """
    reader = sequence(der, "private key")
    version = reader.integer("version")
    bare = version != 0
    if not bare:
        reader.read(SEQUENCE, "algorithm", _ALGORITHM)
        inner = reader.read(OCTET_STRING, "ECPrivateKey")
        if reader.next_is(_ATTRIBUTES):
            reader.read(_ATTRIBUTES, "attributes")
        reader.end()
        reader = sequence(inner, "ECPrivateKey")
        version = reader.integer("version")
    if version != 1:
        reader.fail("version")
    private = reader.read(OCTET_STRING, "privateKey")
    if bare or reader.next_is(_PARAMETERS):  # a PrivateKeyInfo has told the curve already
        reader.read(_PARAMETERS, "parameters", _P256)
    if reader.next_is(_PUBLIC_KEY):
        bits = Reader(reader.read(_PUBLIC_KEY, "publicKey"), "publicKey")
        point(bits.octets("BIT STRING"))
        bits.end()
    reader.end()
    _secret(private)
    return private


def public_to_der(public):
    """A public key as SubjectPublicKeyInfo (RFC 5480); ValueError where it is no point of the curve."""
    point(public)
    return element(SEQUENCE, element(SEQUENCE, _ALGORITHM), element(BIT_STRING, b"\0", public))


def public_from_der(der):
    """The public key in a SubjectPublicKeyInfo (RFC 5480); ValueError, with the place, where it is none."""
    reader = sequence(der, "public key")
    reader.read(SEQUENCE, "algorithm", _ALGORITHM)
    public = reader.octets("subjectPublicKey")
    reader.end()
    point(public)
    return public


def _secret(private):
    number = int.from_bytes(private, "big")
    if len(private) != 32 or not 0 < number < N:
        raise ValueError("private key: out of range")
    return number


def _number(digest):
    if len(digest) != 32:
        raise ValueError("digest: not of 32 bytes")
    return int.from_bytes(digest, "big")


def _nonces(private, number):
    """The candidates for a nonce (RFC 6979, 3.2) for a private key and a digest as a number."""
    digest = (number % N).to_bytes(32, "big")
    key, value = bytes(32), b"\1" * 32
    for step in (b"\0", b"\1"):
        key = hmac256.digest(key, value, step, private, digest)
        value = hmac256.digest(key, value)
    while True:
        value = hmac256.digest(key, value)
        nonce = int.from_bytes(value, "big")
        if 0 < nonce < N:
            yield nonce
        key = hmac256.digest(key, value, b"\0")
        value = hmac256.digest(key, value)
