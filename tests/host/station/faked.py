"""Boards at the level of a station's steps: real files, a real ledger, real labels, and no wire."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.host.board.made_images import TWO_SLOTS, Made
from tools.board import images
from tools.board.chip import Looked
from tools.board.errors import BoardError
from tools.board.progress import Progress
from tools.station import bench, layout
from tools.station.bench import Bench, Plan
from tools.station.console import Told
from tools.station.hardware import Wanted
from tools.station.labels import Labels
from tools.station.ledger import Ledger

PAGE = "https://example.com/setup/"
IMAGE = images.parse(Made(partitions=TWO_SLOTS).image(), "image.bin")
WANTED = Wanted("Works", -70, 2, 0, 60)


class FakedBoard:
    """A board; it is plugged in where the file `port` is.

    pulls: at which of its steps the cable is pulled, counted over its life.
    """

    def __init__(self, number: int, pulls: tuple[int, ...] = ()) -> None:
        self.mac = f"24:0a:c4:00:{number >> 8:02x}:{number & 255:02x}"
        self.name = f"esp32-{self.mac.replace(':', '')}"
        self.pulls = pulls
        self.steps = self.flashes = self.presses = 0
        self.image = b""
        self.code = ""
        self.is_deployed = False

    def step(self, port: Path) -> None:
        self.steps += 1
        if self.steps in self.pulls:
            port.unlink()
        if not port.exists():
            raise BoardError(f"{port}: the connection is lost", "Plug the board in again.")


class Bay:
    """Ports, which board is at which, and what the bench takes for esptool, mpremote and the console."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.at: dict[str, FakedBoard] = {}
        self.printed: list[str] = []
        self.on_step: Callable[[], None] = lambda: None
        monkeypatch.setattr(bench, "connected", self._connected)
        monkeypatch.setattr(bench, "Repl", self._repl)
        monkeypatch.setattr(bench, "deploy", self._deploy)
        monkeypatch.setattr(bench, "ask", self._ask)
        monkeypatch.setattr(Labels, "print", lambda labels, board: self._print(board.name))
        monkeypatch.setattr(bench, "_BACK_S", 0)

    def plug(self, port: str, board: FakedBoard) -> None:
        self.at[port] = board
        Path(port).touch()

    def made(self, wanted: Wanted | None = WANTED) -> tuple[Bench, Ledger]:
        """A bench over the batch in `folder`, as a new process has it."""
        self.ledger = ledger = Ledger(self.folder / "batch")
        ledger.write_csv()
        labels = Labels(ledger.folder, PAGE, command="lp")
        return Bench(Plan(IMAGE, "esp32", wanted, ({}, {})), ledger, labels), ledger

    def _step(self, port: str) -> FakedBoard:
        self.on_step()
        board = self.at[port]
        board.step(Path(port))
        return board

    def _print(self, name: str) -> bool:
        self.printed.append(name)
        self.on_step()
        return True

    @contextlib.contextmanager
    def _connected(self, port: str, show: Progress) -> Iterator["_Chip"]:
        yield _Chip(self, port, self._step(port))

    @contextlib.contextmanager
    def _repl(self, port: str) -> Iterator["_Repl"]:
        board = self._step(port)
        if board.image != IMAGE.data:
            raise BoardError(f"{port}: no image on the board", "Flash it.")
        yield _Repl(self, port, board)

    def _deploy(self, port: str, *_: object, **__: object) -> None:
        board = self._step(port)
        assert board.image == IMAGE.data
        board.is_deployed = True

    async def _ask(self, port: str) -> Told:
        board = self._step(port)
        assert board.is_deployed
        return Told(board.code or "0000-0000-0000", board.name, "0.1.0")


class _Chip:
    name = "ESP32"

    def __init__(self, bay: Bay, port: str, board: FakedBoard) -> None:
        self._bay, self._port, self._board = bay, port, board

    def mac(self) -> str:
        return self._board.mac

    def take_loader(self, baudrate: int) -> None:
        self._bay._step(self._port)

    def look(self) -> Looked:
        return Looked("ESP32-D0WDQ6 (revision v3.0)", self._board.mac, 300, 4 << 20)

    def write(self, image: images.Image, show: Progress) -> None:
        self._board.image, self._board.code, self._board.is_deployed = b"half", "", False
        self._bay._step(self._port)
        self._board.image = image.data
        self._board.flashes += 1
        self._bay._step(self._port)


class _Repl:
    def __init__(self, bay: Bay, port: str, board: FakedBoard) -> None:
        self.port, self._bay, self._board = port, bay, board

    def facts(self) -> None:
        pass

    def reset(self) -> None:
        pass

    def exec(self, code: str, timeout_s: float = 10) -> str:
        self._bay._step(self.port)
        if found := re.search(r'set_blob\("code", b\'(\w{12})\'\)', code):
            self._board.code = found[1]
        if "press" in code:
            self._board.presses += 1
        self._bay._step(self.port)
        return "-52" if "scan" in code else '"pressed"'


def draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels whose drawing costs no time: what is about files alone."""
    monkeypatch.setattr(layout, "png", lambda label: label.link.encode())
    monkeypatch.setattr(layout, "sheet", lambda labels: "\n".join(label.link for label in labels).encode())
