"""The stand-in's IoT Hub: who gets in and why not, what it takes, what it hangs up on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clouds.azure_certificates import certified
from tests.clouds.bench import Bench, bench
from tests.host.cloud.support import (
    NOW_S,
    Clock,
    Peer,
    connect_packet,
    publish_packet,
    subscribe_packet,
)
from tests.patience import until
from tools.clouds.azure import Azure, ServiceError, Telemetry
from tools.clouds.azure.sas import make, new_key

EVENTS = "devices/d/messages/events/"
INBOX = "devices/d/messages/devicebound/#"
REFUSED = bytes((0, 5))


class Rig(Bench):
    """A hub with one device, `d`."""

    def __init__(self, azure: Azure, running: Bench) -> None:
        self.__dict__ = running.__dict__  # its events and peers
        self.azure = azure
        self.key = azure.hub.create_device("d").keys[0]

    def login(self, until_s: float = NOW_S + 3600, **changes: Any) -> dict[str, Any]:
        """User name and password of `d`."""
        token = make(changes.get("resource", "localhost/devices/d"), changes.get("key", self.key), until_s)
        user = changes.get("user", "localhost/d/?api-version=2021-04-12")
        return {"user": user, "password": changes.get("password", token)}

    async def d(self, *filters: str, clean: bool = False, **login: Any) -> Peer:
        """`d`, connected and subscribed."""
        peer = await self.client("d", clean=clean, **self.login(**login))
        for topic_filter in filters:
            await peer.subscribe(topic_filter)
        return peer

    async def refusal(self, client_id: str = "d", identity: Any = None, **login: Any) -> str:
        """Why a CONNECT is refused."""
        peer = await self.open(identity)
        peer.send(connect_packet(client_id, **login))
        assert await peer.expect(0x20) == REFUSED
        assert await peer.closed() == b""
        refused = [event for event in self.events if event.kind == "refused"]
        self.events.clear()
        return refused[0].detail

    async def hung_up(self, peer: Peer) -> str:
        """Why it hung up, without another byte."""
        assert await peer.closed() == b""
        return (await self.event("disconnected")).detail


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rig(tmp_path: Path, clock: Clock) -> AsyncIterator[Rig]:
    azure = Azure(tmp_path / "state", clock=clock)
    async with bench(azure.front, tmp_path) as running:
        yield Rig(azure, running)


async def test_a_wrong_connect_is_refused_in_words(rig: Rig) -> None:
    login = rig.login
    assert "by none of the keys of localhost/devices/d" in await rig.refusal(**login(key=new_key()))
    assert "for localhost/devices/e, not for" in await rig.refusal(**login(resource="localhost/devices/e"))
    ended = await rig.refusal(**login(until_s=NOW_S - 1))
    assert ended == "the token ended at 2023-11-14 22:13:19 UTC; here it is 2023-11-14 22:13:20 UTC"
    assert "is no token" in await rig.refusal(**login(password="secret"))
    assert "has no sig" in await rig.refusal(**login(password="SharedAccessSignature sr=a&se=1"))
    assert "no api-version" in await rig.refusal(**login(user="localhost/d/?x=1"))
    assert "this hub is localhost" in await rig.refusal(**login(user="other/d/?api-version=1"))
    assert "client id is e" in await rig.refusal("e", **login())
    assert "e is not registered" in await rig.refusal("e", **login(user="localhost/e/?api-version=1"))
    rig.azure.hub.enable_device("d", False)
    assert "d is disabled" in await rig.refusal(**login())
    assert rig.key not in repr((rig.events, rig.azure.hub.device("d")))


async def test_a_certificate_lets_in_its_device_alone(rig: Rig, tmp_path: Path) -> None:
    mine, others = certified(tmp_path, "x"), certified(tmp_path, "y")
    rig.azure.hub.create_device("x", certificate_pem=mine.pem)
    rig.azure.hub.create_device("y", certificate_pem=others.pem)
    user = "localhost/x/?api-version=2021-04-12"
    await rig.client("x", mine.identity, user=user)
    assert "is not the one of device x" in await rig.refusal("x", others.identity, user=user)
    assert "shows no certificate" in await rig.refusal("x", user=user)


async def test_telemetry_has_its_properties_and_retain_becomes_one(rig: Rig) -> None:
    peer = await rig.d()
    await peer.publish(EVENTS + "%24.ct=application%2Fjson&room=a%20b&empty=&none", b"1", retain=True)
    peer.send(publish_packet(EVENTS, b"2"))
    await peer.nothing_more()
    properties = {"$.ct": "application/json", "room": "a b", "empty": "", "none": None, "mqtt-retain": "true"}
    assert list(rig.azure.hub.telemetry) == [Telemetry("d", b"1", properties, 1), Telemetry("d", b"2")]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (publish_packet("mine", b"", 1), "no topics of one's own"),
        (publish_packet("devices/e/messages/events/", b"", 1), "no topics of one's own"),
        (publish_packet("$iothub/twin/GET/", b""), "no topics of one's own"),
        (publish_packet("$iothub/methods/res/okay/?$rid=1", b""), "no topics of one's own"),
        (publish_packet("$iothub/methods/res/200/?$rid=1", b"{"), "is not JSON"),
        (publish_packet(EVENTS, b"", 2), "QoS 2"),
        (publish_packet(EVENTS, bytes(256 * 1024)), "262144 bytes"),
        (subscribe_packet(1, ("mine/#", 1)), "no topics of one's own"),
        (subscribe_packet(1, ("devices/+/messages/devicebound/#", 1)), "no topics of one's own"),
    ],
)
async def test_what_a_hub_does_not_have_ends_the_connection(rig: Rig, packet: bytes, reason: str) -> None:
    peer = await rig.d()
    peer.send(packet)
    assert reason in await rig.hung_up(peer)


async def test_a_subscription_of_qos_2_gets_1(rig: Rig) -> None:
    peer = await rig.d()
    peer.send(subscribe_packet(1, (INBOX, 2)))
    assert await peer.expect(0x90) == bytes((0, 1, 1))


async def test_it_hangs_up_when_the_token_ends_and_a_new_one_finds_all_messages(
    rig: Rig, clock: Clock
) -> None:
    peer = await rig.d(INBOX, until_s=NOW_S + 60)
    rig.azure.hub.send("d", b"1", message_id="m")
    message = await peer.message(acknowledge=False)
    assert message.topic == INBOX[:-1] + "%24.mid=m&%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound"
    clock.now_s += 60
    assert "it has ended: its token, until 2023-11-14 22:14:20 UTC" in await rig.hung_up(peer)
    rig.azure.hub.send("d", b"2", {"n": "2"})
    peer = await rig.d(until_s=clock.now_s + 3600)  # its session has the subscription
    assert [(await peer.message()).payload for _ in "12"] == [b"1", b"2"]
    await until(lambda: not rig.azure.hub.waiting("d"))


async def test_messages_wait_for_a_device_and_not_for_ever(rig: Rig, clock: Clock) -> None:
    hub = rig.azure.hub
    hub.send("d", b"too late", ttl_s=60)
    clock.now_s += 60
    for number in range(49):
        hub.send("d", b"%d" % number)
    with pytest.raises(ServiceError, match="50 messages wait"):
        hub.send("d", b"one too many")
    await rig.refusal(**rig.login(key=new_key()))  # a stranger's clean session takes nothing away
    peer = await rig.d(INBOX)
    assert [(await peer.message()).payload for _ in range(49)] == [b"%d" % n for n in range(49)]
    await peer.disconnect()
    hub.send("d", b"before a clean session")
    peer = await rig.d(INBOX, clean=True)
    await peer.nothing_more()


async def test_a_device_reads_its_twin_and_reports(rig: Rig) -> None:
    peer = await rig.d("$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")
    assert rig.azure.hub.patch_desired("d", {"a": {"b": 1, "c": 2}, "gone": 1}) == 2
    patch = await peer.message()
    assert patch.topic == "$iothub/twin/PATCH/properties/desired/?$version=2"
    assert json.loads(patch.payload) == {"a": {"b": 1, "c": 2}, "gone": 1, "$version": 2}
    rig.azure.hub.patch_desired("d", {"a": {"b": None}, "gone": None})
    assert json.loads((await peer.message()).payload) == {"a": {"b": None}, "gone": None, "$version": 3}

    async def answer(topic: str, payload: bytes = b"") -> tuple[str, bytes]:
        peer.send(publish_packet(topic, payload))
        message = await peer.message()
        return message.topic, message.payload

    report = "$iothub/twin/PATCH/properties/reported/?$rid=7%2F8"
    assert await answer(report, b'{"x": [1], "y": 2}') == ("$iothub/twin/res/204/?$rid=7%2F8&$version=2", b"")
    await answer(report, b'{"y": null}')
    for wrong in (b"{", b"[]", b'{"a.b": 1}', b'{"$version": 1}', json.dumps({"s": "x" * 4097}).encode()):
        topic, body = await answer(report, wrong)
        assert topic == "$iothub/twin/res/400/?$rid=7%2F8", body
    topic, body = await answer("$iothub/twin/GET/?$rid=9")
    assert topic == "$iothub/twin/res/200/?$rid=9"
    twin = {"desired": {"a": {"c": 2}, "$version": 3}, "reported": {"x": [1], "$version": 3}}
    assert json.loads(body) == twin


async def test_a_method_is_answered_in_its_time_or_refused(rig: Rig) -> None:
    hub = rig.azure.hub
    with pytest.raises(ServiceError, match="404103"):
        await hub.invoke("d", "beep")
    peer = await rig.d("$iothub/methods/POST/#")
    call = asyncio.create_task(hub.invoke("d", "beep", {"n": 1}))
    asked = await peer.message()
    assert (asked.topic, asked.payload, asked.qos) == ("$iothub/methods/POST/beep/?$rid=2", b'{"n": 1}', 0)
    peer.send(publish_packet("$iothub/methods/res/200/?$rid=99", b""))  # nobody's
    await peer.publish("$iothub/methods/res/-3/?$rid=2", b'"done"')
    assert await call == (-3, "done")
    with pytest.raises(ServiceError, match=r"504101: d did not answer beep in 0\.01 s"):
        await hub.invoke("d", "beep", timeout_s=0.01)


async def test_one_connection_a_device_and_a_will_that_is_telemetry(rig: Rig) -> None:
    old = await rig.client("d", clean=False, will=(EVENTS + "a=b", b"gone", 1, False), **rig.login())
    new = await rig.d()
    assert "same client id" in await rig.hung_up(old)
    will = Telemetry("d", b"gone", {"a": "b", "iothub-MessageType": "Will"}, 1)
    assert list(rig.azure.hub.telemetry) == [will]
    await new.nothing_more()
    assert "must be on devices/d/" in await rig.refusal(will=("mine", b"", 0, False), **rig.login())
    rig.azure.hub.delete_device("d")
    assert await new.closed() == b""
