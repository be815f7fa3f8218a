"""The device's X.509 against `cryptography`: certificates of all kinds, and bytes that are none."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from iot.crypto.x509 import is_light, not_after

from tests.host import certificates

KEY = ec.generate_private_key(ec.SECP256R1())
START = datetime.datetime(1980, 1, 1)


def certificate(name: str, serial: int, end: datetime.datetime) -> bytes:
    names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(names, names, KEY.public_key(), serial, START, end)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@given(
    st.text("abc\u00e9 ", min_size=1, max_size=64),
    st.integers(1, 2**159),
    st.datetimes(datetime.datetime(1980, 1, 2), datetime.datetime(9999, 12, 31)),
)
def test_any_end(name: str, serial: int, end: datetime.datetime) -> None:
    end = end.replace(microsecond=0)
    assert not_after(certificate(name, serial, end)) == end.isoformat() + "Z"


@given(
    st.lists(st.sampled_from(["secp256r1", "secp384r1", "2048"]), min_size=1, max_size=3),
    st.sampled_from(["a1-ats.iot.eu-west-1.amazonaws.com", "broker.example.com", "192.0.2.1"]),
)
def test_a_light_chain_is_asked_for_where_it_can_be_verified(kinds: list[str], host: str) -> None:
    """Amazon's servers have both; of another no more is known than what it is trusted by."""
    roots = b"".join(certificates.der(certificates.certificate(kind)) for kind in kinds)
    rsa, amazon = kinds.count("2048"), "amazonaws" in host
    assert is_light(roots, host) == (rsa == 0 or (amazon and rsa < len(kinds)))


@given(st.binary(max_size=80), st.integers(0, 200), st.integers(0, 255))
def test_hostile_bytes_are_refused_by_a_value_error_alone(data: bytes, at: int, byte: int) -> None:
    damaged = bytearray(certificate("thing", 1, datetime.datetime(2049, 1, 1)))
    damaged[at] = byte
    for candidate in (data, bytes(damaged), bytes(damaged[:at])):
        try:
            not_after(candidate)
        except ValueError as error:
            assert str(error) == "no X.509 certificate"
