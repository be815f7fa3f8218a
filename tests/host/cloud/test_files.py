"""Files by HTTPS with presigned URLs, as Amazon S3 serves them."""

import asyncio
import hashlib
import http.client
import json
import logging
import re
import resource
import socket
import ssl
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from yarl import URL

from tests.host.cloud.support import Bench, Clock, bench
from tests.patience import PATIENCE_S
from tools.cloud import Cloud, Limits, Misbehaviour
from tools.cloud.s3 import FilesPortError
from tools.cloud.s3.errors import S3Error
from tools.cloud.s3.objects import MOST_BYTES

DATA = bytes(range(256)) * 400  # 102,400 bytes
SOURCE = "https://s3.eu-central-1.amazonaws.com/releases/esp32-iot/firmware.pack"
NAME = "releases/esp32-iot/firmware.pack"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, files_port=0, clock=clock) as running:
        put(running.cloud)
        yield running


def put(cloud: Cloud, data: bytes = DATA) -> None:
    cloud.s3.objects.create_bucket("releases")
    cloud.s3.objects.put("releases", "esp32-iot/firmware.pack", data)


class Answer:
    def __init__(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, body

    @property
    def error(self) -> dict[str, str]:
        assert self.headers["Content-Type"] == "application/xml"
        root = ET.fromstring(self.body)
        assert root.tag == "Error"
        return {child.tag: child.text or "" for child in root}


async def fetch(
    cloud: Cloud, url: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b""
) -> Answer:
    context = ssl.create_default_context(cadata=cloud.root_ca)  # without a certificate of its own
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            ssl=context,
            data=body or None,
            allow_redirects=False,
        ) as answer,
    ):
        return Answer(answer, await answer.read())


@pytest.mark.parametrize("chain", ["p256", "rsa"])
async def test_a_file_for_who_trusts_the_same_root_as_for_mqtt(tmp_path: Path, chain: str) -> None:
    async with bench(tmp_path, files_port=0, server_chain=chain) as cloud:
        put(cloud.cloud)
        made = await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 600))
    assert (made.status, made.body) == (200, DATA)
    assert made.headers["Content-Length"] == str(len(DATA))
    assert made.headers["ETag"] == f'"{hashlib.md5(DATA).hexdigest()}"'
    assert made.headers["Accept-Ranges"] == "bytes"
    told = await cloud.event("served")
    assert told.detail == f"{NAME}, {len(DATA)} bytes from 0"


async def test_a_url_is_as_long_as_those_of_aws_and_as_they_are_written(cloud: Bench) -> None:
    url = cloud.cloud.s3.presign(SOURCE, 3600)
    assert 1200 <= len(url) <= 2000
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", f"localhost:{cloud.cloud.files_port}")
    assert parts.path == f"/{NAME}"
    query = parse_qs(parts.query, strict_parsing=True)
    assert list(query) == [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ]
    assert query["X-Amz-Expires"] == ["3600"]
    assert re.fullmatch(r"ASIA[A-Z2-7]{16}/20231114/us-east-1/s3/aws4_request", query["X-Amz-Credential"][0])


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=65536-", 65536, len(DATA) - 1),
        ("bytes=100000-99999999", 100000, len(DATA) - 1),
        ("bytes=-16", len(DATA) - 16, len(DATA) - 1),
        (f"bytes=-{10 * len(DATA)}", 0, len(DATA) - 1),
    ],
)
async def test_a_part(cloud: Bench, asked: str, first: int, last: int) -> None:
    made = await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 60), headers={"Range": asked})
    assert (made.status, made.body) == (206, DATA[first : last + 1])
    assert made.headers["Content-Range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert made.headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=999999-1000000", "bytes=-0"])
async def test_a_part_behind_the_end(cloud: Bench, asked: str) -> None:
    made = await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 60), headers={"Range": asked})
    assert (made.status, made.error["Code"]) == (416, "InvalidRange")
    assert made.headers["Content-Range"] == f"bytes */{len(DATA)}"
    assert made.error["ActualObjectSize"] == str(len(DATA))


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-4", "bytes=0-1,3-4", "bytes=-", "bytes=x-y", "lines=0-1", "0-1", "bytes=" + "9" * 40 + "-"],
)
async def test_what_is_no_single_range_is_passed_over(cloud: Bench, asked: str) -> None:
    made = await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 60), headers={"Range": asked})
    assert (made.status, made.body) == (200, DATA)


