"""Which servers mbedTLS refuses and in which words, what it says of a key, and that what is broken stays so.

What is expected here MicroPython v1.25 itself has said, and says again where MICROPYTHON is a path to it.
"""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.host.certificates import key as key_of_kind
from tests.host.certificates import key_der
from tests.host.sim.test_network import JOIN
from tools.sim import Device, World

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
NAME = "server.example"
EXPIRED = "\nThe certificate validity has expired\n"
FUTURE = "\nThe certificate validity starts in the future\n"
WRONG_NAME = "\nThe certificate Common Name (CN) does not match with the expected CN\n"
NOT_TRUSTED = "\nThe certificate is not correctly signed by the trusted CA\n"
WRONG_USE = "\nUsage does not match the extendedKeyUsage extension\n"
BAD_KEY = "\nThe certificate is signed with an unacceptable key (eg bad curve, RSA too short).\n"
BAD_HASH = "\nThe certificate is signed with an unacceptable hash.\n"
BAD_CERTIFICATE = (-31232, "MBEDTLS_ERR_SSL_BAD_CERTIFICATE")
UNKNOWN_EXTENSION = (-9570, "MBEDTLS_ERR_X509_INVALID_EXTENSIONS+MBEDTLS_ERR_ASN1_UNEXPECTED_TAG")
UNKNOWN_POLICY = (-8320, "MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE")
CONN_EOF = (-29312,)
FATAL_ALERT = -30592

Extension = x509.ExtensionType | tuple[x509.ExtensionType, bool]


@dataclass
class Signed:
    """A certificate with its key, and the certificates that a server sends behind it."""

    name: str
    key: Any
    certificate: x509.Certificate
    behind: tuple[x509.Certificate, ...] = ()


def issue(
    *extensions: Extension,
    by: Signed | None = None,
    name: str = NAME,
    kind: str = "secp256r1",
    years: tuple[int, int] = (2020, 2049),
    send: Iterable[Signed] = (),
    hashed: hashes.SHA224 | hashes.SHA512 | None = None,
) -> Signed:
    """A certificate; by: who signs it, None: itself. An extension with True beside it is critical."""
    key = key_of_kind(kind) if kind.isdigit() else ec.generate_private_key(key_of_kind(kind).curve)
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, by.name if by else name)
    ]
    begin, end = datetime.datetime(years[0], 1, 1), datetime.datetime(years[1], 12, 31)
    serial = x509.random_serial_number()
    builder = x509.CertificateBuilder(names[1], names[0], key.public_key(), serial, begin, end)
    for extension in extensions:
        builder = builder.add_extension(*(extension if isinstance(extension, tuple) else (extension, False)))
    certificate = builder.sign(by.key if by else key, hashed or hashes.SHA256())
    return Signed(name, key, certificate, tuple(one.certificate for one in send))


def called(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def address(text: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(text))])


def is_ca(path_length: int | None = None) -> Extension:
    return x509.BasicConstraints(True, path_length), True


def usage(*, sign_certificates: bool) -> Extension:
    flags = [not sign_certificates, False, False, False, False, sign_certificates, False, False, False]
    return x509.KeyUsage(*flags), True


HERE, THERE = called(NAME), called("other.example")
FOR_CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
FOR_SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
FOR_ANYTHING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
CONSTRAINTS = x509.NameConstraints([x509.DNSName("example")], None)
OWN_POLICY, ANY_POLICY = (
    x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(number), None)])
    for number in ("1.2.3.4", "2.5.29.32.0")
)
ROOT = issue(is_ca(), name="Root")
OTHER, NAMESAKE = issue(is_ca(), name="Other"), issue(is_ca(), name="Root")
OLD_ROOT = issue(is_ca(), name="Old Root", years=(2020, 2022))
MIDDLE = issue(is_ca(), by=ROOT, name="Middle")
NO_CA = issue(by=ROOT, name="No CA")
NO_SIGNER = issue(is_ca(), usage(sign_certificates=False), by=ROOT, name="No signer")
SIGNER = issue(is_ca(), usage(sign_certificates=True), by=ROOT, name="Signer")
LAST = issue(is_ca(0), by=ROOT, name="Last")
BEHIND_LAST = issue(is_ca(), by=LAST, name="Behind last")
RENEWED_LAST = issue(is_ca(0), by=LAST, name="Last")
ODD = issue(is_ca(), (UNKNOWN, True), by=ROOT, name="Odd")
OLD_MIDDLE = issue(is_ca(), by=ROOT, name="Old middle", years=(2020, 2022))
WEAK_MIDDLE = issue(is_ca(), by=ROOT, name="Weak middle", kind="1024")
ITSELF = issue(HERE)
NOT_SELF_ISSUED = issue(HERE, by=OTHER)

