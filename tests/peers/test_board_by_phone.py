"""docs/board.md, By phone: its commands and steps as written, in Chromium, with a simulated board."""

import asyncio
import contextlib
import functools
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.host.board.support import Board, simulated
from tests.patience import PATIENCE_S
from tests.peers import chromium
from tests.peers.bridge import Bridge
from tests.peers.chromium import needs_chromium
from tests.peers.phone_scene import WAIT_MS
from tests.system.house import WIFI
from tools.phone.serve import PAGE
from tools.sim import World

pytestmark = needs_chromium

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/board.md").read_text("utf-8")
HOST = "192.168.1.20"
PORT = "/dev/ttyUSB0"
DEADLINE_S = PATIENCE_S


def section(title: str) -> str:
    """What stands under a title, up to the next one."""
    return re.split(r"(?m)^#{2,3} ", TEXT.partition(f" {title}\n")[2])[0]


def commands(text: str) -> list[str]:
    return re.findall(r"(?m)^\$ (.*)$", text)


@dataclass
class Program:
    """A command of the page that goes on running, and its lines."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def says(self, pattern: str) -> re.Match[str]:
        assert self.process.stdout
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip())
                if match := re.search(pattern, line):
                    return match
        raise AssertionError(f"it ended without {pattern!r}: {self.lines}")


class Desk:
    """The folder where a user types the page's commands, and what runs there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _arguments(self, command: str, port: str, more: tuple[str, ...]) -> list[str]:
        words = shlex.split(command)
        if words[0] == "make":  # what it would run
            dry = subprocess.run(
                ["make", "-n", *words[1:]],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=True,
            )
            words = shlex.split(dry.stdout.strip().splitlines()[-1])
        at = words.index("-m")
        assert words[at + 1] == "tools", command
        return [sys.executable, *(port if word == PORT else word for word in words[at:]), *more]

    async def start(self, command: str, port: str, *more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._arguments(command, port, more),
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )

    @contextlib.asynccontextmanager
    async def running(self, command: str, *more: str) -> AsyncIterator[Program]:
        """A command in a terminal of its own, until Ctrl-C."""
        process = await self.start(command, "", *more)
        try:
            yield Program(process)
        finally:
            process.terminate()
            async with asyncio.timeout(DEADLINE_S):
                await process.communicate()
        assert process.returncode == 0

    async def run(self, command: str, port: str = "") -> list[str]:
        """The lines of a command that ends."""
        process = await self.start(command, port)
        async with asyncio.timeout(DEADLINE_S):
            out, _ = await process.communicate()
        assert process.returncode == 0, command
        return out.decode().splitlines()


@dataclass
class Room:
    """All that the steps need: a cloud that runs, a board in mode CONFIG, a browser that hears it."""

    desk: Desk
    board: Board
    visit: chromium.Visit


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    desk = Desk(tmp_path)
    network = f"{WIFI['ssid']}:{WIFI['password']}"
    cloud_command = next(command for command in commands(section("3. A cloud")) if network in command)
    async with (
        desk.running(cloud_command, "--port", "0", "--listen", "127.0.0.1") as cloud,
        World({WIFI["ssid"]: WIFI["password"]}) as world,
        simulated(tmp_path / "board", world) as board,
        chromium.running() as browser,
    ):
        world.hosts[HOST] = ("127.0.0.1", int((await cloud.says(r"listens on \S+ port (\d+)"))[1]))
        await cloud.says("^next: ")
        visit = await chromium.Visit.start(browser)
        central = await world.phone(247)
        await board.device.power_on()
        await board.device.expect("system: mode CONFIG")
        async with Bridge(browser, visit.page, central, board.device.chip.ble.address) as bridge:
            await bridge.hear()
            yield Room(desk, board, visit)
    assert visit.complaints == []


async def test_from_the_box_to_telemetry(room: Room) -> None:
    text = section("By phone")
    serve, ask_code = commands(text)[:2]
    page, board = room.visit.page, room.board
    async with room.desk.running(serve, "--port", "0") as server:
        url = (await server.says(r"^Open (http://localhost:\d+/) in Chrome or Edge; Ctrl-C ends"))[1]
        await server.says(f"^Devices that it sets up will call {HOST}$")
        assert "correct horse" not in await (await page.request.get(url + "product.json")).text()
        link = next(line for line in await room.desk.run(ask_code, board.port) if "#code=" in line)
        assert link.startswith("http://localhost:8008/#code=") and link.endswith("&name=esp32-240ac4000001")
        await page.goto(link.replace("http://localhost:8008/", url))
        steps = re.findall(r"(?m)^\d\. ((?:.|\n(?!\d\.|\n))*)", text)
        assert [re.findall(r"\*\*(.*?)\*\*", step) for step in steps] == [
            ["Find device"],
            ["Continue"],
            ["Set up device"],
            ["All set"],
        ]
        await page.get_by_role("button", name="Find device").click()
        await page.get_by_role("button", name=WIFI["ssid"]).click(timeout=WAIT_MS)
        await page.get_by_label("Password", exact=True).fill(WIFI["password"])
        await page.get_by_role("button", name="Continue").click()
        facts = page.locator(".facts")
        for fact in ("esp32-240ac4000001", WIFI["ssid"], HOST):
            await expect(facts).to_contain_text(fact)
        await page.get_by_role("button", name="Set up device").click()
        await expect(page.get_by_role("heading", name="All set")).to_be_visible(timeout=WAIT_MS)
    for line in ("provisioning: this is thing", "cloud: connected", r"app: telemetry \d+ acknowledged"):
        await board.device.expect(line, DEADLINE_S)


async def test_a_product_with_its_page_on_a_plain_web_server(room: Room) -> None:
    make_product, make_label = commands(section("By phone"))[2:]
    folder, page = room.desk.folder, room.visit.page
    assert f"product.json: devices will call {HOST}" in await room.desk.run(make_product)
    said = await room.desk.run(make_label, room.board.port)
    assert (folder / "label.png").read_bytes().startswith(b"\x89PNG")
    link = said[-1].removeprefix("label.png: ")
    assert link.startswith("https://example.com/setup/#code=")
    shutil.copytree(PAGE, folder / "web/setup")
    shutil.copy(folder / "product.json", folder / "web/setup")
    with plain_server(folder / "web") as url:  # on localhost, which is as secure to a browser as https is
        await page.goto(link.replace("https://example.com/", url))
        await page.get_by_role("button", name="Find device").click()
        await page.get_by_role("button", name=WIFI["ssid"]).click(timeout=WAIT_MS)
        await page.get_by_label("Password", exact=True).fill(WIFI["password"])
        await page.get_by_role("button", name="Continue").click()
        await expect(page.locator("#check-cloud")).to_have_text(HOST)
        await page.get_by_role("button", name="Set up device").click()
        await expect(page.get_by_role("heading", name="All set")).to_be_visible(timeout=WAIT_MS)
    await room.board.device.expect("cloud: connected", DEADLINE_S)
    product = json.loads((folder / "product.json").read_text())
    assert product["aws"]["endpoint"] == HOST and "wifi" not in product


@contextlib.contextmanager
def plain_server(folder: Path) -> Iterator[str]:
    """A web server that knows nothing of the page."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()
