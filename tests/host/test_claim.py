"""What is said of a claim that is refused, as far as its certificate tells."""

import datetime
import sys
import types
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fakes import FakeLog, forget
from iot.mqtt.packet import MQTTError, Refused, Starved

AWS = {"endpoint": "broker.example.com", "port": 8883, "template": "T", "parameters": {}, "keys": "device"}
NOW = datetime.datetime.now(datetime.UTC)
REFUSED = "closed by the broker: TLS alert, certificate expired"


def certificate(ends: datetime.datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "claim")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, ends - datetime.timedelta(1), ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class FakeStore:
    def __init__(self, claim: bytes) -> None:
        self.claim = claim

    def renewal(self, state: bytes | None = None) -> bytes | None:
        return state

    def claim_credentials(self) -> tuple[bytes, bytes, bytes]:
        return b"", self.claim, b""


@pytest.fixture(autouse=True)
def chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the module asks of a chip: that there is TLS, and that memory is no matter."""
    esp32 = types.ModuleType("esp32")
    vars(esp32).update(HEAP_DATA=0, idf_heap_info=lambda kind: [(1 << 17, 1 << 16, 1 << 16, 0)])
    monkeypatch.setitem(sys.modules, "esp32", esp32)
    monkeypatch.setitem(sys.modules, "tls", types.ModuleType("tls"))
    forget("iot.aws.claim", "iot.bt_memory", "iot.tls")
    yield
    forget("iot.aws.claim", "iot.bt_memory", "iot.tls")


async def told(ends: datetime.datetime, error: Exception) -> list[str]:
    """Reasons why the cloud was not reached, in one try that fails as `error`."""
    from iot.aws.claim import Claim  # noqa: PLC0415

    async def ready() -> None:
        pass

    async def fail() -> None:
        raise error

    events: list[tuple[str, object]] = []
    store = FakeStore(certificate(ends))
    claim = Claim(AWS, lambda: store, "lamp-7", ready, {}, FakeLog())
    claim._provision = fail
    await claim.run(1, lambda *event: events.append(event))
    assert [detail for name, detail in events if name == "connecting"] == [True, False]
    return [str(detail) for name, detail in events if name == "unreached"]


async def test_one_that_has_expired_is_told_as_such() -> None:
    ends = NOW - datetime.timedelta(minutes=1)
    expected = f"; the claim's certificate has expired, on {ends:%Y-%m-%dT%H:%M:%SZ}"
    assert await told(ends, Refused(REFUSED)) == [REFUSED + expected]


async def test_one_for_minutes_does_not_tell_its_end() -> None:
    expected = "closed by the broker; a claim that was made for minutes may have expired"
    assert await told(NOW + datetime.timedelta(days=1), Refused("closed by the broker")) == [expected]


@pytest.mark.parametrize("error", [MQTTError("no CONNACK"), Starved("no memory"), OSError("flash")])
async def test_what_is_no_refusal_says_nothing_of_the_claim(error: Exception) -> None:
    assert await told(NOW - datetime.timedelta(days=1), error) == [str(error)]


async def test_its_messages_lie_in_the_buffers_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from iot.aws import claim as module  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "machine", types.ModuleType("machine"))
    from iot.bt_memory import _LEAST  # noqa: PLC0415

    made: list[module.Client] = []

    class Client(module.Client):
        async def connect(self) -> None:
            made.append(self)
            raise MQTTError("no CONNACK")

    monkeypatch.setattr(module, "Client", Client)
    buffers = bytearray(_LEAST), bytearray(_LEAST)
    for given in (buffers, None):
        claim = module.Claim(
            AWS | {"keys": "service"}, FakeStore, "lamp-7", None, {}, FakeLog(), False, given
        )
        with pytest.raises(MQTTError):
            await claim._provision()
    lent, own = ((client.outbox.view, client.inbox.framer.room()) for client in made)
    assert all(view.obj is buffer for view, buffer in zip(lent, buffers, strict=True))
    assert list(map(len, lent)) == list(map(len, own)), "as long as it asks for"