# The server's certificate, and what the device is told: None, a ValueError's text, or an OSError's arguments.
CASES: dict[str, tuple[Signed, str | tuple | None]] = {
    "good": (issue(HERE, by=ROOT), None),
    "for clients only": (issue(HERE, FOR_CLIENTS, by=ROOT), BAD_CERTIFICATE),
    "for servers": (issue(HERE, (FOR_SERVERS, True), by=ROOT), None),
    "for anything": (issue(HERE, FOR_ANYTHING, by=ROOT), None),
    "for clients, of another": (issue(HERE, FOR_CLIENTS, by=OTHER), NOT_TRUSTED + WRONG_USE),
    "unknown critical": (issue(HERE, (UNKNOWN, True), by=ROOT), UNKNOWN_EXTENSION),
    "unknown": (issue(HERE, UNKNOWN, by=ROOT), None),
    "constraints critical": (issue(HERE, (CONSTRAINTS, True), by=ROOT), UNKNOWN_EXTENSION),
    "constraints": (issue(HERE, CONSTRAINTS, by=ROOT), None),
    "policy critical": (issue(HERE, (OWN_POLICY, True), by=ROOT), UNKNOWN_POLICY),
    "policy": (issue(HERE, OWN_POLICY, by=ROOT), None),
    "any policy critical": (issue(HERE, (ANY_POLICY, True), by=ROOT), None),
    "another name": (issue(THERE, by=ROOT), WRONG_NAME),
    "CN alone": (issue(by=ROOT), None),
    "CN beside another name": (issue(THERE, by=ROOT), WRONG_NAME),
    "CN beside an address": (issue(address("10.0.0.1"), by=ROOT), WRONG_NAME),
    "wildcard": (issue(called("*.example"), by=ROOT), None),
    "wildcard for two labels": (issue(called("*.com"), by=ROOT), WRONG_NAME),
    "wildcard in a label": (issue(called("s*.example"), by=ROOT), WRONG_NAME),
    "capitals": (issue(called("SERVER.Example"), by=ROOT), None),
    "final dot": (issue(called(NAME + "."), by=ROOT), WRONG_NAME),
    "mail": (issue(x509.SubjectAlternativeName([x509.RFC822Name("a@" + NAME)]), by=ROOT), WRONG_NAME),
    "URI": (issue(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(NAME)]), by=ROOT), None),
    "expired": (issue(HERE, by=ROOT, years=(2020, 2022)), EXPIRED),
    "future": (issue(HERE, by=ROOT, years=(2040, 2049)), FUTURE),
    "expired, another name": (issue(THERE, by=ROOT, years=(2020, 2022)), EXPIRED + WRONG_NAME),
    "future, of another": (issue(HERE, by=OTHER, years=(2040, 2049)), NOT_TRUSTED + FUTURE),
    "all at once": (issue(THERE, by=OTHER, years=(2020, 2022)), EXPIRED + WRONG_NAME + NOT_TRUSTED),
    "more than fits": (
        issue(THERE, FOR_CLIENTS, by=OTHER, years=(2020, 2022), kind="1024"),
        (-9984, "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"),
    ),
    "of another": (issue(HERE, by=OTHER), NOT_TRUSTED),
    "of a namesake": (issue(HERE, by=NAMESAKE), NOT_TRUSTED),
    "of an expired root": (issue(HERE, by=OLD_ROOT), EXPIRED),
    "self-signed": (issue(HERE), NOT_TRUSTED),
    "self-signed, trusted": (ITSELF, None),
    "trusted, not self-signed": (NOT_SELF_ISSUED, NOT_TRUSTED),
    "chain": (issue(HERE, by=MIDDLE, send=[MIDDLE]), None),
    "chain with its root": (issue(HERE, by=MIDDLE, send=[MIDDLE, ROOT]), None),
    "chain with a stranger": (issue(HERE, by=MIDDLE, send=[OTHER, MIDDLE]), None),
    "chain, not sent": (issue(HERE, by=MIDDLE), NOT_TRUSTED),
    "chain, no CA": (issue(HERE, by=NO_CA, send=[NO_CA]), NOT_TRUSTED),
    "chain, no signer": (issue(HERE, by=NO_SIGNER, send=[NO_SIGNER]), NOT_TRUSTED),
    "chain, signer": (issue(HERE, by=SIGNER, send=[SIGNER]), None),
    "chain, last": (issue(HERE, by=LAST, send=[LAST]), None),
    "chain, behind the last": (issue(HERE, by=BEHIND_LAST, send=[BEHIND_LAST, LAST]), NOT_TRUSTED),
    "chain, the last renewed": (issue(HERE, by=RENEWED_LAST, send=[RENEWED_LAST, LAST]), NOT_TRUSTED),
    "chain, unknown critical": (issue(HERE, by=ODD, send=[ODD]), UNKNOWN_EXTENSION),
    "chain, expired": (issue(HERE, by=OLD_MIDDLE, send=[OLD_MIDDLE]), EXPIRED),
    "chain, weak": (issue(HERE, by=WEAK_MIDDLE, send=[WEAK_MIDDLE]), BAD_KEY),
    "SHA-224": (issue(HERE, by=ROOT, hashed=hashes.SHA224()), BAD_HASH),
    "SHA-512": (issue(HERE, by=ROOT, hashed=hashes.SHA512()), None),
    "RSA, 2048": (issue(HERE, by=ROOT, kind="2048"), None),
    "RSA, 1024": (issue(HERE, by=ROOT, kind="1024"), BAD_KEY),
    "P-384": (issue(HERE, by=ROOT, kind="secp384r1"), None),
    "secp256k1": (issue(HERE, by=ROOT, kind="secp256k1"), CONN_EOF),
}  # fmt: skip
UNVERIFIED = {  # where nothing is verified, or optionally, what cannot be read still counts
    "another name": None,
    "of another": None,
    "expired": None,
    "for clients only": None,
    "unknown critical": UNKNOWN_EXTENSION,
    "policy critical": UNKNOWN_POLICY,
}
ADDRESSES: dict[str, tuple[Signed, str, str | None]] = {
    "address": (issue(address("127.0.0.1"), by=ROOT), "127.0.0.1", None),
    "another address": (issue(address("127.0.0.2"), by=ROOT), "127.0.0.1", WRONG_NAME),
    "address as DNS name": (issue(called("127.0.0.1"), by=ROOT), "127.0.0.1", None),
    "address as wildcard": (issue(called("*.0.0.1"), by=ROOT), "127.0.0.1", None),
    "address as CN": (issue(by=ROOT, name="127.0.0.1"), "127.0.0.1", None),
    "address as CN, and a name": (issue(HERE, by=ROOT, name="127.0.0.1"), "127.0.0.1", WRONG_NAME),
    "address of 16 bytes": (issue(address("::1"), by=ROOT), "0:0:0:0:0:0:0:1", None),
    "name with a dot behind": (issue(HERE, by=ROOT), NAME + ".", WRONG_NAME),
}  # fmt: skip

