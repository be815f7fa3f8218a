"""The device's certificate requests before others' software: cryptography, OpenSSL and the local cloud."""

import asyncio
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID
from iot.crypto import csr, loadable, p256, pem

from tests.patience import PATIENCE_S
from tools.cloud.ca import Authority

KEYS = 2000
BATCH = 250


def examine(name: str, random: Callable[[int], bytes] = os.urandom) -> None:
    """What `cryptography` says of a new key and its request."""
    key, text = asyncio.run(csr.make(random, name))
    request = x509.load_pem_x509_csr(text.encode())
    assert request.is_signature_valid and len(request.extensions) == len(request.attributes) == 0
    assert request.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256
    assert isinstance(request.signature_hash_algorithm, hashes.SHA256)
    [common_name] = request.subject
    assert (common_name.oid, common_name.value) == (NameOID.COMMON_NAME, name)
    private = serialization.load_der_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name == "secp256r1"
    assert private.public_key() == request.public_key()
    der, form = serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL
    assert private.private_bytes(der, form, serialization.NoEncryption()) == key
    assert request.public_bytes(serialization.Encoding.PEM).decode() == text


@pytest.mark.parametrize("batch", range(KEYS // BATCH))
def test_random_keys_and_their_requests(batch: int) -> None:
    for number in range(BATCH):
        examine(f"lamp-{batch}-{number}")


@pytest.mark.parametrize("scalar", [1, 2, 255, 2**128, p256.N // 2, p256.N - 2, p256.N - 1])
def test_keys_at_the_edges(scalar: int) -> None:
    examine("edge", lambda size: scalar.to_bytes(size, "big"))


@pytest.mark.parametrize("name", ["x", "x" * 64, "Küche 7", "灯" * 21, "a,b=c+d\\"])
def test_names(name: str) -> None:
    examine(name)


def test_one_bit_more_or_less_is_not_signed() -> None:
    key, _ = asyncio.run(csr.make(os.urandom, "lamp"))
    private = p256.private_from_der(key)
    der = asyncio.run(csr.request(private, asyncio.run(p256.public(private)), "lamp"))
    at = der.index(b"lamp")
    changed = der[:at] + b"lamq" + der[at + 4 :]
    assert not x509.load_der_x509_csr(changed).is_signature_valid


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_takes_request_and_key(tmp_path: Path) -> None:
    key, text = asyncio.run(csr.make(os.urandom, "lamp-7"))
    (tmp_path / "request.pem").write_text(text)
    (tmp_path / "key.der").write_bytes(key)

    def openssl(*arguments: str) -> str:
        command = ["openssl", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        return done.stdout + done.stderr

    assert "verify OK" in openssl("req", "-in", "request.pem", "-noout", "-verify")
    assert "lamp-7" in openssl("req", "-in", "request.pem", "-noout", "-subject")
    public = openssl("req", "-in", "request.pem", "-noout", "-pubkey")
    assert public in openssl("ec", "-in", "key.der", "-inform", "DER", "-pubout")


def test_tls_takes_what_the_cloud_makes_of_it(tmp_path: Path) -> None:
    key, text = asyncio.run(csr.make(os.urandom, "lamp-7"))
    certificate = Authority(tmp_path, "p256").sign(text)
    loadable.check_key(key, loadable.public(pem.certificate(certificate)))  # as the device asks
    (tmp_path / "own.pem").write_text(certificate)
    (tmp_path / "own.key").write_text(ssl.DER_cert_to_PEM_cert(key).replace("CERTIFICATE", "EC PRIVATE KEY"))
    ssl.create_default_context().load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
