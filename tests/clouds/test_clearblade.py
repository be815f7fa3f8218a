"""ClearBlade IoT Core's stand-in: devices are paho-mqtt with tokens that PyJWT makes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.clouds.bench import Bench, bench
from tests.clouds.paho_peer import PahoPeer
from tests.host.cloud.support import (
    NOW_S,
    Clock,
    Peer,
    client_context,
    connect_packet,
    publish_packet,
    subscribe_packet,
)
from tests.patience import until
from tools.cloud import packet as mqtt
from tools.clouds.clearblade import ClearBlade, NotSubscribedError
from tools.clouds.clearblade.token import TokenError, judge

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
CONFIG, COMMANDS, EVENTS = "/devices/lamp/config", "/devices/lamp/commands/#", "/devices/lamp/events"


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def token(key: Any = KEY, algorithm: str = "ES256", **claims: Any) -> str:
    """Of an hour, unless claims say otherwise; one that is None is left out."""
    made = {"iat": NOW_S, "exp": NOW_S + 3600, "aud": "project"} | claims
    return jwt.encode({name: one for name, one in made.items() if one is not None}, key, algorithm)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock, tmp_path: Path) -> ClearBlade:
    made = ClearBlade(tmp_path / "state", clock=clock)
    made.create_device("lamp", pem(OTHER), pem(KEY))
    return made


@pytest.fixture
async def running(cloud: ClearBlade, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(cloud.front, tmp_path) as it:
        yield it


async def lamp(running: Bench, cloud: ClearBlade, clean: bool = True) -> Peer:
    """A raw client that is let in."""
    return await running.client(cloud.client_id("lamp"), user="unused", password=token(), clean=clean)


def paho_lamp(cloud: ClearBlade, password: str) -> PahoPeer:
    context = client_context(cloud.root_pem, None, Path())
    return PahoPeer(cloud.port, context, cloud.client_id("lamp"), "unused", password)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_a_devices_life_by_paho_and_pyjwt(running: Bench, cloud: ClearBlade, algorithm: str) -> None:
    key: Any = KEY
    if algorithm == "RS256":
        key = rsa.generate_private_key(65537, 2048)
        cloud.device("lamp").keys[:] = [key.public_key()]
    device = cloud.device("lamp")
    async with paho_lamp(cloud, token(key, algorithm)) as peer:
        assert peer.answer == "Success"
        for qos in (0, 1):
            await peer.publish(EVENTS, bytes([qos]), qos)
        await peer.publish(f"{EVENTS}/alarms/fire", b"!")
        await peer.publish("/devices/lamp/state", b"on")
        assert list(device.events) == [("", b"\0"), ("", b"\1"), ("alarms/fire", b"!")]
        assert list(device.states) == [b"on"]
        assert await peer.subscribe(CONFIG, 2) == 1
        assert await peer.heard(1) == [(CONFIG, b"")], "the first version is empty, and sent"
        assert cloud.set_config("lamp", b"every 10 s") == 2
        assert await peer.subscribe(COMMANDS) == 1
        cloud.send_command("lamp", b"beep", "sound/loud")
        heard = await peer.heard(3)
        assert heard[1:] == [(CONFIG, b"every 10 s"), ("/devices/lamp/commands/sound/loud", b"beep")]
        await until(lambda: device.config.acknowledged_s == NOW_S, "the acknowledged configuration")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "Signature verification failed"),
        ({"aud": "another"}, "Audience doesn't match"),
        ({"aud": ["project"]}, "Invalid claim format in token"),
        ({"aud": None}, 'Token is missing the "aud" claim'),
        ({"iat": None}, 'Token is missing the "iat" claim'),
        ({"exp": None}, 'Token is missing the "exp" claim'),
        ({"iat": "now"}, "iat: not a number of seconds"),
        ({"exp": float("nan")}, "exp: not a number of seconds"),
        ({"iat": NOW_S + 601}, "iat: 601 s ahead of the cloud's clock, 600 s at most"),
        ({"iat": NOW_S - 7200, "exp": NOW_S - 600}, "exp: it ended 600 s ago"),
        ({"exp": NOW_S + 24 * 3600 + 601}, "exp: 87001 s after iat, 86400 s at most"),
        ({"key": "s" * 32, "algorithm": "HS256"}, "The specified alg value is not allowed"),
        ({"key": None, "algorithm": "none"}, "The specified alg value is not allowed"),
    ],
)
def test_a_token_that_does_not_count(made: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenError) as refused:
        judge(token(**made), [OTHER.public_key(), KEY.public_key()], "project", NOW_S)
    assert str(refused.value).startswith(reason)


def test_clocks_may_differ_by_ten_minutes() -> None:
    keys = [KEY.public_key()]
    assert judge(token(), keys, "project", NOW_S - 600) == NOW_S + 3600 + 600
    assert judge(token(), keys, "project", NOW_S + 3600 + 599) == NOW_S + 3600 + 600
    with pytest.raises(TokenError, match="padding"):
        judge(token() + "=", keys, "project", NOW_S)


@pytest.mark.parametrize(
    ("client_id", "code"),
    [
        (
            "projects/project/locations/us-central1/registries/registry/devices/lamp",
            mqtt.BAD_USER_NAME_OR_PASSWORD,
        ),
        ("projects/project/locations/us-central1/registries/registry/devices/none", mqtt.IDENTIFIER_REJECTED),
        ("projects/other/locations/us-central1/registries/registry/devices/lamp", mqtt.IDENTIFIER_REJECTED),
        ("lamp", mqtt.IDENTIFIER_REJECTED),
    ],
)
async def test_whoever_it_does_not_know_is_refused_and_no_token_is_told(
    running: Bench, client_id: str, code: int
) -> None:
    secret = token(OTHER, aud="another")
    peer = await running.open()
    peer.send(connect_packet(client_id, user="unused", password=secret))
    assert await peer.expect(0x20) == bytes((0, code))
    assert await peer.closed() == b""
    event = await running.event("refused")
    assert event.detail and not set(secret.split(".")) & set(str(event).split())


async def test_the_connection_ends_with_its_token_and_a_new_one_opens_the_next(
    running: Bench, cloud: ClearBlade, clock: Clock
) -> None:
    peer = await lamp(running, cloud)
    clock.now_s += 3600 + 599
    await peer.publish(EVENTS, b"still")
    clock.now_s += 1
    assert await peer.closed() == b""
    assert (await running.event("disconnected")).reason == "AUTH_ERROR"
    late = await running.open()
    late.send(connect_packet(cloud.client_id("lamp"), user="", password=token()))
    assert await late.expect(0x20) == bytes((0, mqtt.BAD_USER_NAME_OR_PASSWORD))
    fresh = token(iat=clock.now_s, exp=clock.now_s + 60)
    again = await running.client(cloud.client_id("lamp"), user="", password=fresh)
    await again.publish(EVENTS, b"again")
    assert list(cloud.device("lamp").events) == [("", b"still"), ("", b"again")]


@pytest.mark.parametrize(
    "sent",
    [
        publish_packet(EVENTS, b"x", 2),
        publish_packet("telemetry", b"x", 1),
        publish_packet("/devices/other/events", b"x", 1),
        publish_packet(CONFIG, b"x", 1),
        publish_packet(f"{EVENTS}x", b"x", 1),
        publish_packet("/devices/lamp/state/more", b"x", 1),
        publish_packet("/devices/lamp/state", bytes(64 * 1024 + 1), 1),
        publish_packet(EVENTS, bytes(256 * 1024 + 1), 1),
        subscribe_packet(1, ("#", 1)),
        subscribe_packet(1, (CONFIG, 1), ("/devices/other/config", 1)),
        subscribe_packet(1, ("/devices/lamp/commands/sound", 1)),
        subscribe_packet(1, ("/devices/+/config", 1)),
    ],
)
async def test_what_it_answers_by_hanging_up(running: Bench, cloud: ClearBlade, sent: bytes) -> None:
    peer = await lamp(running, cloud)
    peer.send(sent)
    assert await peer.closed() == b""
    event = await running.event("disconnected")
    assert event.reason == "CLIENT_ERROR" and event.detail
    assert not cloud.device("lamp").events and not cloud.device("lamp").states


async def test_a_configuration_comes_until_it_is_acknowledged(running: Bench, cloud: ClearBlade) -> None:
    peer = await lamp(running, cloud, clean=False)
    await peer.subscribe(CONFIG)
    await peer.message(acknowledge=False)
    peer.writer.transport.abort()
    await running.event("disconnected")
    cloud.set_config("lamp", b"new")
    assert cloud.device("lamp").config.acknowledged_s is None
    again = await lamp(running, cloud, clean=False)
    await again.nothing_more()  # it keeps no sessions: who does not subscribe hears nothing
    await again.subscribe(CONFIG)
    assert (await again.message()).payload == b"new"
    await until(lambda: cloud.device("lamp").config.acknowledged_s, "the acknowledgement")
    await again.subscribe(CONFIG)
    assert (await again.message()).payload == b"new", "each subscription has the latest"


async def test_states_that_come_too_often_reset_the_connection(
    running: Bench, cloud: ClearBlade, clock: Clock
) -> None:
    peer = await lamp(running, cloud)
    for _ in range(100):
        await peer.publish("/devices/lamp/state", b"once a second")
        clock.now_s += 1
    peer.send(publish_packet("/devices/lamp/state", b"at once", 1) * 61)
    await peer.closed()
    detail = (await running.event("disconnected")).detail
    assert detail == "PUBLISH: more than 1 states a second, over a minute"
    states = list(cloud.device("lamp").states)
    assert states.count(b"at once") == len(states), "the newest are kept, and of those ten"


async def test_a_command_is_for_one_who_listens(running: Bench, cloud: ClearBlade) -> None:
    with pytest.raises(NotSubscribedError, match="device lamp: it is not connected"):
        cloud.send_command("lamp", b"beep")
    peer = await lamp(running, cloud)
    with pytest.raises(NotSubscribedError):
        cloud.send_command("lamp", b"beep")
    await peer.subscribe(COMMANDS, 0)
    cloud.send_command("lamp", b"beep")
    assert (await peer.message()).qos == 0
    with pytest.raises(ValueError, match="65537 bytes"):
        cloud.set_config("lamp", bytes(65537))


def test_a_device_that_cannot_be(cloud: ClearBlade) -> None:
    large = ec.generate_private_key(ec.SECP384R1())
    for name, key in (("x", KEY), ("a/b", KEY), ("google", KEY), ("lamp", KEY), ("new", large)):
        with pytest.raises(ValueError, match=r"device id|public key: neither of P-256"):
            cloud.create_device(name, pem(key))
    with pytest.raises(ValueError, match="public key: not a PEM public key"):
        cloud.create_device("new", "-----BEGIN")
    with pytest.raises(ValueError, match="public keys: 4, 3 at most"):
        cloud.create_device("new", *[pem(KEY)] * 4)
    with pytest.raises(KeyError):
        cloud.device("new")


async def test_500_messages_are_sent_though_tokens_end_in_the_middle(
    running: Bench, cloud: ClearBlade, clock: Clock
) -> None:
    """What a device has to do: whatever was not acknowledged is sent again under a fresh token."""
    waiting = [str(number).encode() for number in range(500)]
    connections = 0
    while waiting:
        peer = await running.client(
            cloud.client_id("lamp"), user="", password=token(iat=clock.now_s, exp=clock.now_s + 60)
        )
        connections += 1
        try:
            while waiting:
                await peer.publish(EVENTS, waiting[0])
                waiting.pop(0)
                clock.now_s += 660 / 150
        except (asyncio.IncompleteReadError, OSError):
            continue
    assert connections == 4
    assert {payload for _, payload in cloud.device("lamp").events} == {str(n).encode() for n in range(500)}
