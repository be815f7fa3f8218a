"""TLS servers that stand in the cloud's place, with a CA of their own."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools.cloud.ca import Authority, ServerChain

_FROM = datetime.datetime(2020, 1, 1)
_FOREVER = datetime.datetime(2049, 1, 1)


@dataclass
class Impostor:
    """A running server: its root certificate (PEM), its port, and what clients said to it inside TLS."""

    root: str
    port: int = 0
    heard: list[bytes] = field(default_factory=list)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePublicKey,
    until: datetime.datetime,
    since: datetime.datetime = _FROM,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )


def _rsa_context(folder: Path, host: str) -> tuple[ssl.SSLContext, str]:
    """As _server_context, with a chain of three as Amazon's, which is valid for long."""
    (folder / "impostor").mkdir()
    authority = Authority(folder / "impostor", "rsa")
    context = authority.server_context((host,))
    context.verify_mode = ssl.CERT_NONE
    return context, authority.root_pem


def _server_context(
    folder: Path, host: str, until: datetime.datetime, since: datetime.datetime
) -> tuple[ssl.SSLContext, str]:
    """The context of a server for `host`, and the root in PEM that signed its certificate."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = (
        _certificate("Another CA", "Another CA", root_key.public_key(), _FOREVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    certificate = (
        _certificate(host, "Another CA", key.public_key(), until, since)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = folder / "impostor.pem"
    path.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, root.public_bytes(pem).decode()


@asynccontextmanager
async def impostor(
    folder: Path,
    host: str,
    until: datetime.datetime = _FOREVER,
    answer: bytes = b"",
    server_chain: ServerChain = "p256",
    since: datetime.datetime = _FROM,
) -> AsyncIterator[Impostor]:
    """A server called `host`, valid in that time, that says `answer` to a client's CONNECT and hangs up."""
    context, root = (
        _rsa_context(folder, host) if server_chain == "rsa" else _server_context(folder, host, until, since)
    )
    result = Impostor(root)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            result.heard.append(await reader.read(1000))
            writer.write(answer)
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context, ssl_shutdown_timeout=1)
    result.port = server.sockets[0].getsockname()[1]
    async with server:
        yield result
