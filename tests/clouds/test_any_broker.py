"""Any broker: mosquitto with passwords and certificates, asked by paho and by its own clients."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clouds.paho_peer import PahoPeer
from tests.host.cloud.support import client_context
from tests.patience import PATIENCE_S, until
from tools.bench import mosquitto
from tools.clouds.broker import Broker

SECRET = "not for any file"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    if mosquitto.find() is None:
        pytest.skip("mosquitto is not installed: on Debian and Ubuntu, apt install mosquitto")
    async with Broker(tmp_path / "broker", {"lamp": SECRET, "house": "other"}) as running:
        yield running


def by_password(broker: Broker, user: str, password: str, will: tuple[str, bytes] | None = None) -> PahoPeer:
    context = client_context(broker.root_pem, None, Path())
    return PahoPeer(broker.port, context, f"id-{user}", user, password, will)


async def test_what_one_with_a_password_sends_comes_to_one_with_a_certificate(
    broker: Broker, tmp_path: Path
) -> None:
    context = client_context(broker.root_pem, broker.authority.issue(), tmp_path)
    async with PahoPeer(broker.certificate_port, context, "hall") as hall:
        assert await hall.subscribe("#", 2) == 2
        async with by_password(broker, "lamp", SECRET, ("gone", b"lamp")) as lamp:
            for qos in (0, 1, 2):
                await lamp.publish("up", bytes([qos]), qos)
            await lamp.publish("state", b"on", retain=True)
            assert await hall.heard(4) == [("up", b"\0"), ("up", b"\1"), ("up", b"\2"), ("state", b"on")]
            assert [message.qos for message in hall.messages] == [0, 1, 2, 1]
            lamp.drop()
            await hall.heard(5)
    assert (hall.messages[4].topic, hall.messages[4].payload) == ("gone", b"lamp")


@pytest.mark.parametrize(("user", "password"), [("lamp", "wrong"), ("stranger", SECRET), ("", "")])
async def test_whoever_does_not_know_the_password_is_refused(
    broker: Broker, user: str, password: str
) -> None:
    async with by_password(broker, user, password) as peer:
        assert peer.answer == "Not authorized"


async def test_passwords_are_kept_as_hashes_alone_and_can_be_changed(broker: Broker, tmp_path: Path) -> None:
    files = [path for path in (tmp_path / "broker").iterdir() if path.is_file()]
    assert len(files) > 4 and not [path for path in files if SECRET.encode() in path.read_bytes()]
    await broker.stop()
    broker.set_passwords({"lamp": "new"})
    await broker.start()
    for password, answer in ((SECRET, "Not authorized"), ("new", "Success")):
        async with by_password(broker, "lamp", password) as peer:
            assert peer.answer == answer


async def test_what_a_password_file_cannot_hold_is_refused_whole(broker: Broker, tmp_path: Path) -> None:
    before = (tmp_path / "broker/passwords").read_bytes()
    for user, password in (("a:b", "c"), ("a", "b:c"), ("a", "b\nc:d"), ("", "b"), ("a", "")):
        with pytest.raises(ValueError, match=f"user name '{user}': it and its password have one character"):
            broker.set_passwords({"fine": "fine", user: password})
    assert (tmp_path / "broker/passwords").read_bytes() == before


async def test_mosquittos_own_clients_are_let_in(broker: Broker, tmp_path: Path) -> None:
    if not shutil.which("mosquitto_sub"):
        pytest.skip("mosquitto_sub is not installed (Debian: mosquitto-clients)")
    (tmp_path / "ca.pem").write_text(broker.root_pem)
    for name, pem in zip(("crt", "key"), broker.authority.issue(), strict=True):
        (tmp_path / name).write_text(pem)
    root = ["-h", "localhost", "--cafile", str(tmp_path / "ca.pem"), "-q", "2"]
    certificate = ["--cert", str(tmp_path / "crt"), "--key", str(tmp_path / "key")]
    publish = ["mosquitto_pub", *root, *certificate, "-p", str(broker.certificate_port), "-r", "-t", "a"]
    subscribe = [
        "mosquitto_sub",
        *root,
        "-p",
        str(broker.port),
        "-u",
        "lamp",
        "-P",
        SECRET,
        "-C",
        "1",
        "-t",
        "a",
    ]
    async with asyncio.timeout(PATIENCE_S):
        sent = await asyncio.create_subprocess_exec(*publish, "-m", "hello")
        assert await sent.wait() == 0
        heard = await asyncio.create_subprocess_exec(*subscribe, stdout=asyncio.subprocess.PIPE)
        assert (await heard.communicate())[0] == b"hello\n"


async def test_without_a_certificate_of_its_ca_there_is_no_connection(broker: Broker, tmp_path: Path) -> None:
    peer = PahoPeer(broker.certificate_port, client_context(broker.root_pem, None, tmp_path), "stranger")
    peer.paho.connect_async("localhost", broker.certificate_port)
    peer.paho.loop_start()
    await until(
        lambda: peer.ended or "return a certificate" in (tmp_path / "broker/mosquitto.log").read_text()
    )
    assert not peer.answer
    await asyncio.to_thread(peer.paho.loop_stop)
