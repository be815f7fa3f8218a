"""Device Advisor's cases of TLS 1.2 (AWS IoT Core Developer Guide, "Device Advisor test cases: TLS").

What it calls a pass is that the handshake is completed or, before a server that proves nothing, is not.
"""

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.advisor.advisor import APP, COMMANDS, Advisor
from tests.advisor.wire import ALERT, FRAGMENT_BYTES, GCM_BYTES, HANDSHAKE
from tests.patience import until
from tests.system.house import HOST, START_S, both_chains
from tests.system.impostor import impostor
from tools.cloud import packet as mqtt
from tools.cloud.ca import Authority, ServerChain

# "Transport security in AWS IoT Core": those of TLS 1.2, as OpenSSL calls them; first the recommended ones.
RECOMMENDED = {
    f"ECDHE-{kind}-{cipher}"
    for kind in ("ECDSA", "RSA")
    for cipher in ("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA384")
}
SUPPORTED = (
    RECOMMENDED
    | {f"ECDHE-{kind}-{cipher}" for kind in ("ECDSA", "RSA") for cipher in ("AES128-SHA", "AES256-SHA")}
    | {"AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA"}
)
SIGNALLING = 0x00FF  # TLS_EMPTY_RENEGOTIATION_INFO_SCSV is no cipher suite
LARGER = 1.2  # "by 20 percent"
UNKNOWN_CA, BAD_CERTIFICATE, EXPIRED = 48, 42, 45  # alerts: RFC 5246, 7.2
FOREVER = datetime.datetime(2049, 1, 1)


@both_chains
async def test_tls_connect(advisor: Advisor) -> None:
    await advisor.start()
    assert not advisor.wire.connections[-1].alerts()


def _names(suites: list[int]) -> set[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    names = {int(cipher["id"]) & 0xFFFF: str(cipher["name"]) for cipher in context.get_ciphers()}
    return {names.get(suite, f"{suite:#06x}") for suite in suites if suite != SIGNALLING}


@pytest.mark.parametrize("server_chain", ["p256", "rsa"])
async def test_tls_support_aws_iot_cipher_suites(advisor: Advisor, server_chain: ServerChain) -> None:
    """It offers recommended ones: of ECDSA alone where a root can verify such a chain; else all of them, and
    of those that AWS has not only CCM's, a pass with warnings."""
    await advisor.start()
    offered = _names(advisor.wire.connections[-1].cipher_suites())
    if server_chain == "p256":
        assert offered == {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"}
        return
    assert offered >= RECOMMENDED
    assert all("CCM" in name for name in offered - SUPPORTED), offered - SUPPORTED


async def test_tls_receive_maximum_size_fragments(advisor: Advisor) -> None:
    """Records as large as can be come through; the message in them, too large to be kept, is acknowledged."""
    device = await advisor.start()
    await advisor.hears(mqtt.Subscribe)
    await device.chip.clock.sleep(2)  # what the job service says is acknowledged by then
    since = len(advisor.heard)
    await advisor.publish(b"x" * (128 * 1024))
    await device.expect(rf"dropped \d+ bytes on {COMMANDS}", START_S)
    await advisor.hears(mqtt.Puback, 1, since)
    await advisor.publish(b"small")
    await device.expect("app: got small", START_S)
    assert advisor.wire.connections[-1].largest_fragment() == FRAGMENT_BYTES + GCM_BYTES
    assert len(advisor.of(mqtt.Connect)) == 1


@pytest.mark.parametrize("server_chain", ["rsa"])
@pytest.mark.parametrize("hosts", [("localhost", HOST, *(f"{n:02}.iot.example.com" for n in range(60)))])
async def test_tls_large_size_server_cert(advisor: Advisor) -> None:
    """A chain as Amazon's, and by many names a fifth larger."""
    (advisor.folder / "usual").mkdir()
    Authority(advisor.folder / "usual", "rsa").server_context(("localhost", HOST))
    usual = x509.load_pem_x509_certificates((advisor.folder / "usual/server.pem").read_bytes())
    await advisor.start()
    usual_bytes = sum(len(certificate.public_bytes(Encoding.DER)) for certificate in usual)
    assert advisor.wire.connections[-1].chain_bytes() >= LARGER * usual_bytes


async def _refuses(
    advisor: Advisor,
    alert: int,
    reason: str,
    host: str = HOST,
    until_: datetime.datetime = FOREVER,
    server_chain: ServerChain = "p256",
    trusted: bool = True,
) -> None:
    """The device closes the connection behind an alert, and has said no more than its ClientHello."""
    async with impostor(advisor.folder, host, until_, server_chain=server_chain) as server:
        advisor.wire.target = server.port
        device = advisor.device(APP)
        own = {"root_ca": server.root} if trusted else {}
        await advisor.normal(device, advisor.configuration(**own))
        # What it says of the first one is judged, so that a device that trusts whoever comes fails at once.
        told = await device.expect(r"W cloud: disconnected: (.*)|I cloud: connected", START_S)
        assert reason in (told[1] or ""), told[0]
        await device.expect(r"W cloud: disconnected", START_S)  # and it goes on trying
        await until(lambda: len(advisor.wire.connections) > 1)
        first = advisor.wire.connections[0]
        assert first.said() == [HANDSHAKE, ALERT] and first.alerts() == [alert]
        assert not any(server.heard) and not advisor.heard


@both_chains
async def test_tls_unsecure_server_cert(advisor: Advisor, server_chain: ServerChain) -> None:
    reason = "not correctly signed by the trusted CA"
    await _refuses(advisor, UNKNOWN_CA, reason, server_chain=server_chain, trusted=False)


@both_chains
async def test_tls_incorrect_subject_name_server_cert(advisor: Advisor, server_chain: ServerChain) -> None:
    reason = "does not match with the expected CN"
    await _refuses(advisor, BAD_CERTIFICATE, reason, "other.example.com", server_chain=server_chain)


async def test_tls_expired_server_cert(advisor: Advisor) -> None:
    ended = datetime.datetime(2024, 1, 1)
    await _refuses(advisor, EXPIRED, "validity has expired", until_=ended)
