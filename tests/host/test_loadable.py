"""What the device says of certificates and keys, against `cryptography`, which makes them of all kinds."""

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from iot.crypto import pem
from iot.crypto.loadable import check_key, public

from tests.host import certificates as make

GOOD = ("secp256r1", "secp384r1", "secp521r1", "2048", "3072")
BAD = {
    "ed25519": "a key for Ed25519; the chip takes RSA of 2048",
    "ed448": "a key for Ed448; the chip takes RSA of 2048",
    "secp256k1": "an EC key on another curve; the chip takes",
    "brainpoolp256r1": "an EC key on another curve; the chip takes",
    "1024": "an RSA key of 1024 bits; the chip takes",
}
FORMS = ("PKCS8", "TraditionalOpenSSL")


@pytest.mark.parametrize("kind", GOOD)
def test_what_the_chip_can_load(kind: str) -> None:
    numbers = public(make.der(make.certificate(kind)))
    for form in FORMS:
        check_key(make.key_der(kind, form), numbers)
        for other in GOOD:
            if other != kind:
                with pytest.raises(ValueError, match=r"^not the key of the certificate$"):
                    check_key(make.key_der(other, form), numbers)


@pytest.mark.parametrize("kind", BAD)
def test_what_it_cannot(kind: str) -> None:
    signer = None if kind.startswith("ed") else "secp256r1"
    with pytest.raises(ValueError, match="signed by Ed" if kind.startswith("ed") else BAD[kind]):
        public(make.der(make.certificate(kind, signer=signer)))
    with pytest.raises(ValueError, match=BAD[kind]):
        public(make.der(make.certificate(kind, signer="secp256r1")))
    for form in FORMS if kind not in ("ed25519", "ed448") else FORMS[:1]:
        with pytest.raises(ValueError, match=BAD[kind]):
            check_key(make.key_der(kind, form))


def test_signatures_it_cannot_check() -> None:
    with pytest.raises(ValueError, match="signed by RSA-PSS, which the chip cannot load"):
        public(make.der(make.certificate("2048", pss=True)))
    with pytest.raises(ValueError, match="signed by Ed25519, which the chip cannot load"):
        public(make.der(make.certificate("secp256r1", signer="ed25519")))


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(["secp256r1", "2048"]), st.sampled_from(FORMS), st.data())
def test_damaged_bytes_are_refused_by_a_value_error_alone(kind: str, form: str, data: st.DataObject) -> None:
    for whole, check in (
        (make.der(make.certificate(kind)), public),
        (make.key_der(kind, form), check_key),
    ):
        damaged = bytearray(whole)
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
        for candidate in (bytes(damaged), bytes(damaged[:at]), data.draw(st.binary(max_size=60))):
            try:
                check(candidate)
            except ValueError as error:
                assert str(error)


texts = st.text("abc #:=-\n\t\u00fc", max_size=40).filter(lambda text: "-----" not in text)
blanks = st.text(" \t\r\n", max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    st.data(),
    st.lists(texts, min_size=4, max_size=4),
    st.sampled_from(["", " ", "\n", "\r\n", "\\n", "\n  "]),
)
def test_a_block_is_found_in_any_text(data: st.DataObject, around: list[str], ends: str) -> None:
    kind = data.draw(st.sampled_from(["secp256r1", "2048"]))
    made = make.certificate(kind)
    other = make.key_pem(kind, data.draw(st.sampled_from(FORMS)))
    wanted = ends.join(f"{line}{data.draw(blanks)}" for line in make.pem(made).splitlines())
    text = around[0] + other + around[1] + wanted + around[2]
    assert pem.certificate(text) == make.der(made)
    loaded = serialization.load_der_private_key(pem.key(text), None, unsafe_skip_rsa_key_validation=True)
    assert loaded.public_key() == made.public_key()
    assert pem.certificates(text + wanted + around[3]) == [make.der(made)] * 2


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text("-BEGIN CRTFAKY\n=", max_size=200) | st.binary(max_size=100))
def test_any_text_is_refused_by_a_value_error_alone(text: str | bytes) -> None:
    for find in (pem.certificate, pem.certificates, pem.key):
        try:
            find(text)
        except ValueError as error:
            assert str(error)


def test_encrypted_keys() -> None:
    for form in FORMS:
        with pytest.raises(ValueError, match="no private key, but an encrypted private key; openssl pkey"):
            pem.key(make.key_pem("2048", form, b"hunter2"))
