"""Messages by HTTPS, with a thing's certificate."""

import asyncio
import json
import re
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.host.cloud.support import ANYTHING, Bench, Identity, bench, client_context, policy
from tests.patience import PATIENCE_S
from tools.cloud import Cloud, Limits

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, https_port=0) as running:
        yield running


async def post(
    cloud: Bench,
    folder: Path,
    path: str,
    body: bytes = b"x",
    identity: Identity | None = None,
    method: str = "POST",
) -> tuple[int, dict[str, Any], str]:
    """Status, answer, and AWS's name of the error."""
    context = client_context(cloud.cloud.root_ca, identity or cloud.cloud.create_identity(ANYTHING), folder)
    url = URL(f"https://localhost:{cloud.cloud.https_port}{path}", encoded=True)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body, ssl=context) as answer,
    ):
        assert answer.content_type == "application/json"
        return answer.status, await answer.json(), answer.headers.get("x-amzn-ErrorType", "")


@pytest.mark.parametrize(
    ("path", "topic", "qos"),
    [
        ("/topics/a/b?qos=1", "a/b", 1),
        ("/topics/a%2Fb?qos=0", "a/b", 0),
        ("/topics/a", "a", 0),
        ("/topics/%C3%BC%20x?qos=1", "ü x", 1),
        ("/topics//a", "/a", 0),
    ],
)
async def test_published(cloud: Bench, tmp_path: Path, path: str, topic: str, qos: int) -> None:
    listener = await cloud.client("l")
    await listener.subscribe("#")
    status, answer, _ = await post(cloud, tmp_path, path, b"\0\xff")
    assert (status, answer["message"]) == (200, "OK") and answer["traceId"]
    message = await listener.message()
    assert (message.topic, message.payload, message.qos, message.retain) == (topic, b"\0\xff", qos, False)


async def test_retained(cloud: Bench, tmp_path: Path) -> None:
    await post(cloud, tmp_path, "/topics/kept?qos=1&retain=true", b"1")
    listener = await cloud.client("l")
    await listener.subscribe("kept")
    assert (await listener.message()).retain
    await post(cloud, tmp_path, "/topics/kept?retain=true", b"")
    assert (await listener.message()).payload == b""
    later = await cloud.client("m")
    await later.subscribe("kept")
    await later.nothing_more()


async def test_policies_hold(cloud: Bench, tmp_path: Path) -> None:
    """There is no client id, and so none of iot:ClientId."""
    allowed = cloud.cloud.create_identity(
        policy(("Allow", "iot:Publish", ["*:topic/yes", "*:topic/${iot:ClientId}x"]))
    )
    assert (await post(cloud, tmp_path, "/topics/yes", identity=allowed))[0] == 200
    for path in ("/topics/no", "/topics/x", "/topics/yes?retain=true"):
        status, answer, error = await post(cloud, tmp_path, path, identity=allowed)
        assert (status, answer["message"], error) == (403, "Forbidden", "ForbiddenException")
    event = await cloud.event("rejected")
    assert (event.reason, event.detail) == (
        "ForbiddenException",
        "HTTPS: iot:Publish on topic/no is not allowed",
    )


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
async def test_a_certificate_that_is_not_active(cloud: Bench, tmp_path: Path, status: str) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    assert (await post(cloud, tmp_path, "/topics/a", identity=identity))[0] == 200
    identifier = cloud.cloud.registry.list_certificates()["certificates"][-1]["certificateId"]
    cloud.cloud.registry.update_certificate(certificateId=identifier, newStatus=status)
    assert (await post(cloud, tmp_path, "/topics/a", identity=identity))[0] == 403


async def test_without_a_certificate(cloud: Bench, tmp_path: Path) -> None:
    context = client_context(cloud.cloud.root_ca, None, tmp_path)
    url = f"https://localhost:{cloud.cloud.https_port}/topics/a"
    with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
        async with aiohttp.ClientSession() as session, session.post(url, data=b"x", ssl=context):
            pass


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/topics/a?qos=2", 400, "InvalidRequestException"),
        ("/topics/a?qos=", 400, "InvalidRequestException"),
        ("/topics/a?retain=yes", 400, "InvalidRequestException"),
        ("/topics/a%23", 400, "InvalidRequestException"),
        ("/topics/%2B", 400, "InvalidRequestException"),
        ("/topics/a%00", 400, "InvalidRequestException"),
        ("/topics/" + "a" * 257, 400, "InvalidRequestException"),
        ("/topics/" + "a/" * 8, 400, "InvalidRequestException"),
        ("/topics/$aws/things/x/shadow/update", 400, "InvalidRequestException"),
        ("/topics/", 404, "ResourceNotFoundException"),
        ("/", 404, "ResourceNotFoundException"),
        ("/greengrass/discover/thing/x", 404, "ResourceNotFoundException"),
    ],
)
async def test_refused(cloud: Bench, tmp_path: Path, path: str, status: int, error: str) -> None:
    got, answer, code = await post(cloud, tmp_path, path)
    assert (got, code) == (status, error) and answer["message"]
    assert (await cloud.event("rejected")).reason == error


