"""A cloud that was killed has lost nothing that it acknowledged."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, Identity, Peer, client_context
from tools.cloud import Cloud, StateError
from tools.cloud.ca import Authority, ServerChain

REPOSITORY = Path(__file__).parents[3]


class Process:
    """A cloud in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        cloud = Cloud(folder / "state")
        self.identities = [cloud.create_identity(ANYTHING) for _ in range(2)]
        self._root_ca = cloud.root_ca
        cloud._database.close()

    @asynccontextmanager
    async def running(
        self, end: signal.Signals = signal.SIGKILL
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        command = [
            sys.executable,
            "-m",
            "tools",
            "cloud",
            "--port",
            "0",
            "--state",
            str(self._folder / "state"),
        ]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(raw.DEADLINE_S):
                line = (await process.stdout.readline()).decode()
            found = re.search(r"port (\d+)", line)
            assert found, line
            self._port = int(found[1])
            yield process
        finally:
            process.send_signal(end)
            await process.communicate()

    async def client(self, client_id: str, identity: Identity, clean: bool = True) -> tuple[Peer, bool]:
        context = client_context(self._root_ca, identity, self._folder)
        peer = Peer(*await asyncio.open_connection("localhost", self._port, ssl=context))
        return peer, await peer.connect(client_id, clean=clean)


async def test_killed_between_puback_and_delivery(tmp_path: Path) -> None:
    cloud = Process(tmp_path)
    mine, other = cloud.identities
    async with cloud.running():
        away, _ = await cloud.client("away", mine, clean=False)
        await away.subscribe("a/#")
        await away.disconnect()
        publisher, _ = await cloud.client("publisher", other)
        for i in range(60):
            await publisher.publish(f"a/{i}", b"kept")
        await publisher.publish("retained", b"kept too", retain=True)
    async with cloud.running():
        away, present = await cloud.client("away", mine, clean=False)
        assert present
        assert [(await away.message()).topic for _ in range(60)] == [f"a/{i}" for i in range(60)]
        await away.subscribe("retained")
        message = await away.message()
        assert (message.payload, message.retain) == (b"kept too", True)
        publisher, _ = await cloud.client("publisher", other)
        await publisher.publish("a/new", b"the subscription is there")
        assert (await away.message()).topic == "a/new"


async def test_killed_with_messages_in_flight(tmp_path: Path) -> None:
    cloud = Process(tmp_path)
    mine, other = cloud.identities
    async with cloud.running():
        subscriber, _ = await cloud.client("s", mine, clean=False)
        await subscriber.subscribe("a")
        publisher, _ = await cloud.client("p", other)
        for i in range(5):
            await publisher.publish("a", bytes((i,)))
        before = [await subscriber.message(acknowledge=False) for _ in range(5)]
        subscriber.send(raw.puback_packet(before[0].packet_id))
        await subscriber.nothing_more()
    async with cloud.running():
        subscriber, present = await cloud.client("s", mine, clean=False)
        assert present
        after = [await subscriber.message() for _ in range(4)]
        assert [(m.packet_id, m.payload) for m in after] == [(m.packet_id, m.payload) for m in before[1:]]
        assert all(message.dup for message in after)
        await subscriber.nothing_more()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_orderly_end(tmp_path: Path, end: signal.Signals) -> None:
    cloud = Process(tmp_path)
    async with cloud.running(end) as process:
        subscriber, _ = await cloud.client("s", cloud.identities[0], clean=False)
        await subscriber.subscribe("a")
    assert process.returncode == 0
    assert await subscriber.closed() == b""
    async with cloud.running():
        assert (await cloud.client("s", cloud.identities[0], clean=False))[1]


async def test_registry_and_ca_are_the_same_after_a_restart(tmp_path: Path) -> None:
    async with Cloud(tmp_path) as cloud:
        root = cloud.root_ca
        aws = cloud.device_configuration([])["aws"]
        cloud.registry.create_thing(thingName="lamp", attributePayload={"attributes": {"place": "hall"}})
        certificates = cloud.registry.list_certificates()
    async with Cloud(tmp_path) as cloud:
        assert cloud.root_ca == root
        assert cloud.registry.list_certificates() == certificates
        assert cloud.registry.describe_thing(thingName="lamp")["attributes"] == {"place": "hall"}
        assert cloud.registry.describe_provisioning_template(templateName=aws["template"])["enabled"]


def test_one_cloud_a_state(tmp_path: Path) -> None:
    first = Cloud(tmp_path)
    with pytest.raises(StateError, match="in use by another cloud"):
        Cloud(tmp_path)
    first._database.close()
    Cloud(tmp_path)._database.close()


def test_damaged_state(tmp_path: Path) -> None:
    (tmp_path / "cloud.sqlite3").write_bytes(
        b"this is no database at all, but long enough to be read as one" * 20
    )
    with pytest.raises(StateError, match=r"cloud\.sqlite3: .*delete"):
        Cloud(tmp_path)


@pytest.mark.parametrize(
    ("file", "server_chain"),
    [("ca.key", "p256"), ("ca.key", "rsa"), ("server_ca.key", "rsa"), ("chain.pem", "rsa")],
)
def test_damaged_key(tmp_path: Path, file: str, server_chain: ServerChain) -> None:
    Cloud(tmp_path, server_chain=server_chain)._database.close()
    whole = (tmp_path / file).read_text()
    for damaged in ("nothing", ca_file_of_another(tmp_path / "other", file, server_chain)):
        (tmp_path / file).write_text(damaged)
        with pytest.raises(StateError, match="restore its files"):
            Cloud(tmp_path, server_chain=server_chain)
    (tmp_path / file).write_text(whole)
    Cloud(tmp_path, server_chain=server_chain)._database.close()


def ca_file_of_another(folder: Path, file: str, server_chain: ServerChain) -> str:
    folder.mkdir()
    Authority(folder, server_chain)
    return (folder / file).read_text()


def test_files_are_private(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "state")
    cloud.create_identity(ANYTHING)
    cloud._database.close()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert modes["ca.key"] == modes["server.pem"] == modes["cloud.sqlite3"] == 0o600
