"""Alibaba's stand-in: what its documentation says and the link kit does not do."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clouds.bench import Bench, bench
from tests.host.cloud.support import Clock, Peer, connect_packet, publish_packet, subscribe_packet
from tools.clouds.alibaba import Alibaba, Device, OfflineError
from tools.clouds.alibaba.sign import SignIn, sign

POST, SET = "thing/event/property/post", "thing/service/property/set"
GET = "thing/property/desired/get"


@pytest.fixture
def cloud(tmp_path: Path) -> Alibaba:
    return Alibaba(tmp_path / "state", clock=Clock())


@pytest.fixture
def device(cloud: Alibaba) -> Device:
    return cloud.create_device("pk", "lamp", custom_topics={"up/+": "PUB", "down": "SUB", "both": "ALL"})


@pytest.fixture
async def running(cloud: Alibaba, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(cloud.front, tmp_path) as it:
        yield it


def signed(
    device: Device, method: str = "hmacsha256", secret: str = "", mode: str = "2", **more: Any
) -> bytes:
    """A CONNECT as documented, or one with something wrong."""
    client_id = f"{device.name}|securemode={mode},signmethod={method},timestamp=1700000000000|"
    asked = {"client_id": client_id, "user": device.user_name} | more
    content = SignIn("lamp", {"timestamp": "1700000000000"}, device.name, device.product).content()
    password = sign(content, secret or device.secret, method if method.startswith("hmac") else "hmacsha256")
    return connect_packet(password=password.upper(), **asked)


async def lamp(running: Bench, device: Device, *listens: str) -> Peer:
    peer = await running.open()
    peer.send(signed(device))
    assert await peer.expect(0x20) == b"\0\0"
    for topic in listens:
        await peer.subscribe(device.system + topic)
    return peer


async def ask(peer: Peer, device: Device, topic: str, request: Any) -> dict[str, Any]:
    """A request's answer."""
    await peer.publish(device.system + topic, json.dumps(request).encode())
    answer = await peer.message()
    assert answer.topic == f"{device.system}{topic}_reply"
    return json.loads(answer.payload)


def test_the_signature_is_that_of_the_published_example() -> None:
    """ "Establish MQTT connections over TCP" has this one, its case does not matter."""
    signed_in = SignIn.parse("12345|securemode=3,signmethod=hmacsha1,timestamp=789|", "device&pk")
    assert signed_in.content() == "clientId12345deviceNamedeviceproductKeypktimestamp789"
    published = "FAFD82A3D602B37FB0FA8B7892F24A477F851A14"
    assert sign(signed_in.content(), "secret", "hmacsha1").upper() == published
    tls = SignIn(signed_in.client_id, signed_in.options | {"securemode": "2"}, "device", "pk")
    tls.check(published.encode(), "secret")


@pytest.mark.parametrize(
    ("wrong", "code", "reason"),
    [
        ({"secret": "another"}, 4, "password: not what the device's secret signs"),
        ({"user": "other&pk"}, 5, "user name: no device other of pk"),
        ({"user": "lamp"}, 4, "user name: not of the form DEVICE&PRODUCT"),
        ({"client_id": "lamp"}, 2, "client id: not of the form"),
        ({"client_id": f"{'x' * 65}|securemode=2|"}, 2, "client id: 1 to 64 characters"),
        ({"mode": "3"}, 2, "client id: securemode=3, which is not TLS's (2)"),
        ({"method": "none"}, 2, "client id: signmethod=none, not one of"),
        ({"keep_alive_s": 29}, None, "keep-alive of 29 s, it must be of 30 to 1200 s"),
        ({"keep_alive_s": 0}, None, "keep-alive of 0 s, it must be of 30 to 1200 s"),
    ],
)
async def test_whoever_is_refused(
    running: Bench, device: Device, wrong: dict[str, Any], code: int | None, reason: str
) -> None:
    peer = await running.open()
    peer.send(signed(device, **wrong))
    if code is not None:
        assert await peer.expect(0x20) == bytes((0, code))
    assert await peer.closed() == b""
    event = await running.event("refused")
    assert event.detail.startswith(reason) and device.secret not in str(event)


@pytest.mark.parametrize("method", ["hmacmd5", "hmacsha1", "hmacsha256"])
async def test_each_way_to_sign(running: Bench, device: Device, method: str) -> None:
    peer = await running.open()
    peer.send(signed(device, method))
    assert await peer.expect(0x20) == b"\0\0"


async def test_properties_are_taken_with_their_times_and_answered(running: Bench, device: Device) -> None:
    peer = await lamp(running, device, f"{POST}_reply")
    params = {"led": True, "temperature": {"value": 21.5, "time": 1700000000000}}
    request = {"id": "7", "version": "1.0", "params": params, "method": "thing.event.property.post"}
    answer = await ask(peer, device, POST, request)
    assert answer == {"code": 200, "data": {}, "id": "7", "message": "success", "version": "1.0",
                      "method": "thing.event.property.post"}  # fmt: skip
    assert device.properties == {"led": True, "temperature": 21.5}
    assert (await ask(peer, device, POST, {**request, "params": [1]}))["code"] == 460
    await peer.publish(device.system + POST, json.dumps({**request, "sys": {"ack": 0}}).encode())
    await peer.nothing_more()


