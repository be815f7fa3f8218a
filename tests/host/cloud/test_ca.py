"""Certificates: for whom, how long, and what a small TLS client needs."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.cloud import support as raw
from tests.host.cloud.support import Bench
from tools.cloud.ca import Authority, certificate_id, write_atomic


def server_certificate(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())


def test_validity_begins_well_before_today(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server_context(("localhost",))
    root = x509.load_pem_x509_certificate(authority.root_pem.encode())
    device = x509.load_pem_x509_certificate(authority.issue()[0].encode())
    for certificate in (root, device, server_certificate(tmp_path)):
        assert certificate.not_valid_before_utc == dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        assert certificate.not_valid_after_utc.year == 2049
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        certificate.verify_directly_issued_by(root)


def test_server_certificate_follows_the_hosts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server_context(("iot.example", "192.168.1.20"))
    first = server_certificate(tmp_path)
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["iot.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("192.168.1.20")]
    Authority(tmp_path).server_context(("iot.example", "192.168.1.20"))
    assert server_certificate(tmp_path) == first, "not made anew while the hosts are the same"
    Authority(tmp_path).server_context(("other.example",))
    assert server_certificate(tmp_path) != first


def test_root_outlives_a_restart(tmp_path: Path) -> None:
    assert Authority(tmp_path).root_pem == Authority(tmp_path).root_pem


def test_certificate_id_is_the_fingerprint(tmp_path: Path) -> None:
    pem, _ = Authority(tmp_path).issue()
    assert certificate_id(pem) == certificate_id(ssl.PEM_cert_to_DER_cert(pem))
    assert len(certificate_id(pem)) == 64


def test_write_atomic_leaves_the_old_file_if_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_atomic(path, b"old", 0o600)
    (tmp_path / "key.new").mkdir()
    with pytest.raises(OSError):
        write_atomic(path, b"new", 0o600)
    assert path.read_bytes() == b"old"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_client_of_tls_1_2_alone(cloud: Bench, tmp_path: Path) -> None:
    """As mbedTLS on the chip: TLS 1.2, ECDHE-ECDSA with P-256, AES-128-GCM."""
    identity = cloud.cloud.create_identity(raw.ANYTHING)
    context = raw.client_context(cloud.cloud.root_ca, identity, tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    context.set_ecdh_curve("prime256v1")
    reader, writer = await asyncio.open_connection("127.0.0.1", cloud.cloud.port, ssl=context)
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
    peer = raw.Peer(reader, writer)
    await peer.connect("chip")
    await peer.disconnect()


async def test_older_tls_is_refused(cloud: Bench, tmp_path: Path) -> None:
    context = raw.client_context(cloud.cloud.root_ca, cloud.cloud.create_identity(raw.ANYTHING), tmp_path)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("localhost", cloud.cloud.port, ssl=context)
    assert (await cloud.event("refused")).reason == "TLS"


async def test_server_name_is_told(cloud: Bench) -> None:
    await cloud.client("c")
    assert "asked for localhost" in (await cloud.event("connected")).detail
