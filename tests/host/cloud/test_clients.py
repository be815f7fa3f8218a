"""`python3 -m tools cloud client`, `watch` and `send`: who is no device joins by what they print."""

import asyncio
import json
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.host.board.support import Done, on_terminal, run_verb
from tests.host.cloud import support as raw
from tools.board.errors import BoardError
from tools.cloud import Cloud
from tools.cloud.ca import CHAINS, ServerChain
from tools.cloud.clients import Client, make_client
from tools.cloud.endpoint import Endpoint
from tools.cloud.events import shown


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "cloud"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def cloud(state: Path) -> AsyncIterator[Cloud]:
    async with Cloud(state) as running:
        yield running


async def verb(state: Path, action: str, *arguments: str, stdin: str | None = None) -> Done:
    return await run_verb("cloud", action, "--state", str(state), *arguments, stdin=stdin)


@asynccontextmanager
async def connection(client: Client, client_id: str) -> AsyncIterator[raw.Peer]:
    """A connection with the client's files, up to CONNECT."""
    context = ssl.create_default_context(cafile=str(client.root_ca))
    context.load_cert_chain(client.certificate, client.key)
    peer = raw.Peer(*await asyncio.open_connection(client.endpoint.host, client.endpoint.port, ssl=context))
    try:
        peer.send(raw.connect_packet(client_id))
        yield peer
    finally:
        peer.writer.close()


async def accepted(client: Client, client_id: str) -> bool:
    async with connection(client, client_id) as peer:
        try:
            return (await peer.packet())[1] == b"\0\0"
        except (asyncio.IncompleteReadError, ConnectionError):
            return False


@pytest.mark.parametrize("server_chain", CHAINS)
async def test_a_client_made_while_the_cloud_runs_can_connect_at_once(
    state: Path, server_chain: ServerChain
) -> None:
    async with Cloud(state, server_chain=server_chain):
        done = await verb(state, "client", "laptop", "--json")
        assert (done.status, done.err) == (0, "")
        value = json.loads(done.out)["value"]
        root_ca, certificate, key = (Path(value[name]) for name in ("root_ca", "certificate", "key"))
        modes = [stat.S_IMODE(file.stat().st_mode) for file in (root_ca, certificate, key)]
        assert modes == [0o644, 0o644, 0o600]
        client = Client("laptop", Endpoint.load(state), root_ca, certificate, key, value["certificate_id"])
        assert await accepted(client, "laptop") and await accepted(client, "laptop-2")
        assert not await accepted(client, "another")


async def test_one_made_before_the_cloud_runs_works_later(state: Path) -> None:
    async with Cloud(state):
        pass
    client = make_client(state, "laptop")
    async with Cloud(state, port=client.endpoint.port):
        assert await accepted(client, "laptop")


async def test_once_more_keeps_the_certificate(cloud: Cloud, state: Path) -> None:
    first, again = make_client(state, "laptop"), make_client(state, "laptop")
    assert first == again and await accepted(again, "laptop")


@pytest.mark.parametrize("lost", ["key", "certificate"])
async def test_what_a_power_cut_left_half_is_made_anew(cloud: Cloud, state: Path, lost: str) -> None:
    first, other = make_client(state, "laptop"), make_client(state, "other")
    getattr(first, lost).write_bytes(getattr(other, lost).read_bytes())  # as if only one of the two were new
    assert await accepted(make_client(state, "laptop"), "laptop")


async def test_a_revoked_one_gets_another(cloud: Cloud, state: Path) -> None:
    first = make_client(state, "laptop")
    cloud.registry.update_certificate(certificateId=first.certificate_id, newStatus="REVOKED")
    second = make_client(state, "laptop")
    assert second.certificate_id != first.certificate_id and await accepted(second, "laptop")