@pytest.mark.parametrize(
    "payload", [b"{", b"[" * 50_000, b"[]", b'{"id": 7}', b'{"id": "4294967296"}', b"\xff"]
)
async def test_a_request_that_cannot_be_answered_is_told(
    running: Bench, device: Device, payload: bytes
) -> None:
    peer = await lamp(running, device, f"{POST}_reply")
    await peer.publish(device.system + POST, payload)
    await peer.nothing_more()
    assert (await running.event("rejected")).reason == "event/property/post"


async def test_what_is_desired_waits_for_the_device(running: Bench, cloud: Alibaba, device: Device) -> None:
    cloud.set_desired(device, {"led": True, "level": 3})
    peer = await lamp(running, device, f"{GET}_reply", SET)
    answer = await ask(peer, device, GET, {"id": "1", "params": ["led", "other"]})
    assert answer["data"] == {"led": {"value": True, "version": 1}}
    cloud.set_desired(device, {"led": False})
    sent = await peer.message()
    assert sent.topic == device.system + SET and json.loads(sent.payload)["params"] == {"led": False}
    await peer.subscribe(f"{device.system}thing/property/desired/delete_reply")
    request = {"id": "2", "params": {"led": {"version": 1}, "level": {}}}
    assert (await ask(peer, device, "thing/property/desired/delete", request))["code"] == 200
    assert device.desired == {"led": (False, 2)}, "the wish of another version stays"


async def test_a_service_is_called_and_its_answer_waited_for(
    running: Bench, cloud: Alibaba, device: Device
) -> None:
    with pytest.raises(OfflineError, match="device lamp: it is not connected, or does not listen to beep"):
        await cloud.invoke(device, "beep")
    peer = await lamp(running, device, "thing/service/+")
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        await cloud.invoke(device, "beep", timeout_s=0.01)
    await peer.message()
    calling = asyncio.create_task(cloud.invoke(device, "beep", {"times": 2}))
    called = await peer.message()
    request = json.loads(called.payload)
    assert (called.topic, request["params"]) == (f"{device.system}thing/service/beep", {"times": 2})
    answer = {"id": request["id"], "code": 200, "data": {"beeped": 2}}
    await peer.publish(f"{called.topic}_reply", json.dumps(answer).encode())
    assert await calling == answer


@pytest.mark.parametrize(
    "sent",
    [
        publish_packet("/pk/lamp/user/up/a", b"x", 2),
        publish_packet("/pk/lamp/user/down", b"x", 1),
        publish_packet("/pk/lamp/user/up/a/b", b"x", 1),
        publish_packet("/pk/other/user/up/a", b"x", 1),
        publish_packet("/sys/pk/other/thing/event/property/post", b"{}", 1),
        publish_packet("/sys/pk/lamp/thing/event/property/post_reply", b"{}", 1),
        publish_packet("/sys/pk/lamp/thing/service/property/set", b"{}", 1),
        publish_packet("telemetry", b"x", 1),
        publish_packet("/pk/lamp/user/up/a", bytes(256 * 1024 + 1), 1),
    ],
)
async def test_what_it_answers_by_hanging_up(running: Bench, device: Device, sent: bytes) -> None:
    peer = await lamp(running, device)
    peer.send(sent)
    assert await peer.closed() == b""
    assert (await running.event("disconnected")).reason == "CLIENT_ERROR"


async def test_a_device_may_listen_to_what_is_its_own(running: Bench, cloud: Alibaba, device: Device) -> None:
    peer = await lamp(running, device)
    own = ("/pk/lamp/user/down", "/pk/lamp/user/both", "/sys/pk/lamp/thing/#", "/broadcast/pk/+")
    others = ("/pk/lamp/user/up/a", "/pk/lamp/user/#", "/sys/pk/other/thing/#", "/sys/pk/#", "#", "telemetry")
    peer.send(subscribe_packet(1, *((topic, 1) for topic in (*own, *others))))
    assert await peer.expect(0x90) == b"\0\1" + b"\1" * len(own) + b"\x80" * len(others)
    await peer.publish("/pk/lamp/user/up/a", b"hello")
    assert list(device.messages) == [("up/a", b"hello")]
    cloud.send(device, "down", b"hi", qos=0)
    assert ((message := await peer.message()).payload, message.qos) == (b"hi", 0)


def test_a_device_that_cannot_be(cloud: Alibaba, device: Device) -> None:
    for product, name in (("p/k", "lamp"), ("pk", ""), ("pk", "a&b"), ("pk", "lamp")):
        with pytest.raises(ValueError, match=r"no names|one already"):
            cloud.create_device(product, name)
    assert device.secret not in repr(device)