async def test_head_has_a_signature_of_its_own(cloud: Bench) -> None:
    url = cloud.cloud.s3.url("localhost", f"/{NAME}", 60, "HEAD")
    made = await fetch(cloud.cloud, url, "HEAD", {"Range": "bytes=0-9"})
    assert (made.status, made.body, made.headers["Content-Length"]) == (206, b"", "10")
    refused = await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 60), "HEAD")
    assert (refused.status, refused.body) == (403, b"")


async def test_it_ends(cloud: Bench, clock: Clock) -> None:
    url = cloud.cloud.s3.presign(SOURCE, 60)
    clock.now_s += 59
    assert (await fetch(cloud.cloud, url)).status == 200
    clock.now_s += 1
    made = await fetch(cloud.cloud, url)
    assert made.status == 403
    assert (made.error["Code"], made.error["Message"]) == ("AccessDenied", "Request has expired")
    assert (made.error["X-Amz-Expires"], made.error["Expires"]) == ("60", "2023-11-14T22:14:20Z")
    assert (await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 60))).status == 200


def changed(url: str, name: str, value: str) -> str:
    made, count = re.subn(rf"{name}=[^&]*", f"{name}={value}", url)
    assert count == 1
    return made


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda url: url.partition("?")[0], "AccessDenied"),
        (lambda url: url.partition("&X-Amz-Signature")[0], "AccessDenied"),
        (lambda url: url + "&a=1" * 60, "AccessDenied"),
        (lambda url: changed(url, "X-Amz-Signature", "0" * 64), "SignatureDoesNotMatch"),
        (lambda url: changed(url, "X-Amz-Signature", "%FF"), "SignatureDoesNotMatch"),
        (lambda url: changed(url, "X-Amz-Expires", "604800"), "SignatureDoesNotMatch"),
        (lambda url: changed(url, "X-Amz-Date", "20991231T000000Z"), "SignatureDoesNotMatch"),
        (lambda url: changed(url, "X-Amz-Date", "%ED%B3%BF"), "SignatureDoesNotMatch"),
        (lambda url: changed(url, "X-Amz-Security-Token", "x"), "SignatureDoesNotMatch"),
        (lambda url: changed(url, "X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/x"), "InvalidAccessKeyId"),
        (lambda url: changed(url, "X-Amz-Credential", ""), "InvalidAccessKeyId"),
        (lambda url: url.replace("firmware.pack", "another.pack"), "SignatureDoesNotMatch"),
        (lambda url: url + "&versionId=1", "SignatureDoesNotMatch"),
        (lambda url: url.replace("localhost", "127.0.0.1"), "SignatureDoesNotMatch"),
    ],
)
async def test_what_was_not_signed_so(cloud: Bench, change: Callable[[str], str], code: str) -> None:
    made = await fetch(cloud.cloud, change(cloud.cloud.s3.presign(SOURCE, 60)))
    assert (made.status, made.error["Code"]) == (403, code)
    assert (await cloud.event("rejected")).reason == code


