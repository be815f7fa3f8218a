"""The base of the stand-ins: MQTT is the front's, what it means its manners'."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clouds.bench import Bench, bench
from tests.host.cloud.support import Clock, connect_packet, publish_packet, subscribe_packet
from tools.cloud import packet as mqtt
from tools.cloud.ca import Authority
from tools.clouds.front import Front
from tools.clouds.manners import Asked, HangUp, Identity, Manners, Peer, Refused, Work


class Plain(Manners):
    """Lets in by a password that ends; routes `own/#` and hangs up on all else."""

    verify = ssl.CERT_OPTIONAL

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[Asked] = []
        self.seen: list[object] = []

    def connect(self, asked: Asked) -> Identity:
        self.asked.append(asked)
        if asked.packet.password != b"secret" and not asked.certificate:
            raise Refused("the password is wrong", mqtt.BAD_USER_NAME_OR_PASSWORD)
        return Identity(asked.packet.client_id, "a password for a minute", self.clock() + 60)

    def publish(self, client: Peer, message: mqtt.Publish) -> Work:
        if not message.topic.startswith("own/"):
            raise HangUp(f"PUBLISH on {message.topic}: only own/")
        return lambda: self.front.publish(message.topic, message.payload, message.qos)

    def subscribe(self, client: Peer, topic_filter: str, qos: int) -> int:
        return min(qos, 1) if topic_filter.startswith("own/") else mqtt.FAILURE

    def subscribed(self, client: Peer, topic_filter: str) -> None:
        client.send(topic_filter, b"welcome")

    def will(self, client: Peer, will: mqtt.Will) -> None:
        self.seen.append(will)

    def left(self, client: Peer, reason: str) -> None:
        self.seen.append((client.client_id, reason))

    front: Front


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plain(clock: Clock, tmp_path: Path) -> Plain:
    manners = Plain(clock)
    manners.front = Front(tmp_path / "state", manners, clock=clock)
    return manners


@pytest.fixture
async def cloud(plain: Plain, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(plain.front, tmp_path) as running:
        yield running


async def test_a_connect_is_judged_by_all_it_shows(cloud: Bench, plain: Plain, tmp_path: Path) -> None:
    peer = await cloud.open()
    peer.send(connect_packet("a", user="u", password="not the secret"))
    assert await peer.expect(0x20) == bytes((0, mqtt.BAD_USER_NAME_OR_PASSWORD))
    assert await peer.closed() == b""
    event = await cloud.event("refused")
    assert (event.client_id, event.detail) == ("a", "the password is wrong")
    own = Authority(_folder(tmp_path / "own"))
    plain.front.trust(own.root_pem)
    await cloud.client("b", own.issue())
    await cloud.client("c", user="u", password="secret")
    wrong, certificate, password = plain.asked
    assert (wrong.packet.user_name, wrong.certificate, wrong.server_name) == ("u", b"", "localhost")
    assert certificate.certificate
    assert password.packet.password == b"secret"
    assert b"secret" not in repr((plain.asked, cloud.events)).encode()


async def test_a_certificate_of_nobody_is_refused_in_the_handshake(cloud: Bench, tmp_path: Path) -> None:
    with contextlib.suppress(OSError):  # TLS 1.3 tells a client of it when it reads
        peer = await cloud.open(Authority(_folder(tmp_path / "stranger")).issue())
        assert await peer.closed() == b""
    assert (await cloud.event("refused")).reason == "TLS"


async def test_messages_go_where_the_manners_let_them(cloud: Bench) -> None:
    a = await cloud.client("a", user="", password="secret")
    a.send(subscribe_packet(1, ("own/#", 2), ("other", 1)))
    assert await a.expect(0x90) == bytes((0, 1, 1, 0x80))
    assert (await a.message()).payload == b"welcome"
    b = await cloud.client("b", user="", password="secret")
    await b.publish("own/x", b"from b")
    assert (await a.message()).payload == b"from b"
    b.send(publish_packet("other", b"", 1))
    assert await b.closed() == b""  # not even a PUBACK
    assert "only own/" in (await cloud.event("disconnected")).detail


async def test_qos_2_is_hung_up_on(cloud: Bench) -> None:
    peer = await cloud.client("a", user="", password="secret")
    peer.send(publish_packet("own/x", b"", 2))
    assert await peer.closed() == b""
    assert "QoS 2" in (await cloud.event("disconnected")).detail


async def test_the_end_of_what_was_shown_hangs_up(cloud: Bench, clock: Clock, plain: Plain) -> None:
    peer = await cloud.client("a", user="", password="secret", will=("w", b"gone", 1, False))
    clock.now_s += 59
    await peer.publish("own/x", b"still there")
    clock.now_s += 1
    assert await peer.closed() == b""
    event = await cloud.event("disconnected")
    assert (event.reason, event.detail) == ("AUTH_ERROR", "it has ended: a password for a minute")
    assert plain.seen == [mqtt.Will("w", b"gone", 1, False), ("a", "AUTH_ERROR")]


async def test_who_has_the_same_name_throws_the_older_one_out(cloud: Bench, plain: Plain) -> None:
    old = await cloud.client("a", user="", password="secret")
    new = await cloud.client("a", user="", password="secret")
    assert await old.closed() == b""
    assert (await cloud.event("disconnected")).reason == "DUPLICATE_CLIENTID"
    await new.publish("own/x", b"")
    assert plain.front.client("a")


async def test_a_session_is_kept_and_what_came_meanwhile_with_it(cloud: Bench, plain: Plain) -> None:
    peer = await cloud.client("a", clean=False, user="", password="secret")
    await peer.subscribe("own/#")
    await peer.message()
    await peer.disconnect()
    plain.front.publish("own/x", b"while it was away")
    peer = await cloud.open()
    assert await peer.connect("a", clean=False, user="", password="secret")
    assert (await peer.message()).payload == b"while it was away"


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