async def test_other_methods(cloud: Bench, tmp_path: Path) -> None:
    for method in ("GET", "PUT", "DELETE"):
        status, _, error = await post(cloud, tmp_path, "/topics/a", method=method)
        assert (status, error) == (405, "InvalidRequestException")


async def test_sizes(cloud: Bench, tmp_path: Path) -> None:
    assert (await post(cloud, tmp_path, "/topics/a", b"x" * 128 * 1024))[0] == 200
    status, _, error = await post(cloud, tmp_path, "/topics/a", b"x" * (128 * 1024 + 1))
    assert (status, error) == (413, "RequestEntityTooLargeException")


async def raw_request(cloud: Bench, folder: Path, request: bytes) -> bytes:
    context = client_context(cloud.cloud.root_ca, cloud.cloud.create_identity(ANYTHING), folder)
    reader, writer = await asyncio.open_connection("localhost", cloud.cloud.https_port, ssl=context)
    writer.write(request)
    async with asyncio.timeout(60):
        answer = await reader.readline()
    writer.transport.abort()
    return answer


@pytest.mark.parametrize(
    "request_line",
    [b"POST /topics/\xff\xfe HTTP/1.1", b"POST /topics/%ff%fe HTTP/1.1", b"\0\0\0", b"POST  HTTP/1.1"],
)
async def test_hostile_requests(cloud: Bench, tmp_path: Path, request_line: bytes) -> None:
    """Whatever comes, there is an answer that is no error of the server's, and the next one is served."""
    listener = await cloud.client("l")
    await listener.subscribe("b")
    answer = await raw_request(
        cloud, tmp_path, request_line + b"\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
    )
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 200")), answer
    assert (await post(cloud, tmp_path, "/topics/b"))[0] == 200
    assert (await listener.message()).topic == "b"


async def test_connections_are_bounded(tmp_path: Path) -> None:
    async with bench(tmp_path, https_port=0, limits=replace(Limits(), connections=1)) as cloud:
        context = client_context(cloud.cloud.root_ca, cloud.cloud.create_identity(ANYTHING), tmp_path)
        port = cloud.cloud.https_port
        first, keeper = await asyncio.open_connection("localhost", port, ssl=context)
        keeper.write(b"POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert b"200" in await first.readline()
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
            writer.write(b"POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            await reader.readexactly(1)
        keeper.transport.abort()


async def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    async with bench(tmp_path) as cloud:
        assert cloud.cloud.https_port is None
        assert json.loads((tmp_path / "state/endpoint.json").read_text())["port"] == cloud.cloud.port


async def test_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools", "cloud", "--port", "0", "--state", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(
        *command, "--https-port", "0", cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.stdout.readline()
            line = (await process.stdout.readline()).decode()
    finally:
        process.terminate()
        await process.communicate()
    assert re.fullmatch(r"messages by HTTPS: POST https://localhost:[1-9]\d*/topics/TOPIC\?qos=1\n", line), (
        line
    )
    assert process.returncode == 0


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The cloud does not start by half: its state is free again, and nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cloud = Cloud(tmp_path, https_port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await cloud.start()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", cloud.port)
    async with Cloud(tmp_path):
        pass


async def test_a_message_that_cannot_be_kept(cloud: Bench, tmp_path: Path) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    cloud.cloud._database._connection.execute("PRAGMA query_only = ON")
    status, answer, error = await post(cloud, tmp_path, "/topics/a?retain=true", identity=identity)
    assert (status, answer["message"], error) == (500, "InternalFailure", "InternalFailureException")
    cloud.cloud._database._connection.execute("PRAGMA query_only = OFF")
    assert (await post(cloud, tmp_path, "/topics/a?retain=true", identity=identity))[0] == 200