SETUP = (
    JOIN
    + """
    import gc, machine, tls
    machine.RTC().datetime((2026, 6, 1, 0, 0, 0, 0, 0))
    def read(name):
        with open(name, "rb") as file:
            return file.read()
    def client(mode=tls.CERT_REQUIRED, trusted=("root",)):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = mode
        for name in trusted:
            context.load_verify_locations(read(name))
        return context
    async def hello(context, host, name):
        stream, _ = await asyncio.open_connection(host, 8883, ssl=context, server_hostname=name)
        try:
            stream.write(b"abc")
            await stream.drain()
            return await stream.readexactly(3)
        finally:
            await stream.wait_closed()
    def attempt(context, host, name="server.example"):
        try:
            print(host, "|", asyncio.run(hello(context, host, name)) == b"ABC")
        except (OSError, ValueError) as error:
            print(host, "|", type(error).__name__, error.args)
            gc.collect()  # which closes the socket: after a bad handshake TLS does not
"""
)
Run = Callable[[str], Awaitable[list[str]]]
Serve = Callable[[str, Signed], Awaitable[None]]


def told(lines: list[str]) -> dict[str, str]:
    return dict(line.split(" | ", 1) for line in lines)


def as_printed(expected: str | tuple | None) -> str:
    if expected is None:
        return "True"
    return f"ValueError {(expected,)}" if isinstance(expected, str) else f"OSError {expected}"


def server_context(signed: Signed, client_root: Signed | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    form = serialization.PrivateFormat.PKCS8
    pem = signed.key.private_bytes(PEM, form, serialization.NoEncryption())
    with tempfile.NamedTemporaryFile() as file:
        certificates = (signed.certificate, *signed.behind)
        file.write(b"".join(one.public_bytes(PEM) for one in certificates) + pem)
        file.flush()
        context.load_cert_chain(file.name)
    if client_root:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_root.certificate.public_bytes(DER))
    return context


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(5000):
            writer.write(data.upper())
            await writer.drain()
    writer.close()


