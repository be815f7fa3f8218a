"""Peers that are no clients, or hostile ones: refused with a reason, and nobody else notices."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, Bench, bench
from tools.cloud import Limits
from tools.cloud.ca import Authority


async def still_serves(cloud: Bench) -> None:
    peer = await cloud.client("still-serves")
    await peer.publish("alive", b"x")


async def refused_handshake(cloud: Bench, context: ssl.SSLContext) -> str:
    """The reason told for a connection that is not accepted; with TLS 1.3 the client learns it later."""
    try:
        reader, writer = await asyncio.open_connection("localhost", cloud.cloud.port, ssl=context)
        writer.write(raw.connect_packet("c"))
        assert await reader.read(100) == b""
    except (ssl.SSLError, ConnectionError):
        pass
    else:
        writer.close()
    event = await cloud.event("refused")
    assert not any(event.kind == "connected" for event in cloud.events)
    return f"{event.reason}: {event.detail}"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_no_certificate(cloud: Bench, version: ssl.TLSVersion, tmp_path: Path) -> None:
    context = raw.client_context(cloud.cloud.root_ca, None, tmp_path)
    context.minimum_version = context.maximum_version = version
    assert "did not return a certificate" in await refused_handshake(cloud, context)
    await still_serves(cloud)


async def test_certificate_of_another_ca(cloud: Bench, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    context = raw.client_context(cloud.cloud.root_ca, other.issue(), tmp_path)
    assert "certificate verify failed" in await refused_handshake(cloud, context)
    await still_serves(cloud)


async def test_certificate_that_is_not_registered(cloud: Bench, tmp_path: Path) -> None:
    """Signed by this cloud's CA, but never entered: as one from a state that was deleted."""
    identity = Authority(tmp_path / "state").issue()
    reason = await refused_handshake(cloud, raw.client_context(cloud.cloud.root_ca, identity, tmp_path))
    assert reason.startswith("AUTH_ERROR") and "not registered" in reason


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED", "PENDING_ACTIVATION"])
async def test_certificate_that_is_not_active(cloud: Bench, tmp_path: Path, status: str) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    certificates = cloud.cloud.registry.list_certificates()["certificates"]
    cloud.cloud.registry.set_certificate_status(certificates[0]["certificateId"], status)
    reason = await refused_handshake(cloud, raw.client_context(cloud.cloud.root_ca, identity, tmp_path))
    assert reason.startswith("AUTH_ERROR") and status in reason


async def test_deactivation_ends_a_connection(cloud: Bench) -> None:
    peer = await cloud.client("c")
    (certificate,) = cloud.cloud.registry.list_certificates()["certificates"]
    cloud.cloud.registry.update_certificate(certificateId=certificate["certificateId"], newStatus="INACTIVE")
    assert await peer.closed() == b""
    event = await cloud.event("disconnected")
    assert (event.reason, event.certificate_id) == ("AUTH_ERROR", certificate["certificateId"])


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", raw.connect_packet("plain"), bytes(range(256)) * 40]
)
async def test_no_tls_at_all(cloud: Bench, garbage: bytes) -> None:
    _, writer = await asyncio.open_connection("localhost", cloud.cloud.port)
    writer.write(garbage)
    assert (await cloud.event("refused")).reason == "TLS"
    writer.close()
    await still_serves(cloud)


async def test_connect_and_go(cloud: Bench) -> None:
    _, writer = await asyncio.open_connection("localhost", cloud.cloud.port)
    writer.close()
    assert (await cloud.event("refused")).reason == "TLS"
    await still_serves(cloud)


async def test_handshake_deadline(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits(handshake_s=0.2)) as cloud:
        reader, _ = await asyncio.open_connection("localhost", cloud.cloud.port)
        assert await reader.read() == b""
        assert "handshake" in (await cloud.event("refused")).detail


async def test_connect_deadline(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits(connect_s=0.2)) as cloud:
        peer = await cloud.open()
        peer.send(raw.connect_packet("c")[:5])
        assert await peer.closed() == b""
        assert "no CONNECT within 0.2 s" in (await cloud.event("refused")).detail


async def test_too_many_connections(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits(connections=2)) as cloud:
        peers = [await cloud.client(f"c{i}") for i in range(2)]
        reader, _ = await asyncio.open_connection("localhost", cloud.cloud.port)
        assert await reader.read() == b""
        assert (await cloud.event("refused")).detail == "too many connections"
        await peers[0].disconnect()
        await peers[1].nothing_more()
        await cloud.connections(1)
        await still_serves(cloud)


async def test_gone_in_the_middle_of_a_packet(cloud: Bench) -> None:
    peer = await cloud.client("c")
    peer.send(raw.publish_packet("a", bytes(100))[:50])
    await peer.writer.drain()
    peer.writer.close()
    event = await cloud.event("disconnected")
    assert event.reason == "CONNECTION_LOST"
    assert "in the middle of a packet (50 bytes" in event.detail


@pytest.mark.parametrize("qos", [0, 1])
async def test_one_that_reads_nothing_stalls_nobody(tmp_path: Path, qos: int) -> None:
    """8 MB for one that reads none: QoS 0 is dropped, QoS 1 waits in its queue; others get all of it."""
    limits = replace(Limits.unthrottled(), write_stall_s=2)
    async with bench(tmp_path, limits=limits) as cloud:
        slow, quick, publisher = [await cloud.client(name) for name in ("slow", "quick", "publisher")]
        await slow.subscribe("a", qos)
        await quick.subscribe("a", 0)
        slow.stop_reading()
        payload = bytes(100_000)
        for i in range(1, 81):
            await publisher.publish("a", payload)
            assert len((await quick.message()).payload) == len(payload), i
        event = await cloud.event("disconnected", lambda event: event.client_id == "slow")
        assert event.reason == "CONNECTION_LOST"
        assert "reads too slowly" in event.detail
        assert ("messages to it were dropped" in event.detail) is (qos == 0)
        await still_serves(cloud)


async def test_one_that_reads_again_gets_all_of_qos_1(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits.unthrottled()) as cloud:
        slow, publisher = await cloud.client("slow"), await cloud.client("publisher")
        await slow.subscribe("a", 1)
        slow.stop_reading()
        for i in range(80):
            await publisher.publish("a", bytes((i,)) * 100_000)
        slow.read_again()
        assert [(await slow.message()).payload[0] for _ in range(80)] == list(range(80))
        await slow.nothing_more()


async def test_write_buffer_has_a_limit(tmp_path: Path) -> None:
    limits = replace(Limits.unthrottled(), write_buffer_limit_bytes=50_000)
    async with bench(tmp_path, limits=limits) as cloud:
        slow, publisher = await cloud.client("slow"), await cloud.client("publisher")
        await slow.subscribe("a", 0)
        slow.stop_reading()
        for _ in range(80):
            await publisher.publish("a", bytes(100_000))
        event = await cloud.event("disconnected", lambda event: event.client_id == "slow")
        assert "50000 bytes wait for a peer that reads none" in event.detail


async def test_a_flood_of_pings_is_answered_in_turn_with_others(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits.unthrottled()) as cloud:
        noisy, quiet = await cloud.client("noisy"), await cloud.client("quiet")
        noisy.send(raw.PINGREQ * 50_000)
        await quiet.publish("a", b"x")
        for _ in range(50_000):
            await noisy.expect(0xD0)
