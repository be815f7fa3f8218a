"""The whole way: the program, ports, esptool's protocol, the REPL, a deployment, the device that starts."""

import asyncio
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
from tests.host.station.whole import IMAGE, Whole
from tools.ble.qr import make_link
from tools.sim import World

PAGE = "https://example.com/setup/"
# A step of the station's at which the cable is pulled, by the number of the board, and at which it is killed.
PULLED = {0: "writing", 1: "hearing Wi-Fi", 2: "press the button: the LED blinks", 3: "checking"}
KILLED = "labelling"


class Station:
    """The program; `changes` are what it tells, as JSON."""

    def __init__(self, folder: Path, ports: list[Path], *more: str) -> None:
        self._folder, self._ports, self._more = folder, ports, more
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        ports = [argument for port in self._ports for argument in ("--port", str(port))]
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.host.station.program", "station", str(self._folder / "image.bin")),
            *("--page", PAGE, "--batch", str(self._folder / "batch"), "--no-packages", "--json", *ports),
            *("--ssid", WIFI["ssid"], "--press", str(DEADLINE_S), *self._more),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    async def changes(self) -> AsyncIterator[dict[str, Any]]:
        assert self.process and self.process.stdout
        while line := await self.process.stdout.readline():
            yield json.loads(line)

    async def end(self, how: signal.Signals) -> int:
        assert self.process
        self.process.send_signal(how)
        return await self.process.wait()


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "batch" / "boards.csv").open(newline="") as file:
        return list(csv.DictReader(file))


async def produce(folder: Path, world: World, number: int, has_firmware: bool = False) -> list[Whole]:
    """Have boards made, with trouble; they are unplugged in the end."""
    at_once = 4
    (folder / "image.bin").write_bytes(IMAGE)
    ports = [folder / f"port{index}" for index in range(at_once)]
    boards = [
        Whole(
            folder / f"board{index}",
            world,
            f"24:0a:c4:00:01:{index:02x}",
            ports[index % at_once],
            has_firmware,
        )
        for index in range(number)
    ]
    left, at = list(boards), {}
    strange: list[str] = []
    pulls = {board.mac: PULLED[index] for index, board in enumerate(boards) if index in PULLED}
    station = Station(folder, ports, *(["--no-deploy"] if has_firmware else []))
    is_killed = False

    async def plug_next(port: Path) -> None:
        if board := next((it for it in boards if it.port == port and it in left), None):
            at[str(port)] = board
            await board.plug()

    for port in ports:
        await plug_next(port)
    while left:
        await station.start()
        async for change in station.changes():
            board = at.get(change.get("port", ""))
            if board is None:
                continue
            is_pulled = board.is_plugged and pulls.get(board.mac) == change["step"] != ""
            if is_pulled:
                del pulls[board.mac]
                await board.unplug()
            if change["state"] == "failed":
                if board.is_plugged:  # a machine under load may be late with a Ctrl-C
                    strange.append(f"{change['text']}: {change['remedy']}")
                    assert len(strange) <= number, strange
                    await board.unplug()
                await board.plug()
            if change["state"] == "done":
                await board.unplug()
                left.remove(board)
                await plug_next(board.port)
            elif change["step"] == KILLED and not is_killed:
                is_killed = True
                assert await station.end(signal.SIGKILL) == -signal.SIGKILL
                for one in at.values():
                    if not one.is_plugged:
                        await one.plug()
            if not left:
                assert await station.end(signal.SIGINT) == 0
    assert is_killed and not pulls
    return boards


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
        async with board.device as device:
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
    assert [board.flashes for board in boards] == [2, 1, 1, 1]  # the first one's cable was pulled meanwhile


@pytest.mark.every
async def test_a_hundred_whole_boards(tmp_path: Path, world: World) -> None:
    await check(tmp_path, await produce(tmp_path, world, 100, has_firmware=True))
