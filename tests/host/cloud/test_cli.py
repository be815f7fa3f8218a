"""`python3 -m tools cloud`."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.host.cloud import support as raw
from tests.patience import PATIENCE_S
from tests.peers import boto
from tools.board import document
from tools.cloud import Cloud
from tools.cloud.ca import CHAINS, ServerChain
from tools.cloud.endpoint import Endpoint

REPOSITORY = Path(__file__).parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "cloud", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert "--host NAME_OR_ADDRESS" in done.stdout


def test_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port), "--state", str(tmp_path))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert "give another --port" in done.stderr


def test_address_that_is_not_ours(tmp_path: Path) -> None:
    done = run("--listen", "192.0.2.1", "--port", "0", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1" in done.stderr


def test_state_in_use(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    done = run("--port", "0", "--state", str(tmp_path))
    cloud._database.close()
    assert done.returncode == 1
    assert "in use by another cloud" in done.stderr


def test_state_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--port", "0", "--state", str(tmp_path / "file"))
    assert done.returncode == 1
    assert "use a directory that can be written" in done.stderr


async def test_a_product_file_and_a_configuration_share_a_claim(tmp_path: Path) -> None:
    board, product = tmp_path / "board.json", tmp_path / "product.json"
    files = ("--write-config", str(board), "--wifi", "Home:correct horse", "--write-product", str(product))
    state = ("--state", str(tmp_path / "state"), "--listen", "127.0.0.1")
    async with running("--host", "192.168.1.20", *files, *state) as output, asyncio.timeout(raw.DEADLINE_S):
        said = [(await output.readline()).decode() for _ in range(4)]
        assert said[2:] == [
            f"next: python3 -m tools configure PORT {board}\n",
            f"next: python3 -m tools phone --product {product}\n",
        ]
        assert document.load_product(product) == document.load_product(board)
        assert document.load_product(product)["aws"]["endpoint"] == "192.168.1.20"


def test_wrong_arguments() -> None:
    assert run("--port", "70000").returncode == 2
    assert run("--port", "mqtt").returncode == 2
    done = run("--host", "no host")
    assert done.returncode == 2
    assert "'no host' is neither a host name nor an IP address" in done.stderr
    assert run("--server-chain", "dsa").returncode == 2
    done = run("--rule", "a-rule=topic")
    assert done.returncode == 2
    assert "rule 'a-rule': the name must be 1 to 128 of A-Z a-z 0-9 _" in done.stderr


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """The verb while it runs, from its first line on: ends with 0 when it is told to.

    Without the page, whose line comes among the others whenever it is there.
    """
    command = [sys.executable, "-m", "tools", "cloud", "--no-page", "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("server_chain", CHAINS)
async def test_a_line_for_each_who_comes_goes_and_is_refused(
    tmp_path: Path, server_chain: ServerChain
) -> None:
    cloud = Cloud(tmp_path / "state", server_chain=server_chain)
    identity, root_ca = cloud.create_identity(raw.ANYTHING), cloud.root_ca
    cloud._database.close()
    options = ("--unthrottled", "--state", str(tmp_path / "state"), "--server-chain", server_chain)
    async with running(*options) as output:
        async with asyncio.timeout(raw.DEADLINE_S):
            first = (await output.readline()).decode()
            assert first.startswith("AWS IoT Core (local) listens on 127.0.0.1 port ")
            assert ("chain of RSA" in first) == (server_chain == "rsa")
            port = int(first.split(" port ")[1].split(",")[0])
            assert "ca.pem" in (await output.readline()).decode()
            context = raw.client_context(root_ca, identity, tmp_path)
            peer = raw.Peer(*await asyncio.open_connection("localhost", port, ssl=context))
            await peer.connect("lamp")
            assert "lamp connected from 127.0.0.1:" in (await output.readline()).decode()
            for i in range(1, 301):
                peer.send(raw.publish_packet("a", b"", 1, i))
            for _ in range(300):
                await peer.expect(0x40)
            await peer.disconnect()
            left = (await output.readline()).decode()
            assert "lamp disconnected (CLIENT_INITIATED_DISCONNECT)" in left
            _, writer = await asyncio.open_connection("localhost", port)
            writer.write(b"hello\r\n")
            assert "refused (TLS: " in (await output.readline()).decode()
            writer.close()


async def test_rules(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "state")
    identity, root_ca = cloud.create_identity(raw.ANYTHING), cloud.root_ca
    cloud._database.close()
    options = ("--rule", "ingest=in/${topic()}", "--rule", "other=out", "--state", str(tmp_path / "state"))
    async with running(*options) as output:
        port = int((await output.readline()).decode().split(" port ")[1].split(",")[0])
        context = raw.client_context(root_ca, identity, tmp_path)
        peer = raw.Peer(*await asyncio.open_connection("localhost", port, ssl=context))
        await peer.connect("lamp")
        await peer.subscribe("#", 0)
        for name in ("ingest", "other", "missing"):
            peer.send(raw.publish_packet(f"$aws/rules/{name}/a/b", b"", 0))
        assert [(await peer.message()).topic for _ in range(2)] == ["in/a/b", "out"]
        async with asyncio.timeout(raw.DEADLINE_S):
            while b"RuleNotFound" not in (line := await output.readline()):
                assert line, "the cloud ended"
        assert (
            "lamp rejected (RuleNotFound: $aws/rules/missing/a/b: there is no rule 'missing')"
            in line.decode()
        )


async def test_files_for_devices_without_being_asked(tmp_path: Path) -> None:
    """By boto3 a file and a job; the job's document, asked for as a device asks, has a URL that brings it."""
    state = tmp_path / "state"

    def publish() -> tuple[bytes, str]:
        url = Endpoint.load(state).rest_url.replace("localhost", "127.0.0.1")
        s3, iot, data = (boto.client(name, url) for name in ("s3", "iot", "iot-jobs-data"))
        s3.create_bucket(Bucket="releases")
        s3.put_object(Bucket="releases", Key="a/b", Body=b"what devices get")
        target = iot.create_thing(thingName="lamp")["thingArn"]
        source = "https://s3.eu-central-1.amazonaws.com/releases/a/b"
        document = json.dumps({"url": f"${{aws:iot:s3-presigned-url:{source}}}"})
        iot.create_job(jobId="update", targets=[target], document=document)
        execution = data.describe_job_execution(jobId="$next", thingName="lamp")["execution"]
        where = json.loads(execution["jobDocument"])["url"]
        context = ssl.create_default_context(cafile=str(state / "ca.pem"))
        with urllib.request.urlopen(where, timeout=PATIENCE_S, context=context) as answer:
            return answer.read(), where

    async with running("--host", "127.0.0.1", "--state", str(state)) as output:
        async with asyncio.timeout(raw.DEADLINE_S):
            await output.readline()
            second = (await output.readline()).decode()
            got, url = await asyncio.to_thread(publish)
            served = (await output.readline()).decode()
    port = second.rpartition(" on port ")[2].strip()
    assert url.startswith(f"https://127.0.0.1:{port}/releases/a/b?X-Amz-")
    assert got == b"what devices get"
    assert "served (releases/a/b, 16 bytes from 0)" in served


