"""The whole way: the program, ports, esptool's protocol, the REPL, a deployment, the device that starts."""

import asyncio
import contextlib
import csv
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from tests.host.board.support import DEADLINE_S, ROOT, WIFI
from tests.host.station.whole import IMAGE, Whole, with_firmware
from tools.ble.qr import make_link
from tools.board import images
from tools.sim import Device, World

PAGE = "https://example.com/setup/"
# A step of the station's at which the cable is pulled, by the number of the board, and at which it is killed.
PULLED = {0: "writing", 1: "hearing Wi-Fi", 2: "press the button: the LED blinks", 3: "checking"}
KILLED = "labelling"


class Station:
    """The program; `changes` are what it tells, as JSON."""

    def __init__(self, folder: Path, ports: list[Path]) -> None:
        self._folder, self._ports = folder, ports
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        ports = [argument for port in self._ports for argument in ("--port", str(port))]
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.host.station.program", "station", str(self._folder / "image.bin")),
            *(
                "--page",
                PAGE,
                "--batch",
                str(self._folder / "batch"),
                "--no-packages",
                "--yes",
                "--json",
                *ports,
            ),
            *("--ssid", WIFI["ssid"], "--press", str(DEADLINE_S)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    async def changes(self) -> AsyncIterator[dict[str, Any]]:
        assert self.process and self.process.stdout
        while line := await self.process.stdout.readline():
            yield json.loads(line)

    async def end(self, how: signal.Signals) -> int:
        assert self.process
        with contextlib.suppress(ProcessLookupError):  # it has ended
            self.process.send_signal(how)
        return await self.process.wait()


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "batch" / "boards.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Operator:
    """Plugs boards in and out, at four ports, and makes trouble: pulls cables, kills the station once."""

    def __init__(self, folder: Path, world: World, number: int, image: images.Image) -> None:
        (folder / "image.bin").write_bytes(image.data)
        self.ports = [folder / f"port{index}" for index in range(4)]
        self.boards = [
            Whole(folder / f"board{n}", world, f"24:0a:c4:00:01:{n:02x}", self.ports[n % 4], image)
            for n in range(number)
        ]
        self._left = list(self.boards)
        self._at: dict[str, Whole] = {}
        self._pulls = {self.boards[index].mac: step for index, step in PULLED.items()}
        self._is_killed = False
        self._strange: list[str] = []
        self._station = Station(folder, self.ports)

    async def run(self) -> None:
        for port in self.ports:
            await self._plug_next(port)
        while self._left:
            await self._station.start()
            async for change in self._station.changes():
                if board := self._at.get(change.get("port", "")):
                    await self._see(board, change)
                if not self._left:
                    assert await self._station.end(signal.SIGINT) == 0
        for board in self.boards:
            board.close()
        assert self._is_killed and not self._pulls

    async def _see(self, board: Whole, change: dict[str, Any]) -> None:
        if board.is_plugged and self._pulls.get(board.mac) == change["step"]:
            del self._pulls[board.mac]
            await board.unplug()
        if change["state"] == "failed":
            if board.is_plugged:  # a machine under load may be late with a Ctrl-C
                self._strange.append(f"{change['text']}: {change['remedy']}")
                assert len(self._strange) <= len(self.boards), self._strange
                await board.unplug()
            await board.plug()
        elif change["state"] == "done":
            await board.unplug()
            self._left.remove(board)
            await self._plug_next(board.port)
        elif change["step"] == KILLED and not self._is_killed:
            self._is_killed = True
            assert await self._station.end(signal.SIGKILL) == -signal.SIGKILL
            for one in self._at.values():
                if not one.is_plugged:
                    await one.plug()

    async def _plug_next(self, port: Path) -> None:
        if board := next((it for it in self._left if it.port == port), None):
            self._at[str(port)] = board
            await board.plug()


async def produce(folder: Path, world: World, number: int, image: images.Image = IMAGE) -> list[Whole]:
    """Have boards made, with trouble; they are unplugged in the end."""
    operator = Operator(folder, world, number, image)
    await operator.run()
    return operator.boards


async def check(folder: Path, boards: list[Whole]) -> None:
    """One line and one label for each, and each starts with the code that is on its label."""
    found = {line["mac"]: line for line in lines(folder)}
    assert len(found) == len(lines(folder)) == len(boards) == len({line["code"] for line in found.values()})
    for board in boards:
        line = found[board.mac]
        code, name = line["code"], line["name"]
        assert (line["wifi"], line["led"], line["button"]) == ("-55 dBm", "seen", "pressed")
        (symbol,) = zxingcpp.read_barcodes(
            Image.open(folder / "batch" / "labels" / f"{name}.png").convert("L")
        )
        assert symbol.text == make_link(PAGE, code, name)
        async with Device(board.device.folder, board.device.world, board.mac) as device:
            await device.expect(r"system: mode CONFIG")
            await device.send("code")
            assert (await device.expect(r"^= ok (.*)$"))[1] == f"{code} {name}"
    assert len(list((folder / "batch" / "labels").iterdir())) == 2 * len(boards)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World({WIFI["ssid"]: WIFI["password"]}) as world:
        yield world


async def test_boards_that_are_unplugged_and_a_station_that_is_killed(tmp_path: Path, world: World) -> None:
    boards = await produce(tmp_path, world, 4)
    await check(tmp_path, boards)
    assert boards[0].flashes >= 2  # its cable was pulled meanwhile


@pytest.mark.every
async def test_a_hundred_whole_boards(tmp_path: Path, world: World) -> None:
    await check(tmp_path, await produce(tmp_path, world, 100, with_firmware()))
