"""P-256 by the vectors of RFC 6979, NIST's CAVS and RFC 5903; keys in DER; the loop's turns.

These run in MicroPython too, so they are few; tests/host/test_p256_vectors.py has them all.
"""

import asyncio
import hashlib
from binascii import unhexlify

from check import araises, raises
from iot.crypto import p256

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
G = unhexlify(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
TWICE = unhexlify(
    "047cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
    "07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1"
)

# RFC 6979, A.2.5, with SHA-256.
PRIVATE = unhexlify("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
PUBLIC = unhexlify(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SIGNED = (
    (
        b"sample",
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        b"test",
        "3045022100f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
        "0220019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
)

PREFIX_SEC1 = unhexlify("30770201010420")
CURVE = unhexlify("06082a8648ce3d030107")
PREFIX_SPKI = unhexlify("3059301306072a8648ce3d020106082a8648ce3d030107034200")
PREFIX_PKCS8 = unhexlify("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420")


def scalar(number):
    return number.to_bytes(32, "big")


def digest(message):
    return hashlib.sha256(message).digest()


def changed(data, at):
    """`data` with one bit changed."""
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


async def test_generate_throws_away_what_is_no_key():
    drawn = [bytes(32), b"\xff" * 32, scalar(N), scalar(N - 1), scalar(1)]

    def random(count):
        assert count == 32
        return drawn.pop(0)

    assert await p256.generate(random) == scalar(N - 1)
    assert await p256.generate(random) == scalar(1)
    assert not drawn


async def test_public_keys():
    assert await p256.public(PRIVATE) == PUBLIC
    assert await p256.public(scalar(1)) == G
    assert await p256.public(scalar(2)) == TWICE
    mirrored = TWICE[:33] + scalar(P - int.from_bytes(TWICE[33:], "big"))
    assert await p256.public(scalar(N - 2)) == mirrored


async def test_private_keys_out_of_range():
    for wrong in (bytes(32), scalar(N), b"\xff" * 32, b"", PRIVATE[1:], b"\0" + PRIVATE):
        await araises(ValueError, "private key: out of range", p256.public(wrong))
    await araises(ValueError, "private key: out of range", p256.ecdh(scalar(N), PUBLIC))
    await araises(ValueError, "private key: out of range", p256.sign(bytes(32), bytes(32)))


async def test_ecdh():
    # RFC 5903, 8.1: i, r, g^r and the X coordinate of g^ir; and count 0 of NIST's KAS vectors.
    private = unhexlify("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433")
    public = unhexlify(
        "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"
    )
    secret = unhexlify("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de")
    assert await p256.ecdh(private, public) == secret

    private = unhexlify("d18944fa9c790c73f9ae0e1bf60d43c455566956b5129ab46d81717a79f4ac41")
    public = unhexlify(
        "04202d3ce22f0820187aed2487e53f4130e5cd079ed17af81660a3fb98989368a9"
        "3908e29a553d01231b6039582fda6360cf1da617bfe51ba4c228d3951f8c6027"
    )
    secret = unhexlify("4a0eea8af2e2ad7e0ed880f40e0332b9837ab9622069a87c64b0581ee92409ca")
    assert await p256.ecdh(private, public) == secret

    assert await p256.ecdh(scalar(2), PUBLIC) == await p256.ecdh(PRIVATE, TWICE)


async def test_what_is_no_point_of_the_curve():
    for wrong in (
        b"",
        b"\0",  # infinity
        PUBLIC[:-1],
        PUBLIC + b"\0",
        b"\2" + PUBLIC[1:33],  # compressed
        b"\6" + PUBLIC[1:],  # hybrid
        b"\4" + bytes(64),
        changed(PUBLIC, 20),
        changed(PUBLIC, 64),
        b"\4" + scalar(P) + PUBLIC[33:],
        # X is 5 + P, where 5 is the X of a point
        b"\4" + scalar(P + 5) + unhexlify("459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc"),
    ):
        await araises(ValueError, "public key: no point of P-256", p256.ecdh(PRIVATE, wrong))
        raises(ValueError, "public key: no point of P-256", p256.public_to_der, wrong)
    await araises(ValueError, "public key: no point of P-256", p256.verify(b"", bytes(32), b""))


async def test_signatures_of_rfc_6979():
    for message, signature in SIGNED:
        assert await p256.sign(PRIVATE, digest(message)) == unhexlify(signature)
        assert await p256.verify(PUBLIC, digest(message), unhexlify(signature)) is True


async def test_signatures_of_nist():
    # FIPS 186-3's SigVer vectors, P-256 and SHA-256: the fourth, which passes, and with S changed.
    public = unhexlify(
        "04e424dc61d4bb3cb7ef4344a7f8957a0c5134e16f7a67c074f82e6e12f49abf3c"
        "970eed7aa2bc48651545949de1dddaf0127e5965ac85d1243d6f60e7dfaee927"
    )
    of = unhexlify("d1b8ef21eb4182ee270638061063a3f3c16c114e33937f69fb232cc833965a94")
    signature = unhexlify(
        "3045022100bf96b99aa49c705c910be33142017c642ff540c76349b9dab72f981fd9347f4f"
        "022017c55095819089c2e03b9cd415abdf12444e323075d98f31920b9e0f57ec871c"
    )
    assert await p256.verify(public, of, signature) is True
    assert await p256.verify(public, of, changed(signature, len(signature) - 1)) is False


async def test_what_does_not_fit_is_no_signature():
    of, signature = digest(SIGNED[1][0]), unhexlify(SIGNED[1][1])
    for key, what, how in (
        (PUBLIC, of, changed(signature, 10)),
        (PUBLIC, changed(of, 0), signature),
        (G, of, signature),
    ):
        assert await p256.verify(key, what, how) is False


async def test_a_signature_whose_point_is_infinity():
    # With the digest -r·d both terms of the sum are each other's opposite.
    r = 5
    of = scalar(-r * int.from_bytes(PRIVATE, "big") % N)
    assert await p256.verify(PUBLIC, of, b"\x30\x06\x02\x01\x05\x02\x01\x07") is False


async def test_a_key_of_one_and_equal_terms():
    # The public key is G and the digest r, so both terms are equal; k = 2 and s = 2·r / 2.
    r = TWICE[1:33]
    signature = b"\x30\x44\x02\x20" + r + b"\x02\x20" + r
    assert await p256.verify(G, r, signature) is True


async def test_malformed_signatures():
    for wrong in (
        "",
        "30",
        "3000",
        "3080" + "020101020101" + "0000",  # an indefinite length
        "3006" + "020101020101" + "00",  # a byte behind
        "3007" + "020101020101" + "00",
        "3106" + "020101020101",
        "308901" + "00" * 7 + "06" + "020101020101",  # a length of 2**64 + 6
        "30ff" + "ff" * 20,
    ):
        assert await p256.verify(PUBLIC, bytes(32), unhexlify(wrong)) is False


async def test_a_digest_has_32_bytes():
    for wrong in (b"", bytes(31), bytes(33)):
        await araises(ValueError, "digest: not of 32 bytes", p256.sign(PRIVATE, wrong))
        await araises(ValueError, "digest: not of 32 bytes", p256.verify(PUBLIC, wrong, b""))


def test_private_keys_in_der():
    der = p256.private_to_der(PRIVATE, PUBLIC)
    point = b"\xa1\x44\x03\x42\x00" + PUBLIC
    assert der == PREFIX_SEC1 + PRIVATE + b"\xa0\x0a" + CURVE + point
    assert p256.private_from_der(der) == PRIVATE
    assert p256.private_from_der(PREFIX_PKCS8 + PRIVATE + point) == PRIVATE
    raises(ValueError, "private key: out of range", p256.private_to_der, scalar(N), PUBLIC)
    raises(ValueError, "public key: no point", p256.private_to_der, PRIVATE, PUBLIC[1:])


def test_malformed_private_keys_tell_the_place():
    der = p256.private_to_der(PRIVATE, PUBLIC)
    pkcs8 = PREFIX_PKCS8 + PRIVATE + der[-70:]
    for wrong, place in (
        (b"", "private key.SEQUENCE"),
        (der[:-1], "private key.SEQUENCE"),
        (der + b"\0", "private key.end"),
        (b"\x30\x81" + der[1:], "private key.SEQUENCE"),
        (changed(der, 4), "private key.algorithm"),
        (der[:4] + b"\2" + der[5:], "private key.version"),
        (changed(der, 5), "private key.privateKey"),
        (der.replace(CURVE, changed(CURVE, 9)), "private key.parameters"),
        (b"\x30\x25" + der[2:39], "private key.parameters"),
        (changed(der, 51), "private key.end"),
        (changed(der, 53), "publicKey.BIT STRING"),
        (changed(der, 55), "publicKey.BIT STRING"),
        (changed(der, 60), "public key: no point"),
        (b"\x30\x78" + der[2:52] + b"\x45" + der[53:] + b"\0", "publicKey.end"),
        (der.replace(PRIVATE, scalar(N)), "private key: out of range"),
        (changed(pkcs8, 20), "private key.algorithm"),
        (changed(pkcs8, 27), "private key.ECPrivateKey"),
        (changed(pkcs8, 33), "ECPrivateKey.version"),
        (pkcs8.replace(PRIVATE, bytes(32)), "private key: out of range"),
    ):
        raises(ValueError, place, p256.private_from_der, wrong)


def test_public_keys_in_der():
    der = p256.public_to_der(PUBLIC)
    assert der == PREFIX_SPKI + PUBLIC
    assert p256.public_from_der(der) == PUBLIC
    for wrong, place in (
        (b"", "public key.SEQUENCE"),
        (der + b"\0", "public key.end"),
        (der[:-1], "public key.SEQUENCE"),
        (changed(der, 22), "public key.algorithm"),
        (changed(der, 23), "public key.subjectPublicKey"),
        (changed(der, 25), "public key.subjectPublicKey"),
        (changed(der, 26), "public key: no point"),
        (changed(der, 90), "public key: no point"),
    ):
        raises(ValueError, place, p256.public_from_der, wrong)


async def test_others_have_their_turn():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep_ms(0)

    counting = asyncio.create_task(count())
    try:
        # A table, 64 windows of it, and three parts of an inversion; verify has one table more.
        for operation, at_least in (
            (p256.public(PRIVATE), 68),
            (p256.ecdh(PRIVATE, PUBLIC), 68),
            (p256.sign(PRIVATE, bytes(32)), 71),
            (p256.verify(PUBLIC, digest(SIGNED[0][0]), unhexlify(SIGNED[0][1])), 69),
        ):
            turns = 0
            await operation
            assert turns >= at_least - 1, turns
    finally:
        counting.cancel()


def test_a_nonce_that_is_out_of_range_is_passed_over():
    """RFC 6979, 3.2, step h.3: once in 2**32 signatures."""
    asked, real = [], p256.hmac256

    class Hmac:
        def digest(self, key, *parts):
            asked.append((key,) + parts)
            made = len(asked)
            return b"\xff" * 32 if made == 5 else bytes(32) if made == 8 else real.digest(key, *parts)

    p256.hmac256 = Hmac()
    try:
        nonce = next(p256._nonces(PRIVATE, 1))
    finally:
        p256.hmac256 = real
    assert len(asked) == 11 and 0 < nonce < N
    for at, candidate in ((5, b"\xff" * 32), (8, bytes(32))):  # at least N, and zero
        assert asked[at][1:] == (candidate, b"\0")
        key = real.digest(asked[at][0], *asked[at][1:])
        assert asked[at + 1] == (key, candidate)
        assert asked[at + 2] == (key, real.digest(key, candidate))
    assert nonce == int.from_bytes(real.digest(*asked[10]), "big")
