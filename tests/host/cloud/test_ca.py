"""Certificates: for whom, how long, signed by whom, and what a small TLS client needs."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import PolicyBuilder, Store

from tests.host.cloud import support as raw
from tests.host.cloud.support import Bench
from tools.atomic import write_atomic
from tools.cloud import Cloud, StateError, ca
from tools.cloud.ca import CHAINS, Authority, ServerChain, certificate_id

DER = 2  # as _ssl.Certificate.public_bytes() wants it
both_chains = pytest.mark.parametrize("server_chain", CHAINS)


def certificates(path: Path) -> list[x509.Certificate]:
    """All in a file; the first one of server.pem is the server's."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def is_of(chain: ServerChain, key: object) -> bool:
    """Whether a public or private key is of a chain's kind and size."""
    if chain == "rsa":
        return isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey) and key.key_size == 2048
    return isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) and key.key_size == 256


@both_chains
def test_validity_begins_well_before_today(tmp_path: Path, server_chain: ServerChain) -> None:
    authority = Authority(tmp_path, server_chain)
    authority.server_context(("localhost",))
    device = x509.load_pem_x509_certificate(authority.issue()[0].encode())
    made = [device, *(certificate for path in tmp_path.glob("*.pem") for certificate in certificates(path))]
    assert len(made) == {"p256": 3, "rsa": 8}[server_chain]
    for certificate in made:
        assert certificate.not_valid_before_utc == dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        assert certificate.not_valid_after_utc.year == 2049
        assert is_of(server_chain, certificate.public_key())
        assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)


@both_chains
def test_the_root_signs_devices(tmp_path: Path, server_chain: ServerChain) -> None:
    authority = Authority(tmp_path, server_chain)
    (root,) = certificates(tmp_path / "ca.pem")
    assert root == x509.load_pem_x509_certificate(authority.root_pem.encode())
    root.verify_directly_issued_by(root)
    pem, key = authority.issue()
    device = x509.load_pem_x509_certificate(pem.encode())
    device.verify_directly_issued_by(root)
    private = serialization.load_pem_private_key(key.encode(), None)
    assert private.public_key() == device.public_key() and is_of(server_chain, private)


@both_chains
def test_a_request_keeps_its_own_key(tmp_path: Path, server_chain: ServerChain) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = Authority(tmp_path, server_chain).sign(request.public_bytes(serialization.Encoding.PEM).decode())
    assert x509.load_pem_x509_certificate(pem.encode()).public_key() == key.public_key()


async def shown(
    cloud: Bench, root_ca: str, tmp_path: Path, host: str = "localhost"
) -> list[x509.Certificate]:
    """What the server shows a client that trusts `root_ca` alone, and calls it `host`."""
    context = raw.client_context(root_ca, cloud.cloud.create_identity(raw.ANYTHING), tmp_path)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", cloud.cloud.port, ssl=context, server_hostname=host
    )
    chain: list[Any] = writer.get_extra_info("ssl_object")._sslobj.get_unverified_chain()
    peer = raw.Peer(reader, writer)
    await peer.connect("client")
    await peer.disconnect()
    return [x509.load_der_x509_certificate(certificate.public_bytes(DER)) for certificate in chain]


def verified(chain: list[x509.Certificate], trusted: x509.Certificate) -> list[x509.Certificate]:
    """The path from a server's certificate to the one that is trusted."""
    verifier = PolicyBuilder().store(Store([trusted])).build_server_verifier(x509.DNSName("localhost"))
    return verifier.verify(chain[0], chain[1:])


@pytest.mark.parametrize("server_chain", ["rsa"])
async def test_a_chain_of_three_as_amazons(cloud: Bench, tmp_path: Path) -> None:
    chain = await shown(cloud, cloud.cloud.root_ca, tmp_path)
    server, issuing, crossed = chain
    (root,) = certificates(tmp_path / "state/ca.pem")
    (old,) = certificates(tmp_path / "state/old_root.pem")
    for certificate, issuer in ((server, issuing), (issuing, crossed), (crossed, old), (old, old)):
        certificate.verify_directly_issued_by(issuer)
    assert root.subject == crossed.subject and root.public_key() == crossed.public_key()
    assert root.issuer == root.subject != crossed.issuer
    assert verified(chain, root) == [server, issuing, root]
    assert verified(chain, old) == [server, issuing, crossed, old]
    keys = [certificate.public_key() for certificate in (server, issuing, root, old)]
    assert all(is_of("rsa", key) for key in keys)
    assert all(keys.count(key) == 1 for key in keys)


