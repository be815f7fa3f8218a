"""The camera's stack on ministack: a simulated camera brings 2 MB, the page has them, and nothing is left."""

import asyncio
import contextlib
import json
import ssl
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.patience import PATIENCE_S
from tests.second.aws import Aws
from tests.second.life import Life, call
from tests.second.test_account import everything, life  # noqa: F401  a fixture
from tests.system.house import HOST
from tools import application
from tools.board import settings
from tools.cloud.ca import Authority
from tools.examples.camera.cli import APPLICATION

BYTES = 2_000_000
UPLOADS = "s3.example.com"
TIMES = 3
_LOOK_S = 0.1


class Browser:
    """Asks API Gateway as a browser does, with its one cookie. Blocks."""

    def __init__(self, aws: Aws, link: str) -> None:
        api = (urlsplit(link).hostname or "").partition(".")[0]
        self._url, self._host = aws.url, f"{api}.execute-api.{HOST}"
        self._cookie = ""

    def __call__(self, path: str, data: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status, and the JSON or the bytes that come."""
        headers = {"Host": self._host, "Cookie": self._cookie, "Content-Type": "application/json"}
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self._url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                self._cookie = (answer.headers.get("Set-Cookie") or self._cookie).partition(";")[0]
                found, kind = answer.read(), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        return 200, json.loads(found) if kind == "application/json" else found

    async def until(self, path: str, holds: Callable[[Any], object]) -> Any:
        """What is answered there, once it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds(found := (await asyncio.to_thread(self, path))[1]):
                await asyncio.sleep(_LOOK_S)
        return found


@contextlib.asynccontextmanager
async def https(aws: Aws, folder: Path) -> AsyncIterator[tuple[int, str]]:
    """S3 by HTTPS, which ministack has not beside HTTP: a port, and the root of its certificate."""
    authority = Authority(folder, "p256")
    to = urlsplit(aws.url)

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(to.hostname, to.port)
        await asyncio.gather(pipe(reader, forth), pipe(back, writer))

    context = authority.server_context((UPLOADS,), mutual=False)
    async with await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1], authority.root_pem


async def test_two_megabytes_from_a_camera_to_the_page_and_nothing_is_left(
    life: Life,  # noqa: F811
    another: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = everything(another)
    (tmp_path / "ca").mkdir()
    async with https(another, tmp_path / "ca") as (port, root):
        with (tmp_path / "root.pem").open("a") as roots:
            roots.write(root)
        await life.make()
        up = ("up", "camera", "--yes", "--set", f"Uploads=https://{UPLOADS}")
        made = await asyncio.to_thread(life.aws, *up)
        assert made["ok"] and made["value"]["changed"], made
        assert not (await asyncio.to_thread(life.aws, *up))["value"]["changed"]
        monkeypatch.setenv(application.SETTING, str(APPLICATION))
        life.site.world.hosts[UPLOADS] = ("127.0.0.1", port)
        device = life.site.device()
        device.chip.peripherals.wiring.set("camera", BYTES)
        name = settings.device_name(device.chip.mac)
        assert call("aws", "serials", "add", name, "--name", life.name)[-1]["ok"]
        capsys.readouterr()

        browser, link = await opened(another, life, capsys)
        assert (await asyncio.to_thread(Browser(another, link), "/api/cameras"))[0] == 401
        await life.site.normal(device, life.configuration())
        path = f"/api/cameras/{name}"
        shown = await browser.until(path, lambda it: it.get("pictures"))
        assert {one["size"] for one in shown["pictures"]} == {BYTES}
        status, data = await asyncio.to_thread(browser, f"/pictures/{name}/{shown['pictures'][0]['id']}.jpg")
        assert status == 200 and len(data) == BYTES and data[:2] == b"\xff\xd8"

        took_s = [await click(browser, path) for _ in range(TIMES)]
        print(f"from click to 2 MB on ministack: {statistics.median(took_s):.2f} s, the median of {TIMES}")
        await desired(another, name)
        await device.power_off()
        await written(another, f"/aws/lambda/{life.name}-camera-outcome")
        down = await asyncio.to_thread(life.aws, "down", "camera", "--yes")
        assert down["ok"] and down["value"]["removed"], down
        await life.remove(name)
    assert everything(another) == before


async def opened(aws: Aws, life: Life, capsys: pytest.CaptureFixture[str]) -> tuple[Browser, str]:  # noqa: F811
    """A browser that has come by the link which the tools tell."""
    from tools.__main__ import main  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["tools", "camera", "--link", "--name", life.name])
        assert await asyncio.to_thread(main) == 0
    link = capsys.readouterr().out.strip()
    browser = Browser(aws, link)
    token = parse_qs(urlsplit(link).query)["token"][0]
    status, told = await asyncio.to_thread(browser, "/")
    assert status == 401, f"{told}"
    status, _ = await asyncio.to_thread(browser, f"/?token={token}")
    assert status == 200
    status, page = await asyncio.to_thread(browser, "/")
    assert status == 200 and b"<h1>" in page
    assert (await asyncio.to_thread(browser, "/common.css"))[0] == 200
    return browser, link


async def click(browser: Browser, path: str) -> float:
    """The button; the seconds until that picture is there."""
    begin_s = time.monotonic()
    status, asked = await asyncio.to_thread(browser, f"{path}/snapshots", {})
    assert status == 200 and asked["id"], asked
    await browser.until(path, lambda it: any(one["id"] == asked["id"] for one in it.get("pictures", ())))
    return time.monotonic() - begin_s


async def written(aws: Aws, group: str) -> None:
    """Wait until a function has written its last line: it makes its log group anew where that is gone."""
    logs, before, count = aws.client("logs"), -1, 0
    async with asyncio.timeout(PATIENCE_S):
        while count != before:
            before = count
            await asyncio.sleep(4 * _LOOK_S)
            found = await asyncio.to_thread(logs.filter_log_events, logGroupName=group)
            count = len(found["events"])


async def desired(aws: Aws, name: str) -> None:
    """Wait until the last outcome has cleared what was desired."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await asyncio.to_thread(aws.client("iot-data").get_thing_shadow, thingName=name)
            state = json.loads(found["payload"].read())["state"]
            if not state.get("desired", {}).get("snapshot"):
                assert state["reported"]["snapshot"]["bytes"] == BYTES
                return
            await asyncio.sleep(_LOOK_S)
