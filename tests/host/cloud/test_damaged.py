"""Damaged signing requests, certificates and keys: refused in words, whatever is wrong with them."""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.cloud import Cloud, StateError
from tools.cloud.ca import CHAINS, ServerChain, load_request
from tools.cloud.errors import CertificateValidationException

Damage = Callable[[bytes], bytes]


def flip(at: int, bit: int) -> Damage:
    def damage(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[at % len(data)] ^= 1 << bit
        return bytes(changed)

    return damage


def overwrite(at: int, by: bytes) -> Damage:
    return lambda data: data[: at % len(data)] + by + data[at % len(data) + len(by) :]


def cut(at: int, to: int) -> Damage:
    return lambda data: data[: at % len(data)] + data[at % len(data) + to :]


places = st.integers(0, 5000)
damages = st.one_of(
    st.builds(flip, places, st.integers(0, 7)),
    st.builds(overwrite, places, st.binary(min_size=1, max_size=40)),
    st.builds(cut, places, st.integers(1, 5000)),
)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KEYS: dict[str, Key] = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
}
WEAK: dict[str, Key] = {
    "curve is secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "has 1024 bits": rsa.generate_private_key(65537, 1024),
    "neither an elliptic curve one nor RSA": ed25519.Ed25519PrivateKey.generate(),
}


def request(key: Key) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "esp32")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("esp32")]), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


REQUESTS = {kind: request(key) for kind, key in KEYS.items()}


def pem(der: bytes) -> str:
    lines = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}-----END CERTIFICATE REQUEST-----\n"


def test_every_flipped_bit_of_a_signing_request_is_refused() -> None:
    """Seven of them were an InvalidVersion that nobody caught."""
    der = REQUESTS["P-256"]
    taken = []
    for at in range(len(der)):
        for bit in range(8):
            try:
                taken.append((at, load_request(pem(flip(at, bit)(der)))))
            except CertificateValidationException as error:
                assert "request" in str(error)
    # DER says how many bits of the last byte do not count, and that changes nothing where they are 0.
    assert len({at for at, _ in taken}) <= 1
    assert all(key == KEYS["P-256"].public_key() for _, key in taken)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(REQUESTS)), st.lists(damages, min_size=1, max_size=3))
def test_a_damaged_signing_request_is_refused(kind: str, several: list[Damage]) -> None:
    der = REQUESTS[kind]
    for damage in several:
        der = damage(der) or der
    try:
        assert load_request(pem(der)) == KEYS[kind].public_key()
    except CertificateValidationException as error:
        assert str(error) and der != REQUESTS[kind]


@settings(deadline=None)
@given(damages)
def test_damaged_pem_is_refused_or_the_same_request(damage: Damage) -> None:
    """Some damage leaves what is meant: between the lines, or a line's end."""
    text = damage(pem(REQUESTS["P-256"]).encode()).decode(errors="surrogateescape")
    try:
        assert load_request(text) == KEYS["P-256"].public_key()
    except CertificateValidationException as error:
        assert str(error)


@settings(deadline=None)
@given(st.text() | st.characters().map(lambda c: c * 5000))
@example("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
@example("\ud800")
def test_what_is_no_signing_request_is_refused(text: str) -> None:
    with pytest.raises(CertificateValidationException, match="not a certificate signing request"):
        load_request(text)


@pytest.mark.parametrize("reason", WEAK)
def test_keys_that_aws_does_not_take(reason: str) -> None:
    with pytest.raises(CertificateValidationException, match=reason):
        load_request(pem(request(WEAK[reason])))


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[ServerChain, Path]:
    """A state directory of each chain that has been used."""
    made = {}
    for chain in CHAINS:
        made[chain] = tmp_path_factory.mktemp(chain)
        cloud = Cloud(made[chain], server_chain=chain)
        cloud.registry.create_keys_and_certificate()
        cloud._database.close()
    return made


FILES = [
    *(("p256", name) for name in ("ca.pem", "ca.key", "server.pem")),
    *(("rsa", name) for name in ("chain.pem", "server_ca.key")),
]


@pytest.mark.parametrize(("chain", "name"), FILES)
def test_a_damaged_file_of_the_state_is_told(
    states: dict[ServerChain, Path], chain: ServerChain, name: str, tmp_path: Path
) -> None:
    """The cloud starts or says which directory to restore: it never ends in a traceback."""
    folder = tmp_path / "state"
    shutil.copytree(states[chain], folder)
    path = folder / name
    whole = path.read_bytes()

    @settings(deadline=None, max_examples=60 if chain == "p256" else 10)
    @given(damages)
    def run(damage: Damage) -> None:
        path.write_bytes(damage(whole))
        try:
            cloud = Cloud(folder, server_chain=chain)
        except StateError as error:
            assert str(folder) in str(error)
        else:
            cloud._database.close()
            assert cloud.root_ca

    run()