async def test_of_another_life_of_the_cloud(tmp_path: Path, clock: Clock) -> None:
    async with bench(tmp_path, files_port=0, clock=clock) as first:
        put(first.cloud)
        url, port = first.cloud.s3.presign(SOURCE, 60), first.cloud.files_port
    async with bench(tmp_path, files_port=port, clock=clock) as second:
        assert (await fetch(second.cloud, url)).error["Code"] == "InvalidAccessKeyId"
        assert (await fetch(second.cloud, second.cloud.s3.presign(SOURCE, 60))).body == DATA


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("https://s3.amazonaws.com/releases/nothing", 404, "NoSuchKey"),
        ("https://s3.amazonaws.com/nowhere/x", 404, "NoSuchBucket"),
        ("https://s3.amazonaws.com/releases/", 400, "KeyTooLongError"),
        ("https://s3.amazonaws.com/..%2F..%2Fca.key", 404, "NoSuchBucket"),
        ("https://s3.amazonaws.com/../ca.key", 404, "NoSuchBucket"),
        ("https://s3.amazonaws.com/releases/../../ca.key", 404, "NoSuchKey"),
        ("https://s3.amazonaws.com/releases/%FF", 400, "InvalidURI"),
        ("https://s3.amazonaws.com/releases/a%00b", 404, "NoSuchKey"),
        ("https://s3.amazonaws.com/releases/" + "k" * 1025, 400, "KeyTooLongError"),
    ],
)
async def test_what_is_not_there(cloud: Bench, url: str, status: int, code: str) -> None:
    """By raw requests: a proper client would tidy such paths."""
    signed = urlsplit(cloud.cloud.s3.presign(url, 60))

    def ask() -> tuple[int, bytes]:
        context = ssl.create_default_context(cadata=cloud.cloud.root_ca)
        connection = http.client.HTTPSConnection(signed.netloc, context=context, timeout=PATIENCE_S)
        connection.putrequest("GET", f"{signed.path}?{signed.query}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()

    got, body = await asyncio.to_thread(ask)
    assert (got, ET.fromstring(body).findtext("Code")) == (status, code)


async def test_nothing_is_put_there(cloud: Bench) -> None:
    for method in ("POST", "DELETE", "OPTIONS"):
        made = await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 60), method, body=b"x")
        assert (made.status, made.error["Code"]) == (405, "MethodNotAllowed")
    assert (await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 60))).body == DATA


async def test_urls_of_s3_alone_are_signed(cloud: Bench) -> None:
    s3 = cloud.cloud.s3
    for host in ("s3.amazonaws.com", "s3-eu-west-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn"):
        assert s3.presign(f"https://{host}/releases/a", 60).startswith(
            f"https://localhost:{cloud.cloud.files_port}/releases/a?X-Amz"
        )
    by_host = s3.presign("https://releases.s3.eu-central-1.amazonaws.com/esp32-iot/firmware.pack", 60)
    assert (await fetch(cloud.cloud, by_host)).body == DATA
    for other in ("https://example.com/releases/a", "releases/a", "https://s3.amazonaws.com.example.com/a/b"):
        assert s3.presign(other, 60) == other


async def test_a_file_that_is_replaced_meanwhile(cloud: Bench) -> None:
    """Who has begun gets the old one to its end; the next one the new, with another ETag."""
    found = cloud.cloud.s3.objects.open("releases", "esp32-iot/firmware.pack")
    put(cloud.cloud, b"new" * 10)
    with found:
        assert found.read(0, found.size) == DATA
    made = await fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 600))
    assert (made.body, made.headers["ETag"] == found.etag) == (b"new" * 10, False)


