"""Whatever is interrupted, wherever: in the end each board has one code, one label, one line, and works."""

import csv
import os
import random
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from tests.host.station.faked import IMAGE, PAGE, Bay, FakedBoard, draw_nothing
from tests.patience import PATIENCE_S
from tools.ble.qr import make_link
from tools.ble.session import normalise_code
from tools.board.errors import BoardError
from tools.board.progress import Progress
from tools.station import watch
from tools.station.bench import UNKNOWN
from tools.station.ledger import Board, Ledger
from tools.station.watch import DONE, FAILED, Watch

AT_ONCE = 4
STEPS = 13  # that a board takes where nothing happens


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "boards.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def check(bay: Bay, boards: list[FakedBoard], read: Callable[[Path], str]) -> None:
    """One of all for each. read: the link that is on a label."""
    batch = bay.folder / "batch"
    found = {line["mac"]: line for line in lines(batch)}
    assert len(lines(batch)) == len(found) == len(boards)
    assert sorted(int(line["number"]) for line in found.values()) == list(range(1, len(boards) + 1))
    labels = list((batch / "labels").glob("*.png"))
    assert len(labels) == len(boards) == len({line["code"] for line in found.values()})
    for board in boards:
        line = found[board.mac]
        assert board.is_deployed and board.image == IMAGE.data
        assert board.code == normalise_code(line["code"]), "the label's code is not the board's"
        assert read(batch / "labels" / f"{board.name}.png") == make_link(PAGE, board.code, board.name)
        assert (line["name"], line["firmware"], line["wifi"]) == (board.name, "0.1.0", "-52 dBm")
    assert len(bay.printed) == len(set(bay.printed)), "a label was printed twice"
    with (batch / "labels.csv").open(newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} == {board.name for board in boards}
    for path in batch.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


class Killed(BaseException):
    """The process ends here, as by kill -9: nothing that follows is done."""