def test_files_on_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("--port", "0", "--files-port", port, "--state", str(tmp_path))
    assert done.returncode == 1
    assert f"127.0.0.1 port {port}" in done.stderr and "give another --files-port" in done.stderr


@pytest.mark.parametrize(
    ("server_chain", "key"), [("p256", ec.EllipticCurvePrivateKey), ("rsa", rsa.RSAPrivateKey)]
)
async def test_a_configuration_for_boards(tmp_path: Path, server_chain: ServerChain, key: type) -> None:
    options = ("--server-chain", server_chain, "--state", str(tmp_path / "state"), "--wifi", "Home:")
    async with running(*options, "--write-config", str(tmp_path / "board.json")) as output:
        async with asyncio.timeout(raw.DEADLINE_S):
            while b"next: python3 -m tools configure PORT" not in (line := await output.readline()):
                assert line, "the cloud ended"
    aws = json.loads((tmp_path / "board.json").read_text())["aws"]
    assert (tmp_path / aws["root_ca"]).read_text() == (tmp_path / "state/ca.pem").read_text()
    assert isinstance(load_pem_private_key((tmp_path / aws["claim_key"]).read_bytes(), None), key)


def test_a_state_of_the_other_chain(tmp_path: Path) -> None:
    Cloud(tmp_path, server_chain="rsa")._database.close()
    done = run("--port", "0", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "was made with the server chain rsa, whose root its devices trust; start it" in done.stderr
    assert "with --server-chain rsa, or use another directory" in done.stderr


def test_a_configuration_that_cannot_be_written(tmp_path: Path) -> None:
    start = ("--port", "0", "--state", str(tmp_path / "state"), "--write-config")
    done = run(*start, str(tmp_path / "nowhere/board.json"), "--wifi", "Home:correct horse")
    assert done.returncode == 1
    assert "board.json: cannot be written: No such file or directory" in done.stderr
    done = run(*start, str(tmp_path / "board.json"), "--wifi", "Home:secret")
    assert done.returncode == 1
    assert "wifi[0].password: 8 to 64 bytes" in done.stderr
    assert "secret" not in done.stderr


def test_arguments_for_a_configuration(tmp_path: Path) -> None:
    assert "go together" in run("--write-config", str(tmp_path / "board.json")).stderr
    assert run("--wifi", "Home:correct horse").returncode == 2
    done = run("--wifi", "correct horse", "--write-config", str(tmp_path / "board.json"))
    assert done.returncode == 2
    assert "--wifi: must be SSID:PASSWORD, or SSID: for an open network" in done.stderr
    assert "correct horse" not in done.stderr
