"""The control plane's port, spoken to by who means harm, byte for byte."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.support import DEADLINE_S, Bench, bench
from tools.cloud import errors


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, rest_port=0) as running:
        yield running


class Answered:
    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        assert b"Traceback" not in data

    @property
    def code(self) -> str:
        return self.headers["x-amzn-errortype"]

    @property
    def message(self) -> str:
        return json.loads(self.body)["message"]


async def say(cloud: Bench, data: bytes) -> Answered:
    """What comes back until the server closes the connection or has sent all of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(cloud.cloud.rest_url.rpartition(":")[2]))
    try:
        async with asyncio.timeout(DEADLINE_S):
            writer.write(data)
            received = b""
            while more := await reader.read(65536):
                received += more
            return Answered(received)
    finally:
        writer.close()


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}", *headers]
    if not any(header.startswith("Host") for header in headers):
        lines.append("Host: localhost")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_what_is_no_operation(cloud: Bench) -> None:
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("PUT", "/things/lamp"), ("DELETE", "/things")):
        made = await say(cloud, request(method, path))
        assert (made.status, made.code) == (404, "UnknownOperationException")
    assert "GET /nothing" in (await cloud.event("rejected", lambda event: "/nothing" in event.detail)).detail


async def test_what_aws_has_and_this_cloud_has_not(cloud: Bench) -> None:
    made = await say(cloud, request("GET", "/otaUpdates"))
    assert (made.status, made.code) == (501, "NotImplementedException")
    assert "ListOTAUpdates" in made.message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b"null",
        b'{"attributePayload": 7}',
        b'{"attributePayload": {"attributes": {"a": null}}}',
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"thingTypeName": "a", "thingTypeName": "b"}',
        b'{"thingTypeName": Infinity}',
    ],
)
async def test_bodies_that_are_none(cloud: Bench, body: bytes) -> None:
    made = await say(cloud, request("POST", "/things/lamp", body))
    assert (made.status, made.code) == (400, "SerializationException")
    with pytest.raises(errors.ResourceNotFoundException):
        cloud.cloud.registry.describe_thing(thingName="lamp")


async def test_a_body_without_end_is_cut_off(cloud: Bench) -> None:
    made = await say(cloud, request("POST", "/things/lamp", b" " * (1024 * 1024 + 1)))
    assert (made.status, made.code) == (413, "RequestEntityTooLargeException")
    packed = gzip.compress(b" " * 50_000_000)
    made = await say(cloud, request("POST", "/things/lamp", packed, "Content-Encoding: gzip"))
    assert (made.status, made.code) == (413, "RequestEntityTooLargeException")
    made = await say(cloud, request("POST", "/things/lamp", b"no gzip", "Content-Encoding: gzip"))
    assert made.status == 400
    chunked = b"POST /things/lamp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    assert (await say(cloud, chunked)).status == 400


async def test_a_header_cannot_be_made_by_a_value(cloud: Bench) -> None:
    for path in ("/things/a%0d%0aSet-Cookie:%20x", "/policies/x%0AWarning:%20y", "/a%0d%0aX:%20y"):
        made = await say(cloud, request("GET", path))
        assert made.status in (400, 404)
        assert not {"set-cookie", "x"} & set(made.headers)
    made = await say(
        cloud, request("GET", "/things/lamp", b"", "Authorization: Credential=a/b/c/iot\x01/aws4_request")
    )
    assert made.status in (400, 404)
    event = await cloud.event("rejected", lambda event: "%0d" in event.detail)
    assert "\n" not in str(event)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # who speaks TLS to it
        b"GET /things HTTP/9.9\r\n\r\n",
        b"GET /things HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n: x\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /things HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST /things/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http(cloud: Bench, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(cloud.cloud.rest_url.rpartition(":")[2])
        )
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(DEADLINE_S):
            received = await reader.read(-1)
        writer.close()
        assert not received or received.split(b" ")[1][:1] == b"4"
        assert b"Traceback" not in received
        assert not [record for record in caplog.records if record.exc_info]
        assert (await say(cloud, request("GET", "/things"))).status == 200  # and it goes on


