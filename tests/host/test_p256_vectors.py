"""P-256 against NIST's vectors, against `cryptography`, and against signatures made to mislead a verifier."""

import asyncio
import hashlib
import re
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from iot.crypto import p256

VECTORS = Path(cryptography_vectors.__file__).parent / "asymmetric"
FIPS = VECTORS / "ECDSA/FIPS_186-3"
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
ALGORITHM = ec.ECDSA(Prehashed(hashes.SHA256()))
DER = serialization.Encoding.DER
PLAIN = serialization.NoEncryption()
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
PKCS8 = serialization.PrivateFormat.PKCS8

Result = TypeVar("Result")


def run(operation: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(operation)


def as_bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")


EDGES = [1, 2, 3, 15, 16, 17, 2**128, 2**255, N // 2, N // 2 + 1, N - 17, N - 16, N - 15, N - 3, N - 2, N - 1]
scalars = st.sampled_from(EDGES) | st.integers(1, N - 1)
keys = scalars.map(as_bytes)
digests = st.sampled_from([as_bytes(number) for number in (0, 1, N - 1, N, N + 1, 2**256 - 1)]) | st.binary(
    min_size=32, max_size=32
)


def theirs(private: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())


def raw(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def they_verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        key.verify(signature, digest, ALGORITHM)
    except InvalidSignature:
        return False
    return True


# NIST's vectors.


def records(file: Path, section: str) -> list[dict[str, str]]:
    """The records of the section whose title begins so, in a file of NIST's CAVS."""
    text = file.read_text().replace("\r", "")
    body = re.split(rf"^\[{re.escape(section)}[^\]]*\]$", text, flags=re.MULTILINE)[-1]
    body = re.split(r"^\[[PKB]-|^\[E[A-E] ", body, flags=re.MULTILINE)[0]
    blocks = (re.findall(r"^(\w+) = (.*?) *$", block, re.MULTILINE) for block in re.split(r"\n\n+", body))
    found = [dict(block) for block in blocks if len(block) > 1]
    assert found, f"{file.name} has no {section}"
    return found


def coordinates(record: dict[str, str], name: str) -> bytes:
    """The public key of a record, whatever the size of its coordinates."""
    x, y = (int(record[name + axis], 16) for axis in "xy")
    return b"\4" + b"".join(n.to_bytes(max(32, (n.bit_length() + 7) // 8), "big") for n in (x, y))


def passes(record: dict[str, str]) -> bool:
    return record["Result"].startswith("P")


def test_key_pairs_of_nist() -> None:
    found = [record for record in records(FIPS / "KeyPair.rsp", "P-256") if "d" in record]
    assert len(found) == 10
    for record in found:
        assert run(p256.public(bytes.fromhex(record["d"]))) == coordinates(record, "Q")


def test_validity_of_public_keys_of_nist() -> None:
    found = records(FIPS / "PKV.rsp", "P-256")
    assert {passes(record) for record in found} == {True, False} and len(found) == 12
    for record in found:
        public = coordinates(record, "Q")
        if passes(record):
            assert p256.public_from_der(p256.public_to_der(public)) == public
        else:
            with pytest.raises(ValueError, match=r"^public key: no point of P-256$"):
                p256.public_to_der(public)


def test_signatures_of_nist() -> None:
    found = records(FIPS / "SigGen.txt", "P-256,SHA-256")
    assert len(found) == 15
    for record in found:
        digest = hashlib.sha256(bytes.fromhex(record["Msg"])).digest()
        public = coordinates(record, "Q")
        signature = encode_dss_signature(int(record["R"], 16), int(record["S"], 16))
        assert run(p256.verify(public, digest, signature))
        mine = run(p256.sign(bytes.fromhex(record["d"]), digest))  # with another nonce than in the record
        assert they_verify(public, digest, mine)


def test_verification_of_nist() -> None:
    found = records(FIPS / "SigVer.rsp", "P-256,SHA-256")
    assert {passes(record) for record in found} == {True, False} and len(found) == 15
    for record in found:
        digest = hashlib.sha256(bytes.fromhex(record["Msg"])).digest()
        signature = encode_dss_signature(int(record["R"], 16), int(record["S"], 16))
        assert run(p256.verify(coordinates(record, "Q"), digest, signature)) is passes(record)


@pytest.mark.parametrize("role", ["init", "resp"])
def test_ecdh_of_nist(role: str) -> None:
    found = records(VECTORS / f"ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{role}.fax", "EC - SHA256")
    assert {passes(record) for record in found} == {True, False} and len(found) > 20
    for record in found:
        private, public = bytes.fromhex(record["dsIUT"]), coordinates(record, "QsCAVS")
        reason = record["Result"]
        if passes(record):
            assert run(p256.ecdh(private, public)) == bytes.fromhex(record["Z"])
        elif "fails PKV" in reason and "CAVS's" in reason:
            with pytest.raises(ValueError, match="no point"):
                run(p256.ecdh(private, public))


def test_deterministic_signatures_of_rfc_6979() -> None:
    text = (VECTORS / "ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt").read_text()
    pem = re.search(r"^PrivateKey=P-256_PRIV\n(.*?END PRIVATE KEY-----)$", text, re.DOTALL | re.MULTILINE)
    assert pem
    key = serialization.load_pem_private_key(pem[1].encode(), None)
    private = p256.private_from_der(key.private_bytes(DER, PKCS8, PLAIN))
    found = re.findall(
        r'^DigestSign = (\w+)\nKey = P-256_PRIV\nNonceType = deterministic\nInput = "(.*)"\nOutput = (\w+)$',
        text,
        re.MULTILINE,
    )
    same_size = [(message, output) for name, message, output in found if name == "SHA256"]
    assert len(same_size) == 2
    for message, output in same_size:
        digest = hashlib.sha256(message.encode()).digest()
        assert run(p256.sign(private, digest)) == bytes.fromhex(output)


# Against `cryptography`.


@settings(max_examples=60, deadline=None)
@given(keys)
def test_public_keys(private: bytes) -> None:
    assert run(p256.public(private)) == raw(theirs(private).public_key())


@pytest.mark.parametrize("number", EDGES)
def test_public_keys_at_the_edges(number: int) -> None:
    assert run(p256.public(as_bytes(number))) == raw(theirs(as_bytes(number)).public_key())


@settings(max_examples=60, deadline=None)
@given(keys, keys)
def test_ecdh(mine: bytes, other: bytes) -> None:
    public = theirs(other).public_key()
    assert run(p256.ecdh(mine, raw(public))) == theirs(mine).exchange(ec.ECDH(), public)


@settings(max_examples=60, deadline=None)
@given(keys, digests)
def test_signatures(private: bytes, digest: bytes) -> None:
    key = theirs(private)
    public = raw(key.public_key())
    signature = run(p256.sign(private, digest))
    assert signature == key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True))
    assert run(p256.verify(public, digest, signature))
    assert run(p256.verify(public, digest, key.sign(digest, ALGORITHM)))


@settings(max_examples=60, deadline=None)
@given(keys, digests, st.data())
def test_a_signature_with_one_bit_changed(private: bytes, digest: bytes, data: st.DataObject) -> None:
    public = raw(theirs(private).public_key())
    signature = run(p256.sign(private, digest))
    at = data.draw(st.integers(0, len(signature) * 8 - 1))
    changed = bytearray(signature)
    changed[at // 8] ^= 1 << at % 8
    assert not run(p256.verify(public, digest, bytes(changed)))


R_OR_S = [0, 1, 2, N - 2, N - 1, N, N + 1, P - 1, P, P + 1, 2**256 - 1]


@settings(max_examples=100, deadline=None)
@given(keys, digests, *[st.sampled_from(R_OR_S) | st.integers(0, 2**256)] * 2)
def test_signatures_at_the_edges(private: bytes, digest: bytes, r: int, s: int) -> None:
    public = raw(theirs(private).public_key())
    signature = encode_dss_signature(r, s)
    assert run(p256.verify(public, digest, signature)) is they_verify(public, digest, signature)


@settings(max_examples=60, deadline=None)
@given(keys)
def test_keys_in_der_both_ways(private: bytes) -> None:
    key = theirs(private)
    public = raw(key.public_key())
    loaded = serialization.load_der_private_key(p256.private_to_der(private, public), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    assert loaded.private_numbers() == key.private_numbers()
    for form in (TRADITIONAL, PKCS8):
        assert p256.private_from_der(key.private_bytes(DER, form, PLAIN)) == private
    assert p256.public_to_der(public) == spki(key.public_key())
    assert p256.public_from_der(spki(key.public_key())) == public


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_keys_are_refused_by_a_value_error_or_read_as_they_are(data: st.DataObject) -> None:
    key = theirs(as_bytes(0x1234567890 << 200))
    form = data.draw(st.sampled_from([TRADITIONAL, PKCS8]))
    whole = bytearray(key.private_bytes(DER, form, PLAIN))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(whole), at]))
    try:
        private = p256.private_from_der(bytes(whole[:end]))
    except ValueError as error:
        assert ": " in str(error)
    else:
        assert private in whole and end == len(whole)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()])
def test_keys_of_other_curves(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    with pytest.raises(ValueError, match="algorithm"):
        p256.public_from_der(spki(key.public_key()))
    with pytest.raises(ValueError, match="algorithm"):
        p256.private_from_der(key.private_bytes(DER, PKCS8, PLAIN))
    with pytest.raises(ValueError, match=r"parameters|end"):
        p256.private_from_der(key.private_bytes(DER, TRADITIONAL, PLAIN))


def test_an_attribute_in_pkcs8() -> None:
    # As Windows exports keys: keyUsage, digitalSignature, behind the key.
    key = theirs(as_bytes(77))
    inner = key.private_bytes(DER, PKCS8, PLAIN)[3:]
    attributes = bytes.fromhex("a00d300b0603551d0f310403020780")
    whole = b"\x30\x81" + bytes((len(inner) + len(attributes),)) + inner + attributes
    assert serialization.load_der_private_key(whole, None)
    assert p256.private_from_der(whole) == as_bytes(77)


# Signatures that are made to mislead a verifier.

Affine = tuple[int, int] | None


def plus(first: Affine, second: Affine) -> Affine:
    if first is None or second is None:
        return first or second
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if first == second else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(scalar: int, point: Affine) -> Affine:
    total = None
    for bit in f"{scalar:b}":
        total = plus(total, total)
        if bit == "1":
            total = plus(total, point)
    return total


def generator() -> Affine:
    numbers = theirs(as_bytes(1)).public_key().public_numbers()
    return numbers.x, numbers.y


def key_for(point: tuple[int, int], r: int, s: int, number: int) -> bytes:
    """The public key for which (r, s) signs `number` with a nonce's `point` (SEC 1, 4.1.6)."""
    part = plus(times(s, point), times(-number % N, generator()))
    key = times(pow(r, -1, N), part)
    assert key
    return b"\4" + as_bytes(key[0]) + as_bytes(key[1])


def point_from(x: int) -> tuple[int, int]:
    """The first point whose X is `x` or more."""
    while True:
        square = (x**3 - 3 * x + B) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P == square:
            return x, y
        x += 1


def test_a_point_whose_coordinate_is_more_than_the_order() -> None:
    digest = hashlib.sha256(b"x").digest()
    number = int.from_bytes(digest, "big")
    point = point_from(N)
    assert N <= point[0] < P
    r = point[0] - N
    public = key_for(point, r, 5, number)
    for candidate, valid in ((r, True), (r + 1, False)):
        signature = encode_dss_signature(candidate, 5)
        assert run(p256.verify(public, digest, signature)) is valid is they_verify(public, digest, signature)


def test_a_coordinate_that_is_r_plus_the_order_only_modulo_p() -> None:
    # X is small and r = X + P - N: congruent modulo P, but no signature.
    digest = hashlib.sha256(b"x").digest()
    point = point_from(5)
    r = point[0] + P - N
    public = key_for(point, r, 7, int.from_bytes(digest, "big"))
    signature = encode_dss_signature(r, 7)
    assert they_verify(public, digest, signature) is False
    assert run(p256.verify(public, digest, signature)) is False


def special_sums() -> Iterator[tuple[str, int, int, int]]:
    """What (private key, u1, u2) make of u1·G + u2·Q: operands that are equal, opposite or infinite."""
    yield "equal terms, of G", 1, 3, 3
    yield "equal terms", 7, 21, 3
    yield "terms that end in the same digits", 1, 2**128 + 9, 2**200 + 9
    yield "opposite keys", N - 1, 9, 4
    yield "opposite keys with equal digits", N - 1, 2**250 + 5, 2**250 + 3
    yield "no first term", 7, 0, 3
    yield "first terms of one", 7, 1, 1
    yield "terms of the order less one", 7, N - 1, N - 1
    yield "terms of two", 1, 2, 2
    yield "terms of two and minus two", 5, 2, N - 2
    yield "the key twice G", 2, 8, 4
    yield "the key half of G", pow(2, -1, N), 4, 8
    yield "the key fifteen times G", 15, 15, 1


@pytest.mark.parametrize(("private", "u1", "u2"), [case[1:] for case in special_sums()])
def test_special_sums(private: int, u1: int, u2: int) -> None:
    point = times((u1 + u2 * private) % N, generator())
    assert point
    r = point[0] % N
    s = r * pow(u2, -1, N) % N
    digest = as_bytes(u1 * s % N)
    public, signature = raw(theirs(as_bytes(private)).public_key()), encode_dss_signature(r, s)
    assert they_verify(public, digest, signature)
    assert run(p256.verify(public, digest, signature))
    other = encode_dss_signature(r, s + 1)
    assert run(p256.verify(public, digest, other)) is they_verify(public, digest, other)


def test_sums_that_are_infinite() -> None:
    for private in (1, 2, 7, N - 1):
        for r in (1, 2, N - 1, 2**128):
            digest = as_bytes(-r * private % N)
            public = raw(theirs(as_bytes(private)).public_key())
            assert run(p256.verify(public, digest, encode_dss_signature(r, 9))) is False


def malformed() -> Iterator[tuple[str, bytes]]:
    """Signatures that are not in DER though a lenient reader would find a valid r and s in them."""
    r = b"\x02\x21\0" + R
    s = b"\x02\x20" + S
    body = r + s
    whole = b"\x30\x45" + body
    yield "empty", b""
    yield "only a tag", b"\x30"
    yield "an empty sequence", b"\x30\0"
    yield "raw r and s", R + S
    yield "a byte behind", whole + b"\0"
    yield "a byte behind s inside", b"\x30\x46" + body + b"\0"
    yield "a third integer", b"\x30\x48" + body + b"\x02\x01\x01"
    yield "a NULL behind", b"\x30\x47" + body + b"\x05\0"
    yield "cut off", whole[:-1]
    yield "the sequence too short", b"\x30\x44" + body
    yield "the sequence too long", b"\x30\x46" + body
    yield "a long form of its length", b"\x30\x81\x45" + body
    yield "a longer form of its length", b"\x30\x82\0\x45" + body
    yield "a length of four bytes", b"\x30\x84\0\0\0\x45" + body
    yield "a length of 2**32 + 69", b"\x30\x85\x01\0\0\0\x45" + body
    yield "a length of 2**64 + 69", b"\x30\x89\x01" + bytes(7) + b"\x45" + body
    yield "a length of 127 bytes", b"\x30\xff" + body
    yield "an indefinite length", b"\x30\x80" + body + b"\0\0"
    yield "a length of no bytes", b"\x30\x80" + body
    yield "a set", b"\x31\x45" + body
    yield "a primitive sequence", b"\x10\x45" + body
    yield "a high tag", b"\x3f\x10\x45" + body
    yield "r with a long form of its length", b"\x30\x46\x02\x81\x21\0" + R + s
    yield "r with zeros in front", b"\x30\x46\x02\x22\0\0" + R + s
    yield "s with a zero in front", b"\x30\x46" + r + b"\x02\x21\0" + S
    yield "r negative", b"\x30\x44\x02\x20" + R + s
    yield "r in an OCTET STRING", b"\x30\x45\x04\x21\0" + R + s
    yield "s in a BIT STRING", b"\x30\x45" + r + b"\x03\x20" + S
    yield "r with an indefinite length", b"\x30\x47\x02\x80\0" + R + b"\0\0" + s
    yield "r empty", b"\x30\x24\x02\0" + s
    yield "s empty", b"\x30\x25" + r + b"\x02\0"
    yield "only r", b"\x30\x23" + r
    yield "s and r", b"\x30\x45" + s + r
    yield "a sequence in a sequence", b"\x30\x47" + whole
    yield "r plus the order", b"\x30\x45\x02\x21" + (int.from_bytes(R, "big") + N).to_bytes(33, "big") + s
    yield "s plus the order", encode_dss_signature(int.from_bytes(R, "big"), int.from_bytes(S, "big") + N)
    yield "r zero", b"\x30\x25\x02\x01\0" + s
    yield "both zero", b"\x30\x06\x02\x01\0\x02\x01\0"
    yield "minus one", b"\x30\x06\x02\x01\xff\x02\x01\xff"
    yield "both the order", encode_dss_signature(N, N)
    yield "r of 40 bytes", b"\x30\x4c\x02\x28\x01" + bytes(7) + R + s
    yield "r of a thousand bytes", b"\x30\x82\x04\x0e\x02\x82\x03\xe8" + b"\x01" * 1000 + s
    yield "REAL infinity", b"\x30\x06\x09\x01\x40\x09\x01\x40"


# The one of RFC 6979, A.2.5, for "test": r needs a zero in front, s does not.
R = bytes.fromhex("f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367")
S = bytes.fromhex("019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083")
SIGNER = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
TEST = hashlib.sha256(b"test").digest()


def test_the_signature_that_the_malformed_ones_are_made_of() -> None:
    assert run(p256.verify(SIGNER, TEST, b"\x30\x45\x02\x21\0" + R + b"\x02\x20" + S))


@pytest.mark.parametrize("signature", [pytest.param(data, id=name) for name, data in malformed()])
def test_malformed_signatures(signature: bytes) -> None:
    assert run(p256.verify(SIGNER, TEST, signature)) is False