def test_objects_are_bounded_and_outlive_the_cloud(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    try:
        put(cloud)
        with pytest.raises(S3Error, match="maximum allowed size"):
            put(cloud, bytes(MOST_BYTES + 1))
        with pytest.raises(S3Error) as refused:
            cloud.s3.objects.create_bucket("../up")
        assert refused.value.code == "InvalidBucketName"
    finally:
        cloud._database.close()
    again = Cloud(tmp_path)
    with again.s3.objects.open("releases", "esp32-iot/firmware.pack") as found:
        assert found.read(0, found.size) == DATA
    again._database.close()
    folders = {path.parent for path in (tmp_path / "s3").rglob("*") if path.is_file()}
    assert folders == {tmp_path / "s3/releases"}


def test_an_object_that_finds_no_room(tmp_path: Path) -> None:
    """What was there stays, whole, and nothing is left of the other."""
    cloud = Cloud(tmp_path)
    put(cloud)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(DATA) // 2, hard))
    try:
        with pytest.raises(S3Error, match="File too large") as refused:
            put(cloud, bytes(len(DATA)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        cloud._database.close()
    assert (refused.value.code, refused.value.status) == ("InternalError", 500)
    with cloud.s3.objects.open("releases", "esp32-iot/firmware.pack") as found:
        assert found.read(0, found.size) == DATA
    assert len([path for path in (tmp_path / "s3").rglob("*") if path.is_file()]) == 2  # it, and its key


async def test_a_job_brings_a_fresh_url_each_time_it_is_asked_for(cloud: Bench, clock: Clock) -> None:
    core = cloud.cloud
    core.registry.create_thing(thingName="lamp")
    document = json.dumps({"action": "OTA", "url": f"${{aws:iot:s3-presigned-url:{SOURCE}}}"})
    made = core.jobs.create_job(
        jobId="update",
        targets=[core.registry.arn("thing/lamp")],
        document=document,
        presignedUrlConfig={"roleArn": "arn:aws:iam::123456789012:role/s3", "expiresInSec": 90},
    )
    assert not made.warnings
    device = await cloud.client("lamp")
    urls = []
    for _ in range(2):
        topic = "$aws/things/lamp/jobs/$next/get"
        await device.publish(topic, b"{}")
        message = await device.message()
        assert message.topic == f"{topic}/accepted"
        urls.append(json.loads(message.payload)["execution"]["jobDocument"]["url"])
        clock.now_s += 60
    assert urls[0] != urls[1] and "X-Amz-Expires=90&" in urls[0]
    assert (await fetch(core, urls[0])).error["Message"] == "Request has expired"
    assert (await fetch(core, urls[1])).body == DATA


async def test_no_url_is_in_a_log(
    cloud: Bench, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of a request: served, refused, no HTTP, met by an error of the cloud's."""
    caplog.set_level(logging.DEBUG)
    url = cloud.cloud.s3.presign(SOURCE, 60)
    secret = url.partition("X-Amz-Security-Token=")[2][:100]
    await fetch(cloud.cloud, url)
    await fetch(cloud.cloud, url + "x")
    for line in (
        f"GET /{url} HTTP/9.9\r\n\r\n",
        f"{url}\r\n\r\n",
        f"GET /{'x' * 9000}{url} HTTP/1.1\r\n\r\n",
    ):
        context = ssl.create_default_context(cadata=cloud.cloud.root_ca)
        reader, writer = await asyncio.open_connection("localhost", cloud.cloud.files_port, ssl=context)
        writer.write(line.encode())
        async with asyncio.timeout(PATIENCE_S):
            await reader.read()
        writer.close()
    monkeypatch.setattr(cloud.cloud.s3.objects, "open", lambda *_: 1 / 0)
    assert (await fetch(cloud.cloud, url)).status == 500
    clock.now_s += 60
    await fetch(cloud.cloud, url)
    assert "ZeroDivisionError" in caplog.text and "has expired" in caplog.text
    assert secret not in caplog.text and "Signature=" not in caplog.text
    assert secret not in "".join(map(str, cloud.events))


async def test_who_reads_nothing_is_let_go(tmp_path: Path) -> None:
    async with bench(tmp_path, files_port=0, limits=Limits(write_stall_s=0.2)) as cloud:
        put(cloud.cloud, bytes(MOST_BYTES))
        url = urlsplit(cloud.cloud.s3.presign(SOURCE, 600))
        context = ssl.create_default_context(cadata=cloud.cloud.root_ca)
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else all of it waits in the system
        peer.connect(("127.0.0.1", url.port))
        peer.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=peer, ssl=context, server_hostname="localhost")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
        told = await cloud.event("served")
        assert int(re.findall(r", (\d+) bytes", told.detail)[0]) < MOST_BYTES
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            async with asyncio.timeout(PATIENCE_S):
                await reader.readexactly(MOST_BYTES)
        writer.close()


async def test_the_end_of_the_cloud_is_that_of_its_downloads(tmp_path: Path) -> None:
    async with bench(tmp_path, files_port=0, misbehave=[Misbehaviour.of("stall=10")]) as cloud:
        put(cloud.cloud)
        waiting = asyncio.create_task(fetch(cloud.cloud, cloud.cloud.s3.presign(SOURCE, 600)))
        await cloud.event("misbehaved")
        since = time.monotonic()
    with pytest.raises(aiohttp.ClientError):
        await waiting
    assert time.monotonic() - since < PATIENCE_S


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    async with bench(tmp_path / "a", files_port=0) as cloud:
        with pytest.raises(FilesPortError, match=str(cloud.cloud.files_port)):
            async with Cloud(tmp_path / "b", files_port=cloud.cloud.files_port):
                pass
    with pytest.raises(ValueError, match="files_host"):
        Cloud(tmp_path / "c", files_host="elsewhere")