class Cut:
    """Kills at the n-th thing that a process does: a step at a board, a statement, a part of writing."""

    def __init__(self, bay: Bay, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.count, self._is_dead = 0, 0, False
        bay.on_step = self
        run = Ledger._run

        def counted(ledger: Ledger, sql: str, *values: Any) -> list[tuple[Any, ...]]:
            self()
            rows = run(ledger, sql, *values)
            self()
            return rows

        monkeypatch.setattr(Ledger, "_run", counted)
        for name in ("fsync", "replace", "unlink"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def __call__(self) -> None:
        self.count += 1
        if self._is_dead or self.count == self.at:
            self._is_dead = True
            raise Killed

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self()
            function(*arguments)
            self()

        return counted

    def again(self, at: int) -> None:
        self.at, self.count, self._is_dead = at, 0, False


def test_a_kill_at_any_moment(bay: Bay, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_nothing(monkeypatch)
    cut = Cut(bay, monkeypatch)
    home, at, unsure, is_cut = bay.folder, 0, 0, True
    while is_cut:
        at += 1
        bay.folder, bay.printed, is_cut = home / str(at), [], False
        bay.folder.mkdir()
        board, port = FakedBoard(1), str(bay.folder / "port")
        bay.plug(port, board)
        cut.again(at)
        while True:
            try:
                bench, _ = bay.made()
                bench.handle(port, lambda what, done, total: None, lambda it: None)
                break
            except Killed:
                is_cut = True
                cut.again(0)
            finally:
                bay.ledger.close()
        cut.again(0)
        bay.made()[1].close()  # a new start, which mends what only a new start can
        check(bay, [board], lambda path: path.read_text())
        unsure += lines(bay.folder / "batch")[0]["printed"] == UNKNOWN
        assert board.presses <= 1 + is_cut and board.flashes <= 1 + is_cut
    assert at > 60, "there was less to interrupt than thought"
    assert 0 < unsure < 8  # only where the print itself was cut off


def operators(bay: Bay, boards: Iterator[FakedBoard], seen: Watch) -> None:
    """Take off what is done or failed, and plug in: the same again, or the next."""
    for number in range(AT_ONCE):
        port = str(bay.folder / f"port{number}")
        place, is_there = seen.places.get(port), Path(port).exists()
        if is_there and place and place.state in (DONE, FAILED):
            Path(port).unlink(missing_ok=True)  # a board may have been unplugged just now
            if place.state == DONE:
                bay.at.pop(port, None)
        elif not is_there and place is None:
            board = bay.at.get(port) or next(boards, None)
            if board:
                bay.plug(port, board)


def test_a_hundred_boards(bay: Bay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four at a time; most are unplugged somewhere, some thrice; thrice the station ends amid its work."""
    monkeypatch.setattr(watch, "_LOOK_S", 0.005)
    chance = random.Random(16)
    boards = [
        FakedBoard(number, tuple(chance.choices(range(1, STEPS + 1), k=chance.randint(0, 3))))
        for number in range(100)
    ]
    waiting = iter(boards)
    ports = [str(bay.folder / f"port{number}") for number in range(AT_ONCE)]
    finished = 0
    for stop in (20, 55, 80, 100):
        bench, ledger = bay.made()
        seen = Watch(
            lambda: dict.fromkeys(filter(os.path.exists, ports)), bench.handle, AT_ONCE, lambda place: None
        )

        def draw(seen: Watch = seen, stop: int = stop, before: int = finished) -> None:
            operators(bay, waiting, seen)
            if before + seen.finished >= stop:
                raise KeyboardInterrupt

        try:
            with pytest.raises(KeyboardInterrupt):
                seen.run(None, draw)
        finally:
            ledger.close()
            for place in list(seen.places.values()):
                if place.thread:
                    place.thread.join()
        finished = len(lines(bay.folder / "batch"))
    assert sum(board.steps > STEPS for board in boards) > 50, "too few were unplugged"
    assert sum(board.flashes > 1 for board in boards) > 5
    check(bay, boards, read_png)


def test_what_is_told_is_told_before_the_run_ends() -> None:
    """The last board's end is among it; of one that is worked on nothing comes later."""
    told: list[tuple[str, str, int]] = []
    is_over = threading.Event()

    def handle(port: str, show: Progress, known: Callable[[Board], None]) -> Board:
        if port == "slow":
            is_over.wait(PATIENCE_S)
            show("late", 0, 0)
        return Board("24:0a:c4:00:00:01", "esp32-240ac4000001", "ABCDEFGHJKMN", "ESP32")

    seen = Watch(
        lambda: {"fast": 1, "slow": 1},
        handle,
        2,
        lambda place: told.append((place.port, place.state, seen.finished)),
    )
    seen.run(1)
    before = list(told)
    is_over.set()
    thread = seen.places["slow"].thread
    assert thread
    thread.join()
    assert told == before and before[-1] == ("fast", DONE, 0) and seen.finished == 1


def read_png(path: Path) -> str:
    (found,) = zxingcpp.read_barcodes(Image.open(path).convert("L"))
    return str(found.text)


def test_a_board_that_is_done_is_left_alone(bay: Bay) -> None:
    port, board = str(bay.folder / "port"), FakedBoard(1)
    bay.plug(port, board)
    bench, ledger = bay.made()
    for _ in range(2):
        done = bench.handle(port, lambda what, done, total: None, lambda it: None)
        assert done.number == 1
    assert (board.flashes, board.presses, bay.printed) == (1, 1, [board.name])
    assert board.steps == STEPS + 1
    ledger.close()


def test_a_board_that_lost_its_image_gets_it_again_with_the_same_code(bay: Bay) -> None:
    port, board = str(bay.folder / "port"), FakedBoard(1, pulls=(9,))
    bay.plug(port, board)
    bench, ledger = bay.made()
    with pytest.raises(BoardError, match="connection is lost"):
        bench.handle(port, lambda what, done, total: None, lambda it: None)
    code = ledger.boards()[0].code
    board.image, board.code = b"", ""
    bay.plug(port, board)
    with pytest.raises(BoardError, match="no image on the board"):
        bench.handle(port, lambda what, done, total: None, lambda it: None)
    assert bench.handle(port, lambda what, done, total: None, lambda it: None).done
    assert board.code == code and board.flashes == 2
    ledger.close()


def test_a_folder_is_one_stations_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "batch")
    with pytest.raises(BoardError, match="another station uses it"):
        Ledger(tmp_path / "batch")
    ledger.agree("page", PAGE, "It is on the labels.")
    ledger.close()
    again = Ledger(tmp_path / "batch")
    with pytest.raises(BoardError, match="the batch was begun with --page"):
        again.agree("page", "https://other.example/", "It is on the labels.")
    again.close()
    (tmp_path / "batch" / "station.db").write_bytes(b"no database" * 1000)
    with pytest.raises(BoardError, match="damaged"):
        Ledger(tmp_path / "batch")


def test_no_code_is_given_twice_even_if_chance_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(("A" * 12, "A" * 12, "B" * 12))
    monkeypatch.setattr("tools.station.ledger.new_code", lambda: next(codes))
    ledger = Ledger(tmp_path / "batch")
    given = [ledger.begin(f"24:0a:c4:00:00:0{n}", f"esp32-{n}", "ESP32").code for n in (1, 2)]
    assert given == ["A" * 12, "B" * 12]
    with pytest.raises(sqlite3.IntegrityError):
        ledger._db.execute("UPDATE boards SET code = ?", ("C" * 12,))
    ledger.close()
