"""A certificate counts at the moment it is used: deactivated or revoked, it is out from then on."""

import asyncio
import ssl

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, Bench, Peer
from tools.cloud.ca import certificate_id

AT = ("after the handshake", "with half a CONNECT sent", "connected", "subscribed", "with a will")


async def brought_to(peer: Peer, at: str) -> None:
    whole = raw.connect_packet("c", will=("ok/gone", b"bye", 1, False) if at == "with a will" else None)
    if at == "with half a CONNECT sent":
        peer.send(whole[:-1])
    elif at != "after the handshake":
        peer.send(whole)
        await peer.expect(0x20)
    if at == "subscribed":
        await peer.subscribe("ok/+")


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
@pytest.mark.parametrize("at", AT)
async def test_from_that_moment_on_it_is_out(cloud: Bench, at: str, status: str) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    listener = await cloud.client("listener")
    await listener.subscribe("ok/#")
    peer = await cloud.open(identity)
    await brought_to(peer, at)
    cloud.cloud.registry.update_certificate(certificateId=certificate_id(identity[0]), newStatus=status)
    if at in AT[:2]:
        peer.send(raw.connect_packet("c") if at == AT[0] else raw.connect_packet("c")[-1:])
    peer.send(raw.publish_packet("ok/telemetry", b"x", 1))
    assert await peer.closed() == b"", "neither CONNACK nor PUBACK"
    event = await cloud.event("refused" if at in AT[:2] else "disconnected")
    assert event.reason == "AUTH_ERROR" and status in event.detail
    if at == "with a will":
        assert (await listener.message()).payload == b"bye"  # AWS sends it then, too
    await listener.nothing_more()


async def test_a_client_that_is_refused_in_the_handshake_is_told_by_an_alert(cloud: Bench) -> None:
    context = ssl.create_default_context(cadata=cloud.cloud.root_ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError) as told:
        await asyncio.open_connection("localhost", cloud.cloud.port, ssl=context)  # without a certificate
    assert "ALERT" in (told.value.reason or "")