@pytest.fixture
async def serve(world: World, device: Device) -> AsyncIterator[Serve]:
    """Start a server under a name of its own, and put what the device trusts into its flash."""
    trusted = {"root": ROOT, "old root": OLD_ROOT, "itself": ITSELF, "not self-issued": NOT_SELF_ISSUED}
    for name, signed in trusted.items():
        (device.files / name).write_bytes(signed.certificate.public_bytes(DER))
    async with contextlib.AsyncExitStack() as stack:

        async def serve(host: str, signed: Signed, client_root: Signed | None = None) -> None:
            context = server_context(signed, client_root)
            server = await asyncio.start_server(shout, "127.0.0.1", 0, ssl=context)
            world.hosts[host] = (await stack.enter_async_context(server)).sockets[0].getsockname()

        yield serve


async def test_which_servers_are_refused_and_in_which_words(serve: Serve, run: Run, micropython) -> None:
    cases = dict(CASES)
    for name, (signed, _) in cases.items():
        await serve(name, signed)
    lines = await run(
        SETUP
        + f"""
    context = client(trusted=("root", "old root", "itself", "not self-issued"))
    for host in {list(cases)}:
        attempt(context, host)
    """
    )
    assert told(lines) == {name: as_printed(expected) for name, (_, expected) in cases.items()}


async def test_names_that_are_addresses(serve: Serve, run: Run) -> None:
    for name, (signed, _, _) in ADDRESSES.items():
        await serve(name, signed)
    hosts = [(name, host) for name, (_, host, _) in ADDRESSES.items()]
    lines = await run(
        SETUP
        + f"    context = client()\n    for host, name in {hosts}:\n        attempt(context, host, name)"
    )
    assert told(lines) == {name: as_printed(expected) for name, (_, _, expected) in ADDRESSES.items()}


@pytest.mark.parametrize("mode", ["CERT_NONE", "CERT_OPTIONAL"])
async def test_what_cannot_be_read_counts_unverified_too(serve: Serve, run: Run, mode: str) -> None:
    for name in UNVERIFIED:
        await serve(name, CASES[name][0])
    lines = await run(
        SETUP
        + f"""
    context = client(tls.{mode})
    for host in {list(UNVERIFIED)}:
        attempt(context, host)
    """
    )
    assert told(lines) == {name: as_printed(expected) for name, expected in UNVERIFIED.items()}


async def test_without_anything_trusted_nobody_is(serve: Serve, run: Run) -> None:
    await serve("good", CASES["good"][0])
    lines = await run(SETUP + "    attempt(client(trusted=()), 'good')")
    assert told(lines) == {"good": as_printed((-30336, "MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED"))}


KEYS = {  # the certificate's kind, the key's
    "its own": ("secp256r1", None),
    "its own, RSA": ("2048", None),
    "another": ("secp256r1", "secp256r1"),
    "another curve's": ("secp256r1", "secp384r1"),
    "another RSA": ("2048", "3072"),
    "RSA for EC": ("secp256r1", "2048"),
    "EC for RSA": ("2048", "secp256r1"),
}


async def test_a_key_of_another_certificate_is_found_out_by_the_server(
    device: Device, serve: Any, run: Run
) -> None:
    await serve("server", CASES["good"][0], ROOT)
    for name, (kind, other) in KEYS.items():
        signed = issue(by=ROOT, name="client", kind=kind)
        (device.files / f"{name}.crt").write_bytes(signed.certificate.public_bytes(DER))
        form = serialization.PrivateFormat.PKCS8
        own = signed.key.private_bytes(DER, form, serialization.NoEncryption())
        (device.files / f"{name}.key").write_bytes(key_der(other) if other else own)
    lines = await run(
        SETUP
        + f"""
    for name in {list(KEYS)}:
        context = client()
        context.load_cert_chain(read(name + ".crt"), read(name + ".key"))
        print(name, end=": ")
        attempt(context, "server")
    """
    )
    expected = [as_printed(None if other is None else CONN_EOF) for _, other in KEYS.values()]
    assert [line.split(" | ")[1] for line in lines] == expected


async def test_a_certificate_with_an_unknown_critical_extension_cannot_be_loaded(
    device: Device, run: Run
) -> None:
    for name, signed in {"odd": ODD, "odd client": issue((UNKNOWN, True), name="client")}.items():
        (device.files / name).write_bytes(signed.certificate.public_bytes(DER))
    (device.files / "key").write_bytes(key_der("secp256r1"))
    lines = await run(
        SETUP
        + """
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    for load, arguments in (
        (context.load_verify_locations, [read("odd")]),
        (context.load_cert_chain, [read("odd client"), read("key")]),
    ):
        try:
            load(*arguments)
            print("taken")
        except ValueError as error:
            print(error)
    """
    )
    assert lines == ["invalid cert"] * 2


