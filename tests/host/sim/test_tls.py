"""TLS as mbedTLS does it under MicroPython: its defaults, and what it says of a bad certificate."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.host import certificates as make
from tests.host.sim.test_network import JOIN
from tools.sim import Device, World
from tools.sim.memory import SILENCE

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
FUTURE = "The certificate validity starts in the future"
EXPIRED = "The certificate validity has expired"
WRONG_NAME = "The certificate Common Name (CN) does not match with the expected CN"
NOT_TRUSTED = "The certificate is not correctly signed by the trusted CA"


class Authority:
    """A CA of its own, valid from 2020 to 2049."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("Test CA", self.key.public_key(), 2020, 2049, ca=True)

    def issue(
        self, name: str, years: tuple[int, int] = (2020, 2049), key=None
    ) -> tuple[x509.Certificate, bytes]:
        """A certificate for a name and 127.0.0.1, and its key as DER in PKCS #8."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key.public_key(), *years)
        form = serialization.PrivateFormat.PKCS8
        return certificate, key.private_bytes(DER, form, serialization.NoEncryption())

    def _sign(self, name: str, public_key, begin: int, end: int, ca: bool = False) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if ca else self.certificate.subject
        names = x509.SubjectAlternativeName(
            [x509.DNSName(name.replace(" ", "-")), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(begin, 1, 1))
            .not_valid_after(datetime.datetime(end, 12, 31))
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )


class Server:
    """A TLS server that wants a client certificate, answers in capitals, and knows whom it spoke to."""

    def __init__(self, authority: Authority, certificate: x509.Certificate, key: bytes, folder: Path) -> None:
        file = folder / "server.pem"
        text = serialization.load_der_private_key(key, None).private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(certificate.public_bytes(PEM) + text)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(file)
        self.context.load_verify_locations(cadata=authority.certificate.public_bytes(DER))
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.clients: list[str] = []
        self.versions: list[str] = []

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peercert") or {}
        self.clients.append(str(dict(item[0] for item in peer.get("subject", ())).get("commonName")))
        self.versions.append(writer.get_extra_info("ssl_object").version())
        with contextlib.suppress(OSError):
            await self.may_read.wait()
            while data := await reader.read(5000):
                writer.write(data.upper())
                await writer.drain()
        writer.close()


CONNECT = (
    JOIN
    + """
    import machine, ssl
    YEAR = 2026
    if YEAR:
        machine.RTC().datetime((YEAR, 6, 1, 0, 0, 0, 0, 0))
    def read(name):
        with open(name, "rb") as file:
            return file.read()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert context.verify_mode == ssl.CERT_NONE
    async def talk(host="server.example", size=3, verify=True):
        if verify:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=read("ca"))
        stream, _ = await asyncio.open_connection(host, 8883, ssl=context, server_hostname=host)
        try:
            data = b"abc" * (size // 3)
            stream.write(data)
            await stream.drain()
            return await stream.readexactly(len(data)) == data.upper()
        finally:
            await stream.wait_closed()
    def run(**arguments):
        try:
            print(asyncio.run(talk(**arguments)))
        except ValueError as error:
            print("ValueError", repr(str(error)))
        except OSError as error:
            print("OSError", type(error.errno))
"""
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def serve(authority: Authority, device: Device, world: World, tmp_path: Path):
    """Start a server with this certificate, as `server.example`, and put what clients need on the device."""
    async with contextlib.AsyncExitStack() as stack:

        async def serve(name: str = "server.example", years: tuple[int, int] = (2020, 2049)) -> Server:
            server = Server(authority, *authority.issue(name, years), tmp_path)
            port = await stack.enter_async_context(server.serving())
            world.hosts |= {"server.example": ("127.0.0.1", port), "127.0.0.1": ("127.0.0.1", port)}
            certificate, key = authority.issue("client one")
            files = {
                "ca": authority.certificate.public_bytes(PEM),
                "certificate.der": certificate.public_bytes(DER),
                "key.der": key,
            }
            for file, data in files.items():
                (device.files / file).write_bytes(data)
            return server

        yield serve


async def test_mutual_tls_with_der_from_bytes(serve, run) -> None:
    server = await serve()
    lines = await run(
        CONNECT
        + """
    context.load_cert_chain(read("certificate.der"), read("key.der"))
    run(size=3)
    run(size=12000)
    run(host="127.0.0.1")
    """
    )
    assert lines == ["True"] * 3
    assert server.clients == ["client one"] * 3 and set(server.versions) == {"TLSv1.2"}


async def test_writes_wait_for_a_server_that_does_not_read(device, serve, load) -> None:
    """Both ways are full in between; in the end everything has arrived, in order."""
    server = await serve()
    server.may_read.clear()
    load(
        CONNECT
        + """
    async def flood():
        stream, _ = await asyncio.open_connection("server.example", 8883, ssl=context)
        block = b"abcdefghij" * 1000
        count = 0
        async def write():
            nonlocal count
            for count in range(500):
                stream.write(block)
                await stream.drain()
        writing = asyncio.create_task(write())
        while True:
            before = count
            await asyncio.sleep_ms(300)
            if before == count:
                break
        print("full", writing.done())
        for _ in range(500):
            assert await stream.readexactly(len(block)) == block.upper()
        await writing
        await stream.wait_closed()
    asyncio.run(flood())
    """
    )
    await device.power_on()
    await device.expect("^full False$")
    server.may_read.set()
    await device.expect("^end of main.py$")


async def test_a_path_is_a_str_and_an_rsa_key_in_pem_will_do(authority, device, serve, run) -> None:
    server = await serve()
    key = rsa.generate_private_key(65537, 2048)
    certificate, _ = authority.issue("client two", key=key)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    (device.files / "key.pem").write_bytes(key.private_bytes(PEM, form, serialization.NoEncryption()))
    (device.files / "certificate.pem").write_bytes(certificate.public_bytes(PEM))
    assert await run(CONNECT + "    context.load_cert_chain('certificate.pem', 'key.pem')\n    run()") == [
        "True"
    ]
    assert server.clients == ["client two"]


@pytest.mark.parametrize(
    ("name", "years", "device_year", "said"),
    [
        ("server.example", (2020, 2049), 0, FUTURE),  # a clock never set
        ("server.example", (2028, 2049), 2026, FUTURE),
        ("server.example", (2020, 2025), 2026, EXPIRED),
        ("other.example", (2020, 2049), 2026, WRONG_NAME),
    ],
)
async def test_a_bad_server_certificate_is_a_valueerror(serve, run, name, years, device_year, said) -> None:
    server = await serve(name, years)
    assert await run(CONNECT.replace("2026", str(device_year)) + "    run()") == [
        "ValueError " + repr(f"\n{said}\n")
    ]
    assert not server.clients  # the handshake did not come to its end


async def test_an_unknown_ca_is_a_valueerror(device, serve, run) -> None:
    server = await serve()
    (device.files / "ca").write_bytes(Authority().certificate.public_bytes(PEM))
    assert await run(CONNECT + "    run()") == ["ValueError " + repr(f"\n{NOT_TRUSTED}\n")]
    assert not server.clients


async def test_without_verification_everything_passes(serve, run) -> None:
    await serve("other.example", (2020, 2021))
    assert await run(CONNECT + "    run(verify=False)") == ["True"]


async def test_a_server_that_does_not_speak_tls_is_an_oserror(world, serve, run) -> None:
    await serve()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        world.hosts["server.example"] = server.sockets[0].getsockname()
        assert await run(CONNECT + "    run()") == ["OSError <class 'int'>"]


async def test_what_cannot_be_parsed_is_refused(device, serve, run) -> None:
    await serve()
    ca = (device.files / "ca").read_bytes()
    broken = ca.replace(b"MII", b"AAA", 1)
    (device.files / "bundle").write_bytes(ca + broken)
    lines = await run(
        CONNECT
        + """
    import socket
    def refused(function, *arguments, **keywords):
        try:
            function(*arguments, **keywords)
        except ValueError as error:
            print(error)
    refused(context.load_verify_locations, cadata=read("bundle"))
    refused(context.load_verify_locations, cadata=b"nonsense")
    refused(context.load_cert_chain, read("certificate.der"), b"nonsense")
    refused(context.load_cert_chain, b"nonsense", read("key.der"))
    context.verify_mode = ssl.CERT_REQUIRED
    refused(context.wrap_socket, socket.socket(), do_handshake_on_connect=False)
    """
    )
    assert lines[:4] == ["invalid cert", "invalid cert", "invalid key", "invalid cert"]
    assert "server_hostname" in lines[4]


@pytest.mark.parametrize("end", [" ", "", "\\n", "\n  ", "\n\t", "\r"], ids=repr)
async def test_pem_without_its_lines_is_refused(device, serve, run, end: str) -> None:
    await serve()
    for name in ("ca", "key.pem"):
        source = device.files / "ca"
        text = source.read_text() if name == "ca" else make.key_pem("secp256r1")
        (device.files / f"{name}.bad").write_text(text.strip().replace("\n", end))
    lines = await run(
        CONNECT
        + """
    for load in (
        lambda: context.load_verify_locations(cadata=read("ca.bad")),
        lambda: context.load_cert_chain(read("certificate.der"), read("key.pem.bad")),
    ):
        try:
            load()
            print("taken")
        except ValueError as error:
            print(error)
    """
    )
    assert [line.startswith("invalid") for line in lines] == [True, True], lines


async def test_kinds_that_mbedtls_does_not_know_are_refused(device, serve, run, micropython) -> None:
    await serve()
    ca = (device.files / "ca").read_text()
    kinds = ("ed25519",) if micropython else ("ed25519", "secp256k1")  # the unix port has more curves
    for kind in kinds:
        (device.files / f"{kind}.pem").write_text(ca + make.pem(make.certificate(kind)))
        (device.files / f"{kind}.key").write_bytes(make.key_der(kind))
    lines = await run(
        CONNECT
        + f"    kinds = {kinds}\n"
        + """
    for kind in kinds:
        for load in (
            lambda: context.load_verify_locations(cadata=read(kind + ".pem")),
            lambda: context.load_cert_chain(read("certificate.der"), read(kind + ".key")),
        ):
            try:
                load()
                print("taken")
            except ValueError as error:
                print(error)
    """
    )
    assert lines == ["invalid cert", "invalid key"] * len(kinds)


async def test_the_module_under_ssl_verifies_from_the_start_and_takes_no_names(run) -> None:
    lines = await run(
        """
        import tls
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        print(context.verify_mode == tls.CERT_REQUIRED)
        def load_ca():
            context.load_verify_locations(cadata=b"")
        def load_pair():
            context.load_cert_chain(certfile=b"", keyfile=b"")
        for call in (load_ca, load_pair):
            try:
                call()
            except TypeError:
                print("TypeError")
        """
    )
    assert lines == ["True", "TypeError", "TypeError"]


LEFT = """
    import esp32
    def left():
        return sum([region[1] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])
    async def until_left(size):
        for _ in range(100):
            if left() == size:
                break
            await asyncio.sleep_ms(10)
        print(size - left())
"""


async def test_a_connection_takes_memory_until_it_is_closed(device: Device, serve, run) -> None:
    await serve()
    device.chip.memory.tls, device.chip.memory.handshake = 35_000, 7_000
    lines = await run(
        CONNECT
        + LEFT
        + """
    async def main():
        before = left()
        stream, _ = await asyncio.open_connection("server.example", 8883, ssl=context)
        stream.write(b"a")
        await stream.drain()
        await stream.readexactly(1)
        print(before - left())
        await stream.wait_closed()
        await until_left(before)
        print(before - sum([region[3] for region in esp32.idf_heap_info(esp32.HEAP_DATA)]))
    asyncio.run(main())
    """
    )
    assert lines[:2] == ["35000", "0"]
    assert int(lines[2]) >= 42_000


FACES = """
    def attempt():
        try:
            context.load_cert_chain(read("certificate.der"), read("key.der"))
            print(asyncio.run(asyncio.wait_for_ms(talk(), 2000)))
        except asyncio.TimeoutError:
            print("silent")
        except (OSError, ValueError, MemoryError) as error:
            print(repr(error))
    attempt()
"""


@pytest.mark.parametrize(
    "face",
    [
        OSError(12, "ENOMEM"),
        OSError(16, "MBEDTLS_ERR_MPI_ALLOC_FAILED"),
        OSError(-17040, "MBEDTLS_ERR_RSA_PUBLIC_FAILED+MBEDTLS_ERR_MPI_ALLOC_FAILED"),
        OSError(-10368, "MBEDTLS_ERR_X509_ALLOC_FAILED"),
        ValueError("invalid key"),
        MemoryError("memory allocation failed, allocating 16717 bytes"),
        SILENCE,
    ],
    ids=str,
)
async def test_the_faces_of_want_of_memory(device: Device, serve, run, face: Exception | str) -> None:
    server = await serve()
    device.chip.memory.starve(face)
    (line,) = await run(CONNECT + FACES)
    told = line.replace("[Errno ", "(").replace("] ", ", ")
    if face == SILENCE:
        assert line == "silent"
    else:
        assert isinstance(face, Exception) and told.startswith(type(face).__name__)
        assert str(face.args[0]) in told
    assert not server.clients
    device.chip.memory.feed()
    assert await run(CONNECT + FACES) == ["True"]


async def test_without_a_block_for_its_buffer_no_connection_begins(device: Device, serve, run) -> None:
    await serve()
    device.chip.memory.starve(None, largest=17_000)
    (line,) = await run(CONNECT + FACES)
    assert line.startswith("OSError") and "12" in line
