"""A full disk: whoever asked is told, nothing is half done, the cloud lives and goes on with room again."""

import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.support import ANYTHING, Bench, bench
from tests.patience import PATIENCE_S
from tools.bench import broker
from tools.cloud import Cloud, StateError
from tools.cloud.ca import certificate_id
from tools.cloud.errors import InternalFailureException

CREATE = "$aws/certificates/create/json"


def fill(cloud: Cloud) -> None:
    """Leave the database no page, and no room in those it has."""
    connection = cloud._database._connection
    connection.execute("CREATE TABLE ballast (data)")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for size in (4000, 400, 40, 4):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            while True:
                connection.execute("INSERT INTO ballast VALUES (zeroblob(?))", (size,))


def make_room(cloud: Cloud) -> None:
    cloud._database._connection.execute("PRAGMA max_page_count = 1000000")


async def test_a_message_that_cannot_be_stored_is_not_acknowledged(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    away = await cloud.client("away", identity, clean=False)
    await away.subscribe("a")
    await away.disconnect()
    publisher, other = await cloud.client("p"), await cloud.client("other")
    await other.subscribe("b", 0)
    fill(cloud.cloud)
    publisher.send(raw.publish_packet("a", bytes(5000), 1, 7))
    assert await publisher.closed() == b""
    event = await cloud.event("disconnected", lambda event: event.client_id == "p")
    assert event.reason == "SERVER_ERROR" and "disk is full" in event.detail
    other.send(raw.publish_packet("b", b"others go on"))
    assert (await other.message()).payload == b"others go on"
    make_room(cloud.cloud)
    await (await cloud.client("p")).publish("a", b"there is room")
    again = await cloud.open(identity)
    assert await again.connect("away", clean=False)
    assert (await again.message()).payload == b"there is room"
    await again.nothing_more()


async def test_a_retained_message_that_cannot_be_stored_reaches_nobody(cloud: Bench) -> None:
    listener, publisher = await cloud.client("l"), await cloud.client("p")
    await listener.subscribe("a")
    await publisher.publish("a", b"old", retain=True)
    assert (await listener.message()).payload == b"old"
    fill(cloud.cloud)
    publisher.send(raw.publish_packet("a", bytes(5000), 1, 7, retain=True))
    assert await publisher.closed() == b""
    await listener.nothing_more()
    make_room(cloud.cloud)
    await listener.subscribe("a")
    assert (await listener.message()).payload == b"old"


async def test_a_certificate_is_revoked_here_and_there_or_nowhere(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    clients = [await cloud.client(name, identity, clean=False) for name in ("one", "two")]
    database = cloud.cloud._database._connection
    revoke: Callable[[], None] = lambda: cloud.cloud.registry.update_certificate(  # noqa: E731
        certificateId=certificate_id(identity[0]), newStatus="REVOKED"
    )
    database.execute("PRAGMA query_only = ON")
    with pytest.raises(InternalFailureException, match="cannot be read or written"):
        revoke()
    for client in clients:
        await client.nothing_more()
    database.execute("PRAGMA query_only = OFF")
    # Its own change can be written, and what follows from it cannot
    database.execute("CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(FAIL, 'no room'); END")
    revoke()
    for client in clients:
        assert await client.closed() == b""
    event = await cloud.event("server")
    assert "session of one does not expire yet" in event.detail and "no room" in event.detail
    assert not cloud.cloud._broker._clients  # type: ignore[union-attr]
    database.execute("DROP TRIGGER full")
    cloud.cloud._broker.router.expire_sessions()  # type: ignore[union-attr]
    assert not database.execute("SELECT * FROM sessions WHERE expires_s IS NULL").fetchall()


async def test_what_is_undone_changes_no_decision(cloud: Bench) -> None:
    """A policy attached in a transaction that fails allows nothing, also not to who asked meanwhile."""
    cloud.cloud.registry.create_policy(policyName="more", policyDocument=json.dumps(ANYTHING))
    only = raw.policy(("Allow", ["iot:Connect"], "*"))
    identity = cloud.cloud.create_identity(only)
    peer = await cloud.client("c", identity)
    client = cloud.cloud._broker._clients["c"]  # type: ignore[union-attr]
    target = cloud.cloud.registry.arn(f"cert/{certificate_id(identity[0])}")
    revision = cloud.cloud.registry.revision
    with pytest.raises(RuntimeError), cloud.cloud._database.transaction():
        cloud.cloud.registry.attach_policy(policyName="more", target=target)
        client.may_publish("a", False)
        raise RuntimeError
    assert cloud.cloud.registry.revision == revision
    peer.send(raw.publish_packet("a", b"", 1))
    assert await peer.closed() == b""


async def test_provisioning_is_rejected_and_told(cloud: Bench) -> None:
    peer = await cloud.client("claim")
    await peer.subscribe(CREATE + "/+")
    fill(cloud.cloud)
    for _ in range(20):  # the pages that are there have room for some
        peer.send(raw.publish_packet(CREATE, b"{}"))
        message = await peer.message()
        if message.topic == CREATE + "/rejected":
            break
    answer = json.loads(message.payload)
    assert (answer["statusCode"], answer["errorCode"]) == (500, "InternalFailure")
    assert (await cloud.event("rejected")).reason == "InternalFailure"
    make_room(cloud.cloud)
    peer.send(raw.publish_packet(CREATE, b"{}"))
    assert (await peer.message()).topic == CREATE + "/accepted"


def certificates_and_policies(cloud: Cloud) -> tuple[Any, Any]:
    return cloud.registry.list_certificates(), cloud.registry.list_policies()


async def test_an_identity_is_made_whole_or_not_at_all(cloud: Bench) -> None:
    before = certificates_and_policies(cloud.cloud)
    cloud.cloud._database._connection.execute(
        "CREATE TRIGGER full BEFORE INSERT ON policy_targets BEGIN SELECT RAISE(FAIL, 'no room'); END"
    )
    with pytest.raises(InternalFailureException, match="no room"):
        cloud.cloud.create_identity(raw.policy(("Deny", "iot:*", "*")))
    assert certificates_and_policies(cloud.cloud) == before


async def test_a_cloud_without_room_says_so_and_does_not_start(tmp_path: Path) -> None:
    async with bench(tmp_path) as running:
        await running.client("c", clean=False)
    cloud = Cloud(tmp_path / "state")
    cloud._database._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StateError, match="make room"):
        await cloud.start()
    Cloud(tmp_path / "state")._database.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit()")
async def test_the_process_lives_through_a_disk_that_takes_no_byte(tmp_path: Path) -> None:
    """No file of it may grow, its log neither: each commit fails at the system's write()."""
    async with broker.start_cloud(tmp_path) as endpoint:
        stays, publisher = await connected(endpoint, "stays", clean=False), await connected(endpoint, "p")
        await stays.subscribe("a")
        _, hard = resource.prlimit(endpoint.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(endpoint.pid, resource.RLIMIT_FSIZE, (0, hard))
        stays.send(raw.subscribe_packet(9, ("b", 1), ("c", 0)))
        assert await stays.expect(0x90) == b"\0\x09\x80\x80"
        new = await opened(endpoint)
        new.send(raw.connect_packet("new"))
        assert await new.closed() == b"\x20\2\0\3"
        publisher.send(raw.publish_packet("a", b"lost", 1, 5))
        assert await publisher.closed() == b""
        stays.send(raw.unsubscribe_packet(10, "a"))
        assert await stays.closed() == b""
        resource.prlimit(endpoint.pid, resource.RLIMIT_FSIZE, (hard, hard))
        publisher = await connected(endpoint, "p")
        await publisher.publish("a", b"kept")
        await publisher.publish("b", b"no subscription")
        assert "Traceback" not in (tmp_path / "cloud.log").read_text()
    async with broker.start_cloud(tmp_path) as endpoint:
        stays = await opened(endpoint)
        assert await stays.connect("stays", clean=False)
        assert (await stays.message()).payload == b"kept"
        await stays.nothing_more()


async def opened(endpoint: broker.Endpoint) -> raw.Peer:
    return raw.Peer(*await asyncio.open_connection("localhost", endpoint.port, ssl=endpoint.context))


async def connected(endpoint: broker.Endpoint, client_id: str, **options: Any) -> raw.Peer:
    peer = await opened(endpoint)
    await peer.connect(client_id, **options)
    return peer


@pytest.mark.skipif(sys.platform != "linux", reason="a disk is full otherwise elsewhere")
@pytest.mark.parametrize("options", [(), ("--write-config", "board.json", "--wifi", "Home:")])
def test_the_verb_says_so(tmp_path: Path, options: tuple[str, ...]) -> None:
    Cloud(tmp_path / "state")._database.close()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run(
        [sys.executable, "-m", "tools", "cloud", "--port", "0", "--state", str(tmp_path / "state"), *options],
        cwd=Path(__file__).parents[3],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("cloud: ") and done.stderr.count("\n") == 1


async def test_commands_and_reports_that_cannot_be_stored_are_rejected(cloud: Bench) -> None:
    registry, commands = cloud.cloud.registry, cloud.cloud.commands
    registry.create_thing(thingName="lamp")
    commands.create_command(commandId="beep", payload={"content": b"{}", "contentType": "text/plain"})
    names: dict[str, Any] = {
        "targetArn": registry.arn("thing/lamp"),
        "commandArn": registry.arn("command/beep"),
    }
    started = commands.start_command_execution(**names, executionTimeoutSeconds=3600)["executionId"]
    response = f"$aws/commands/things/lamp/executions/{started}/response"
    report = "$aws/things/lamp/defender/metrics/json"
    peer = await cloud.client("lamp")
    for topic_filter in (f"{response}/+/json", f"{report}/+", "$aws/commands/+/+/executions/+/request"):
        await peer.subscribe(topic_filter)
    said = {"header": {"report_id": 1, "version": "1.0"}, "metrics": {}}

    async def ask() -> list[tuple[str, dict[str, Any]]]:
        await peer.publish(f"{response}/json", b'{"status":"SUCCEEDED"}')
        answers = [await peer.message()]
        await peer.publish(report, json.dumps(said).encode())
        answers.append(await peer.message())
        return [(answer.topic, json.loads(answer.payload)) for answer in answers]

    database = cloud.cloud._database._connection
    database.execute("PRAGMA query_only = ON")
    (topic, answer), (other, rejected) = await ask()
    assert (topic, answer["error"]) == (f"{response}/rejected/json", "InternalError")
    assert (other, rejected["statusDetails"]["ErrorCode"]) == (f"{report}/rejected", "InternalFailure")
    for call in (
        lambda: commands.start_command_execution(**names),
        lambda: commands.update_command(commandId="beep", deprecated=True),
    ):
        with pytest.raises(InternalFailureException):
            call()
    await peer.nothing_more()
    database.execute("PRAGMA query_only = OFF")
    (topic, _), (other, _) = await ask()
    assert (topic, other) == (f"{response}/accepted/json", f"{report}/accepted")
    assert not commands.get_command(commandId="beep")["deprecated"]