async def test_a_policy_of_its_own(cloud: Cloud, state: Path, tmp_path: Path) -> None:
    """With the variables of a thing, as AWS's own examples have them."""
    thing = "${iot:Connection.Thing.ThingName}"
    arn = cloud.registry.arn
    policy = tmp_path / "policy.json"
    policy.write_text(
        json.dumps(
            raw.policy(
                ("Allow", "iot:Connect", arn(f"client/{thing}")),
                ("Allow", "iot:Publish", arn(f"topic/{thing}/up")),
            )
        )
    )
    assert (await verb(state, "client", "laptop")).status == 0  # allowed all, until:
    assert (await verb(state, "client", "laptop", "--policy", str(policy))).status == 0
    client = make_client(state, "laptop")  # and that changes nothing
    assert not await accepted(client, "laptop-2")
    async with connection(client, "laptop") as peer:
        await peer.expect(0x20)
        peer.send(raw.publish_packet("laptop/up", b"", 1))
        await peer.expect(0x40)
        peer.send(raw.publish_packet("laptop/down", b"", 1))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await peer.packet()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "MalformedPolicyException: policy is not JSON: "),
        ('{"Statement": []}', "MalformedPolicyException: Statement: must be "),
    ],
)
async def test_a_policy_that_is_none(
    cloud: Cloud, state: Path, tmp_path: Path, text: str, reason: str
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(text)
    done = await verb(state, "client", "laptop", "--policy", str(policy), "--json")
    assert done.status == 1 and reason in done.err
    failure = json.loads(done.out)
    assert failure["ok"] is False and reason in failure["text"] and failure["remedy"]
    assert not (state / "clients").exists() and not cloud.registry.list_things()["things"]


async def test_names_and_places_that_cannot_be(cloud: Cloud, state: Path, tmp_path: Path) -> None:
    for name in ("", "..", "a/b", "a b", "ä", "x" * 101):
        with pytest.raises(BoardError, match="no name for a client"):
            make_client(state, name)
    (tmp_path / "file").touch()
    with pytest.raises(BoardError, match=r"file/keys: cannot be written: Not a directory; .*--folder"):
        make_client(state, "laptop", folder=tmp_path / "file/keys")
    done = await verb(tmp_path / "nowhere", "client", "laptop")
    assert done.status == 1 and "nowhere: no cloud was ever started there\nStart it: python3 -m" in done.err
    assert not (tmp_path / "nowhere").exists()


async def test_what_is_sent_is_seen_by_who_watches(cloud: Cloud, state: Path) -> None:
    async with on_terminal("cloud", "--state", str(state), "watch", "cmd/+") as terminal:
        await terminal.shows(r"cmd/\+ of localhost port \d+; Ctrl-C ends")
        assert (await verb(state, "send", "cmd/lamp", "on \x1b[31m")).out == ""
        assert (await verb(state, "send", "cmd/lamp", "-", stdin="second\n")).status == 0
        await terminal.shows(r"\d\d:\d\d:\d\d  cmd/lamp  on \\x1b\[31m")
        await terminal.shows(r"cmd/lamp  second\\n")
        terminal.type("\x03")
        assert await terminal.ended() == 0


async def test_for_a_script(cloud: Cloud, state: Path) -> None:
    """A retained message comes at once, so that nobody has to know when the other has subscribed."""
    sent = await verb(state, "send", "--json", "--retain", "config/all", '{"a": 1}')
    assert json.loads(sent.out) == {"ok": True, "value": {"topic": "config/all", "bytes": 8}}
    seen = await verb(state, "watch", "config/all", "--json", "--count", "1", "--seconds", "60")
    assert (seen.status, seen.err) == (0, "")
    assert json.loads(seen.out) == {"topic": "config/all", "payload": '{"a": 1}', "qos": 1, "retain": True}
    late = await verb(state, "watch", "config/all", "--json", "--count", "2", "--seconds", "0.1")
    assert late.status == 1 and json.loads(late.out.splitlines()[-1])["ok"] is False


async def test_watching_goes_on_when_the_cloud_comes_back(state: Path, stack: AsyncExitStack) -> None:
    async with Cloud(state) as cloud:
        port = cloud.port
        assert (await verb(state, "send", "--retain", "config/all", "1")).status == 0
        watch = ("watch", "config/all", "--state", str(state), "--count", "2")
        terminal = await stack.enter_async_context(on_terminal("cloud", *watch))
        await terminal.shows("  config/all  1")
    await terminal.shows("the cloud is gone; waiting for it to come back")
    async with Cloud(state, port=port):
        await terminal.shows("connected again")
        await terminal.shows("  config/all  1")  # which is retained
        assert await terminal.ended() == 0


async def test_what_can_go_wrong_says_so(cloud: Cloud, state: Path, tmp_path: Path) -> None:
    done = await verb(state, "send", "a/+", "x")
    assert done.status == 2 and "TOPIC: topic with a wildcard" in done.err
    done = await verb(state, "watch", "a/#/b", "--json")
    assert done.status == 2 and json.loads(done.out)["text"] in done.err
    done = await verb(state, "send", "a", "-", stdin="x" * (128 * 1024 + 1))
    assert done.status == 1 and "a payload of 131,073 bytes" in done.err
    done = await verb(state, "send", "$aws/nowhere", "x")
    assert done.status == 1 and "the cloud closed the connection" in done.err
    async with Cloud(tmp_path / "other") as other:
        Endpoint("localhost", other.port).save(state)
        done = await verb(state, "watch", "--json")
    assert done.status == 1 and "it is not the cloud of this state directory" in json.loads(done.out)["text"]
    Endpoint("localhost", 1).save(state)
    done = await verb(state, "send", "a", "x")
    assert done.status == 1 and "localhost port 1: no cloud answers: " in done.err
    assert "Traceback" not in done.err


async def test_messages_in_the_clouds_log(state: Path) -> None:
    events: list[str] = []
    async with Cloud(state, on_event=lambda event: events.append(str(event)), messages=True):
        client = make_client(state, "lamp")
        async with connection(client, "lamp") as peer:
            await peer.expect(0x20)
            peer.send(raw.publish_packet("a/b", b"\x1b[31mred \xff", 1, 1))
            await peer.expect(0x40)
            peer.send(raw.publish_packet("$aws/certificates/create-from-csr/json", b'{"secret": 1}', 1, 2))
            await peer.expect(0x40)
    said = "\n".join(events)
    assert r"lamp published (a/b: \x1b[31mred \xff)" in said
    assert "lamp published ($aws/certificates/create-from-csr/json: 13 bytes)" in said
    assert "secret" not in said


def test_a_long_payload_in_a_log() -> None:
    assert shown("a", b"x" * 401) == "x" * 400 + "… (401 bytes)"


def test_the_endpoint_for_this_machine(tmp_path: Path) -> None:
    hosts = ("localhost", "127.0.0.1", "192.168.1.20")
    assert Endpoint.of("0.0.0.0", 1, hosts).host == "localhost"
    assert Endpoint.of("127.0.0.1", 1, hosts).host == "localhost"
    assert Endpoint.of("192.168.1.20", 1, hosts).host == "192.168.1.20"
    Endpoint.of("192.168.1.20", 7, hosts).save(tmp_path)
    assert Endpoint.load(tmp_path) == Endpoint("192.168.1.20", 7, hosts)
    for broken in ("", "[]", "{}", '{"host": 1, "port": "x", "hosts": []}'):
        (tmp_path / "endpoint.json").write_text(broken)
        assert Endpoint.load(tmp_path) == Endpoint()
