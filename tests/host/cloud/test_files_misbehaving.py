"""Files that come slowly, in part, not at all or from somebody else: each way is seen by a client."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from tests.host.cloud.support import Bench, bench
from tests.patience import PATIENCE_S, until
from tools.cloud import Misbehaviour
from tools.cloud.misbehaviour import FILE_KINDS

DATA = bytes(range(256)) * 1000
SOURCE = "https://s3.eu-central-1.amazonaws.com/releases/firmware.pack"
NAME = "releases/firmware.pack"


@pytest.fixture(params=["p256", "rsa"])
async def cloud(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with bench(tmp_path, files_port=0, server_chain=request.param) as running:
        running.cloud.s3.objects.create_bucket("releases")
        running.cloud.s3.objects.put("releases", "firmware.pack", DATA)
        yield running


class Download:
    """One response, raw: what comes until the other end closes, or `enough` bytes of the body are there."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.reset = False

    async def read(self, cloud: Bench, url: str, asked: str = "", enough: int = len(DATA)) -> "Download":
        parts = urlsplit(url)
        context = ssl.create_default_context(cadata=cloud.cloud.root_ca)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        more = f"Range: {asked}\r\n" if asked else ""
        writer.write(
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n{more}\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            self.status = int(head[0].split()[1])
            self.headers = dict(line.split(": ", 1) for line in head[1:] if line)
            try:
                while len(self.body) < enough and (data := await reader.read(65536)):
                    self.body += data
            except ConnectionResetError:
                self.reset = True
        writer.transport.abort()
        return self


async def read(cloud: Bench, asked: str = "", enough: int = len(DATA)) -> Download:
    return await Download().read(cloud, cloud.cloud.s3.presign(SOURCE, 600), asked, enough)


def misbehave(cloud: Bench, *texts: str) -> None:
    cloud.cloud.gate.rules[:] = map(Misbehaviour.of, texts)


async def test_reset(cloud: Bench) -> None:
    misbehave(cloud, "reset=70000")
    made = await read(cloud)
    assert made.headers["Content-Length"] == str(len(DATA))
    assert made.reset and made.body == DATA[: len(made.body)] and len(made.body) <= 70000
    assert (await cloud.event("served")).detail == f"{NAME}, 70000 bytes from 0"
    part = await read(cloud, "bytes=100000-")
    assert part.reset and part.body == DATA[100000 : 100000 + len(part.body)] and len(part.body) <= 70000
    told = await cloud.event("misbehaved")
    assert (told.reason, told.detail) == ("reset", NAME)


async def test_stall(cloud: Bench) -> None:
    """What was said comes, then nothing, until the client goes; others are served meanwhile."""
    misbehave(cloud, f"stall=1000@{NAME}")
    made = await read(cloud, enough=1000)
    assert made.body == DATA[:1000]
    waiting = Download()
    task = asyncio.create_task(waiting.read(cloud, cloud.cloud.s3.presign(SOURCE, 600)))
    await until(lambda: len(waiting.body) == 1000)
    cloud.cloud.s3.objects.put("releases", "another", DATA)
    for _ in range(3):
        other = await Download().read(
            cloud, cloud.cloud.s3.presign(SOURCE.replace("firmware.pack", "another"), 600)
        )
        assert other.body == DATA
    assert not task.done() and waiting.body == DATA[:1000]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_trickle(cloud: Bench) -> None:
    misbehave(cloud, "trickle=20000")
    since_s = time.monotonic()
    made = await read(cloud, "bytes=0-9999", enough=10000)
    assert made.body == DATA[:10000]
    assert time.monotonic() - since_s >= 0.4


async def test_lie(cloud: Bench) -> None:
    misbehave(cloud, "lie=5")
    made = await read(cloud, enough=len(DATA) + 5)
    assert (made.headers["Content-Length"], made.body, made.reset) == (str(len(DATA) + 5), DATA, False)
    part = await read(cloud, "bytes=255900-", enough=105)
    assert part.headers["Content-Range"] == f"bytes 255900-{len(DATA) + 4}/{len(DATA) + 5}"
    assert part.body == DATA[255900:]


async def test_no_range(cloud: Bench) -> None:
    misbehave(cloud, "no-range=1")
    whole, part = await read(cloud, "bytes=10-19"), await read(cloud, "bytes=10-19", enough=10)
    assert (whole.status, whole.body) == (200, DATA) and "Content-Range" not in whole.headers
    assert (part.status, part.body) == (206, DATA[10:20])


async def test_redirect(cloud: Bench) -> None:
    """Who follows gets the file, so that a test sees who does."""
    misbehave(cloud, "redirect=1")
    url = cloud.cloud.s3.presign(SOURCE, 600)
    made = await Download().read(cloud, url, enough=0)
    there = urlsplit(made.headers["Location"])
    assert (made.status, there.netloc) == (307, f"127.0.0.1:{cloud.cloud.files_port}")
    assert (await Download().read(cloud, made.headers["Location"])).body == DATA


async def test_expired_and_busy(cloud: Bench) -> None:
    misbehave(cloud, "expired=1", "busy=1")
    for status, code in ((403, b"AccessDenied"), (503, b"SlowDown")):
        made = await read(cloud, enough=50)
        assert made.status == status and code in made.body
    assert (await read(cloud)).body == DATA


async def test_wrong_name(cloud: Bench) -> None:
    misbehave(cloud, "wrong-name=2")
    url = URL(cloud.cloud.s3.presign(SOURCE, 600), encoded=True)
    context = ssl.create_default_context(cadata=cloud.cloud.root_ca)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError, match="mismatch"):
            await session.get(url, ssl=context)
        context.check_hostname = False  # it is the same root's all the same
        async with session.get(url, ssl=context) as answer:
            assert await answer.read() == DATA
    assert (await read(cloud)).body == DATA
    assert (await cloud.event("misbehaved")).reason == "wrong-name"


async def test_one_file_alone(cloud: Bench) -> None:
    misbehave(cloud, "lie=1@releases/another", f"no-range=1@{NAME}")
    assert (await read(cloud, "bytes=0-0")).status == 200
    assert not [event for event in cloud.events if event.reason == "lie"]


@pytest.mark.parametrize(
    "text",
    ["stall=x", "reset=-1", "trickle=0", "wrong-name@releases/a", "lie@jobs", "no-range=0", "redirect=x"],
)
def test_what_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match="misbehaviour"):
        Misbehaviour.of(text)


@pytest.mark.parametrize("kind", FILE_KINDS)
def test_each_is_made_of_a_text(kind: str) -> None:
    made = Misbehaviour.of(f"{kind}=7")
    assert 7 in (made.amount, made.times)
    assert Misbehaviour.of(kind).amount == 16384