class Shaken:
    """The server's end of a connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = server_context(CASES["good"][0]).wrap_bio(self._in, self._out, server_side=True)

    async def greet(self) -> None:
        """Shake hands and take the client's first words."""
        await self._do(self._tls.do_handshake)
        await self._do(lambda: self._tls.read(100))

    async def alert(self) -> None:
        """Send a fatal alert, encrypted, as after a record that is none."""
        self._in.write(bytes((23, 3, 3, 0, 40)) + bytes(40))
        with contextlib.suppress(ssl.SSLError):
            self._tls.read(100)
        self.writer.write(self._out.read())

    async def bye(self) -> None:
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self.writer.write(self._out.read())

    async def _do(self, action: Callable[[], object]) -> None:
        while True:
            try:
                action()
                self.writer.write(self._out.read())
                return
            except ssl.SSLWantReadError:
                self.writer.write(self._out.read())
                data = await self.reader.read(5000)
                if not data:
                    raise ConnectionError from None
                self._in.write(data)


async def garbage(shaken: Shaken) -> None:
    await shaken.reader.read(100)
    shaken.writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")


async def alert(shaken: Shaken) -> None:
    await shaken.reader.read(1000)
    shaken.writer.write(bytes((21, 3, 3, 0, 2, 2, 40)))


async def hang_up(shaken: Shaken) -> None:
    await shaken.reader.read(1000)
    shaken.writer.close()


async def later_garbage(shaken: Shaken) -> None:
    await shaken.greet()
    shaken.writer.write(b"garbage" * 10)


async def later_forgery(shaken: Shaken) -> None:
    await shaken.greet()
    shaken.writer.write(bytes((23, 3, 3, 0, 40)) + bytes(40))


async def later_alert(shaken: Shaken) -> None:
    await shaken.greet()
    await shaken.alert()


async def later_end(shaken: Shaken) -> None:
    await shaken.greet()
    shaken.writer.close()


async def later_goodbye(shaken: Shaken) -> None:
    await shaken.greet()
    await shaken.bye()


async def later_reset(shaken: Shaken) -> None:
    await shaken.greet()
    await shaken.alert()
    await shaken.writer.drain()
    shaken.writer.close()


# What the server does, what the device does, in letters, and what that says: numbers are OSErrors.
BROKEN = {
    "garbage": (garbage, "wrw", "(-29184, 'MBEDTLS_ERR_SSL_INVALID_RECORD'); -29184; -29184"),
    "alert": (alert, "wrw", "(-30592, 'MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE'); -30592; -30592"),
    "end": (hang_up, "wrwc", "-29312; -29312; -29312; None"),
    "later garbage": (later_garbage, "wrrw", "sent; -29184; -29184; -29184"),
    "later forgery": (later_forgery, "wrrw", "sent; -29056; -29056; -29056"),
    "later alert": (later_alert, "wrrw", "sent; -30592; -30592; -30592"),
    "later end": (later_end, "wrr", "sent; b''; b''"),
    "later goodbye": (later_goodbye, "wr", "sent; b''"),
    "alert behind a failed write": (later_reset, "wWrr", "sent; -32 or -104; -32 or -104; -32 or -104"),
    "closed": (later_alert, "wcrw", "sent; None; (-28928, 'MBEDTLS_ERR_SSL_BAD_INPUT_DATA'); -28928"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_stream_stays_broken(world: World, serve: Serve, run: Run, case: str) -> None:
    behave, steps, expected = BROKEN[case]

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await behave(Shaken(reader, writer))

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        world.hosts["server"] = server.sockets[0].getsockname()
        (line,) = await run(
            SETUP
            + f"""
    async def main():
        stream, _ = await asyncio.open_connection("server", 8883, ssl=client(), server_hostname={NAME!r})
        for step in {steps!r}:
            result = "sent"
            try:
                if step == "w":
                    stream.write(b"abc")
                    await stream.drain()
                elif step == "W":
                    while True:
                        stream.write(b"abc")
                        await stream.drain()
                        await asyncio.sleep_ms(20)
                elif step == "r":
                    result = await stream.read(100)
                else:
                    result = await stream.wait_closed()
            except OSError as error:
                result = str(error)
                assert error.errno == error.args[0]
            print(result, end="; ")
        print()
    asyncio.run(asyncio.wait_for_ms(main(), 20000))
    """
        )
    said = line.rstrip("; ").split("; ")
    for one, allowed in zip(said, expected.split("; "), strict=True):
        assert one in allowed.split(" or "), line