async def test_a_certificate_of_the_root(cloud: Bench, tmp_path: Path) -> None:
    chain = await shown(cloud, cloud.cloud.root_ca, tmp_path)
    (root,) = certificates(tmp_path / "state/ca.pem")
    assert verified(chain, root) == [chain[0], root]


@pytest.mark.parametrize("server_chain", ["rsa"])
async def test_who_trusts_the_old_root_alone_is_served(cloud: Bench, tmp_path: Path) -> None:
    old = (tmp_path / "state/old_root.pem").read_text()
    assert len(await shown(cloud, old, tmp_path)) == 3


@both_chains
async def test_who_trusts_another_root_of_that_name_is_not(
    cloud: Bench, tmp_path: Path, server_chain: ServerChain
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await shown(cloud, Authority(tmp_path, server_chain).root_pem, tmp_path)


@both_chains
async def test_names(cloud: Bench, tmp_path: Path) -> None:
    for host in ("localhost", "127.0.0.1"):
        await shown(cloud, cloud.cloud.root_ca, tmp_path, host)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await shown(cloud, cloud.cloud.root_ca, tmp_path, "other.example")


@both_chains
def test_server_certificate_follows_the_hosts(tmp_path: Path, server_chain: ServerChain) -> None:
    def server() -> x509.Certificate:
        return certificates(tmp_path / "server.pem")[0]

    authority = Authority(tmp_path, server_chain)
    authority.server_context(("iot.example", "192.168.1.20"))
    first = server()
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["iot.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("192.168.1.20")]
    Authority(tmp_path, server_chain).server_context(("iot.example", "192.168.1.20"))
    assert server() == first, "not made anew while the hosts are the same"
    Authority(tmp_path, server_chain).server_context(("other.example",))
    assert server() != first


@both_chains
def test_all_but_the_servers_certificate_is_made_once(tmp_path: Path, server_chain: ServerChain) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    Authority(tmp_path, server_chain).server_context(("localhost",))
    first = content()
    Authority(tmp_path, server_chain).server_context(("localhost",))
    assert content() == first
    Authority(tmp_path, server_chain).server_context(("other.example",))
    assert {name for name, data in content().items() if data != first[name]} == {"server.pem"}


@both_chains
def test_files_of_keys_are_their_owners(tmp_path: Path, server_chain: ServerChain) -> None:
    Authority(tmp_path, server_chain).server_context(("localhost",))
    keys = [path for path in tmp_path.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert len(keys) == {"p256": 2, "rsa": 3}[server_chain]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in keys)


@pytest.mark.parametrize(
    ("server_chain", "writes"), [*(("p256", n) for n in range(3)), *(("rsa", n) for n in range(6))]
)
def test_whoever_was_killed_while_it_was_made_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_chain: ServerChain, writes: int
) -> None:
    left = iter(range(writes))

    def write_or_die(*arguments: Any) -> None:
        next(left)
        write_atomic(*arguments)

    with monkeypatch.context() as patch, pytest.raises(StopIteration):
        patch.setattr(ca, "write_atomic", write_or_die)
        Authority(tmp_path, server_chain).server_context(("localhost",))
    authority = Authority(tmp_path, server_chain)
    authority.server_context(("localhost",))
    chain = certificates(tmp_path / "server.pem")
    assert verified(chain, x509.load_pem_x509_certificate(authority.root_pem.encode()))


@pytest.mark.parametrize(("made", "asked"), [("p256", "rsa"), ("rsa", "p256")])
def test_a_folder_stays_with_its_chain(tmp_path: Path, made: ServerChain, asked: ServerChain) -> None:
    first = Cloud(tmp_path, server_chain=made)
    first._database.close()
    with pytest.raises(StateError, match=f"server chain {made}.*start it with --server-chain {made}, or"):
        Cloud(tmp_path, server_chain=asked)
    again = Cloud(tmp_path, server_chain=made)
    again._database.close()
    assert again.root_ca == first.root_ca


def test_a_chain_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="server_chain: 'dsa', must be one of p256, rsa"):
        Cloud(tmp_path, server_chain="dsa")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


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


@pytest.mark.parametrize(("server_chain", "signature"), [("p256", "ECDSA"), ("rsa", "RSA")])
async def test_a_client_of_tls_1_2_alone(cloud: Bench, tmp_path: Path, signature: str) -> None:
    """As mbedTLS on the chip: TLS 1.2, ECDHE with P-256, AES-128-GCM."""
    identity = cloud.cloud.create_identity(raw.ANYTHING)
    context = raw.client_context(cloud.cloud.root_ca, identity, tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"ECDHE-{signature}-AES128-GCM-SHA256")
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