async def test_a_web_page_gets_nothing(cloud: Bench) -> None:
    for header in (
        "Origin: http://evil.example",
        "Origin: null",
        "Host: evil.example",
        "Host: evil.example:80",
        "Host: localhost:x",
        "Host: [evil]",
    ):
        made = await say(cloud, request("POST", "/keys-and-certificate", b"", header))
        assert (made.status, made.code) == (403, "ForbiddenException")
        assert "access-control-allow-origin" not in made.headers
    assert cloud.cloud.registry.list_certificates() == {"certificates": []}
    for host in ("127.0.0.1:1", "[::1]:1", "[::1]", "LOCALHOST", "localhost:8", "192.168.1.20"):
        assert (await say(cloud, request("GET", "/things", b"", f"Host: {host}"))).status == 200


async def test_arguments_that_no_client_would_send(cloud: Bench) -> None:
    cases: list[tuple[str, str, bytes, str]] = [
        ("GET", "/things?maxResults=x", b"", "SerializationException"),
        ("GET", "/things?maxResults=-1", b"", "InvalidRequestException"),
        ("GET", "/things?nextToken=%00", b"", "InvalidRequestException"),
        ("GET", "/things/%F0%28%8C%28", b"", "InvalidRequestException"),
        ("GET", "/things/%00", b"", "InvalidRequestException"),
        ("GET", "/things/..%2f..", b"", "InvalidRequestException"),
        ("PUT", "/certificates/%s?newStatus=gone" % ("a" * 64), b"", "InvalidRequestException"),
        ("PUT", "/things/lamp/principals", b"", "InvalidRequestException"),
        ("POST", "/policies/p", b'{"policyDocument": "{}"}', "MalformedPolicyException"),
        ("POST", "/topics/%23", b"", "InvalidRequestException"),
        ("POST", "/topics/a?qos=2", b"", "InvalidRequestException"),
        ("POST", "/topics/a?qos=one", b"", "SerializationException"),
        ("POST", "/topics/$aws%2Fevents%2Fa", b"", "InvalidRequestException"),
        ("POST", "/topics/" + "a" * 257, b"", "InvalidRequestException"),
        ("POST", "/topics/a", bytes(128 * 1024 + 1), "InvalidRequestException"),
        ("POST", "/topics/%ED%A0%80", b"", ""),  # what is no UTF-8 becomes U+FFFD, which MQTT takes
    ]
    for method, path, body, code in cases:
        made = await say(cloud, request(method, path, body))
        assert made.headers.get("x-amzn-errortype", "") == code, path


async def test_an_error_of_ours_tells_nothing_but_that(
    cloud: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def list_ota_updates(self) -> dict[str, Any]:
            raise ValueError("a secret of the inside")

    assert cloud.cloud._rest is not None
    cloud.cloud._rest.services["iot"].append(Broken())  # type: ignore[attr-defined]
    made = await say(cloud, request("GET", "/otaUpdates"))
    assert (made.status, made.code) == (500, "InternalFailureException")
    assert b"secret" not in made.body
    assert "a secret of the inside" in caplog.text


async def test_an_operation_is_done_whole_or_not_at_all(cloud: Bench) -> None:
    registry = cloud.cloud.registry
    registry.create_thing(thingName="lamp")
    registry.groups.create_thing_group(thingGroupName="there")
    body = b'{"thingName": "lamp", "thingGroupsToAdd": ["there", "nowhere"]}'
    made = await say(cloud, request("PUT", "/thing-groups/updateThingGroupsForThing", body))
    assert made.code == "ResourceNotFoundException"
    assert registry.groups.list_thing_groups_for_thing(thingName="lamp") == {"thingGroups": []}


async def test_hundred_at_once(cloud: Bench) -> None:
    answers = await asyncio.gather(*(say(cloud, request("POST", f"/things/t{i}", b"{}")) for i in range(100)))
    assert {made.status for made in answers} == {200}
    assert len(cloud.cloud.registry.list_things()["things"]) == 100
