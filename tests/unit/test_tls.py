"""TLS's Opener: one SSLContext in its life, garbage collected before each connection. `tls` is a fake."""

import sys

from check import araises
from documents import CLAIM, ROOT
from fakes import FakeChip, forget
from iot import tls
from iot.crypto.pem import certificate


class FakeTls:
    """The module `tls`, and the contexts that were made of it."""

    PROTOCOL_TLS_CLIENT, CERT_REQUIRED = 1, 2

    def __init__(self):
        self.made = []
        self.steps = []

    def SSLContext(self, protocol):
        self.made.append(FakeContext(self.steps))
        return self.made[-1]


class FakeContext:
    def __init__(self, steps):
        self.steps = steps

    def load_verify_locations(self, root):
        self.roots = getattr(self, "roots", []) + [root]

    def set_ciphers(self, names):
        self.ciphers = names

    def load_cert_chain(self, certificate, key):
        self.own = certificate, key

    def wrap_socket(self, sock, server_hostname):
        self.steps.append(("wrap", sock, server_hostname))
        return "tls on " + sock


class FakeAsyncio:
    """`asyncio` and `gc` as the module has them."""

    def __init__(self, steps):
        self.steps = steps

    async def open_connection(self, host, port, ssl, server_hostname):
        self.steps.append(("connect", host, port))
        ssl.wrap_socket("sock", server_hostname=server_hostname)

    def StreamReader(self, *made):
        return made

    def collect(self):
        self.steps.append("collect")


async def opened(times, roots=b"-----root"):
    fake, before, loads = FakeTls(), sys.modules.get("tls"), []
    sys.modules["tls"] = fake
    forget("iot.tls", "iot.trust")
    try:
        from iot import tls as module

        module.asyncio = module.gc = FakeAsyncio(fake.steps)
        load = lambda: loads.append(1) or (roots, b"own", b"key")  # noqa: E731
        opener = module.Opener("cloud", 8883, load)
        streams = []
        for _ in range(times):  # MicroPython has no await in a list's brackets
            streams.append(await opener.open())
    finally:
        forget("iot.tls", "iot.trust")
        del sys.modules["tls"]
        if before:
            sys.modules["tls"] = before
    return fake, streams, loads


async def test_one_context_serves_every_connection():
    fake, streams, loads = await opened(3)
    assert len(fake.made) == len(loads) == 1
    assert fake.made[0].verify_mode == FakeTls.CERT_REQUIRED and fake.made[0].own == (b"own", b"key")
    assert streams == [("tls on sock", {"socket": "sock"})] * 3


async def test_garbage_is_collected_before_each_handshake_and_the_name_is_verified():
    fake, _, _ = await opened(2)
    assert fake.steps == ["collect", ("connect", "cloud", 8883), "collect", ("wrap", "sock", "cloud")] * 2


async def test_a_place_is_kept_for_a_stream_until_it_is_made():
    """From before its certificates are read, so that it lies low, and does not part what is free above."""
    rooms = []
    load = lambda: rooms.append(len(opener._room)) or (b"-----root", b"own", b"key")  # noqa: E731
    fake, before = FakeTls(), sys.modules.get("tls")
    sys.modules["tls"] = fake
    try:
        opener = tls.Opener("cloud", 8883, load)
        opener.prepare()
        rooms.append(len(opener._room))
        opener.wrap_socket("sock", server_hostname="cloud")
    finally:
        del sys.modules["tls"]
        if before:
            sys.modules["tls"] = before
    assert rooms == [1536, 1536] and opener._room is None and fake.steps == [("wrap", "sock", "cloud")]


async def test_mbedtls_is_given_one_root_at_a_time():
    root, another = certificate(ROOT), certificate(CLAIM)
    for roots in ([root], [root, another], [another, root, another]):
        fake, _, _ = await opened(1, b"".join(roots))
        assert fake.made[0].roots == roots
    fake, _, _ = await opened(1)
    assert fake.made[0].roots == [b"-----root"], "PEM as firmware up to 0.1 stored it, all at once"
    await araises(ValueError, "damaged", opened(1, root[:-1]))


async def test_a_chain_of_ecdsa_is_asked_for_where_nothing_else_is_trusted():
    root = certificate(ROOT)
    fake, _, _ = await opened(1, root)
    assert [name[:16] for name in fake.made[0].ciphers] == ["TLS-ECDHE-ECDSA-"] * 2
    rsa = root[:40] + b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" + root[49:]
    fake, _, _ = await opened(1, root + rsa)
    assert not hasattr(fake.made[0], "ciphers"), "as far as the name tells, this server may have RSA alone"


def test_want_of_memory_is_asked_of_who_knows_it():
    with FakeChip(largest=40_000):
        for error, is_starved in (
            (MemoryError(), True),
            (OSError(12, "x"), True),
            (OSError(113, "x"), False),
        ):
            assert tls.is_starved(error) == is_starved
