"""The raw REPL of a board, and of what is none."""

import errno
import os
import termios
from pathlib import Path

import pytest

from tests.host.board.fake_board import FakeBoard
from tools.board import repl as module
from tools.board.errors import BoardError
from tools.board.pack import pack
from tools.board.repl import RaisedError, Repl

# All that the fake's application consists of.
MAIN = {
    "main.py": b"",
    "firmware.pack": pack({"iot/system.mpy": b""}),
}


def install(board: FakeBoard, tree: dict[str, bytes]) -> None:
    for path, data in tree.items():
        (board.files / path).parent.mkdir(parents=True, exist_ok=True)
        (board.files / path).write_bytes(data)


def test_runs_code_and_gives_what_it_prints(tmp_path: Path) -> None:
    with FakeBoard(tmp_path) as board, Repl(board.port) as repl:
        assert repl.exec("for n in range(3): print(n)") == "0\n1\n2\n"
        assert repl.exec("x = '" + "pear" * 1000 + "'") == ""
        assert repl.exec("print(len(x))") == "4000\n"


def test_tells_what_the_board_raises(tmp_path: Path) -> None:
    with FakeBoard(tmp_path) as board, Repl(board.port) as repl:
        with pytest.raises(RaisedError, match="on the board: ZeroDivisionError") as raised:
            repl.exec("1 / 0")
        assert raised.value.traceback.startswith("Traceback")
        assert repl.exec("print(1)") == "1\n", "the REPL is lost"


@pytest.mark.parametrize("size", [0, 1, 1536, 5000])
def test_files_there_and_back(tmp_path: Path, size: int) -> None:
    data = bytes(n * 7 & 0xFF for n in range(size))
    with FakeBoard(tmp_path) as board, Repl(board.port) as repl:
        repl.write_file("/it.bin", data)
        assert board.tree()["it.bin"] == data
        assert repl.read_file("/it.bin") == data
        assert repl.read_file("/it.bin", 3, 2000) == data[3:2003]


def test_facts(tmp_path: Path) -> None:
    with (
        FakeBoard(tmp_path, version=(1, 26, 1), image="ESP32_GENERIC-OTA") as board,
        Repl(board.port) as repl,
    ):
        facts = repl.facts()
    assert facts.version == (1, 26, 1) and (facts.mpy_version, facts.architecture) == (6, "xtensawin")
    assert facts.image == "ESP32_GENERIC-OTA" and facts.application_slots == 2
    assert facts.vfs_bytes == 240 * 4096 > facts.free_bytes > 200 * 4096


def test_one_application_slot(tmp_path: Path) -> None:
    with FakeBoard(tmp_path) as board, Repl(board.port) as repl:
        assert repl.facts().application_slots == 1


@pytest.mark.parametrize("fault", [{}, {"deaf": 3}, {"busy_s": 4}], ids=str)
def test_stops_an_application(tmp_path: Path, fault: dict[str, float]) -> None:
    """Also one that takes no notice of the first Ctrl-C, and one so slow that all it is sent piles up."""
    board = FakeBoard(tmp_path, **fault)  # type: ignore[arg-type]
    install(board, MAIN)
    with board, Repl(board.port) as repl:
        assert repl.exec("print('mine')") == "mine\n"
        repl.reset()
        started = iter(lambda: repl.readline(20), None)
        assert any("mode CONFIG" in line for line in started), "it did not start again"


def test_a_boot_py_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many wait there for a network."""
    monkeypatch.setattr(module, "_BOOT_S", 0.5)
    board = FakeBoard(tmp_path)
    install(board, {"boot.py": b"import time\nwhile True: time.sleep(60)"})
    with board, Repl(board.port) as repl:
        assert repl.exec("print(1)") == "1\n"


def test_a_repl_left_in_the_middle_of_raw_paste(tmp_path: Path) -> None:
    with FakeBoard(tmp_path) as board:
        with Repl(board.port) as repl:
            repl._transport.serial.write(b"\x05A\x01x = 'half")
        with Repl(board.port) as repl:
            assert repl.exec("print('x' in globals())") == "False\n"


@pytest.mark.parametrize(
    ("noise", "text", "remedy"),
    [
        (b"", "nothing answers", "right port.* tools flash"),
        (b"waiting for download\r\n", "in download mode", "reset button"),
        (b"invalid header: 0xffffffff\r\n", "no image on the board", "tools flash"),
        (b"\xf0\x81\x00login: ", "no MicroPython REPL: .*login", "another device.* tools flash"),
    ],
)
def test_no_repl(tmp_path: Path, noise: bytes, text: str, remedy: str) -> None:
    with FakeBoard(tmp_path, noise=noise) as board, pytest.raises(BoardError) as raised:
        Repl(board.port, take_over_s=1).__enter__()
    assert raised.match(f"{board.port}: .*{text}.*{remedy}")


@pytest.mark.parametrize(
    ("board", "text", "remedy"),
    [
        ({"version": (1, 24, 1)}, r"MicroPython 1\.24\.1 is too old, 1\.25 is needed", "tools flash"),
        ({"platform": "rp2"}, "no ESP32 but rp2", "ESP32"),
    ],
)
def test_boards_that_will_not_do(tmp_path: Path, board: dict, text: str, remedy: str) -> None:
    with FakeBoard(tmp_path, **board) as fake, Repl(fake.port) as repl, pytest.raises(BoardError) as raised:
        repl.facts()
    assert raised.match(f"{text}.*{remedy}")


def test_a_pulled_cable(tmp_path: Path) -> None:
    with (
        FakeBoard(tmp_path, pull_at=700) as board,
        Repl(board.port) as repl,
        pytest.raises(BoardError) as raised,
    ):
        repl.exec("x = '" + "-" * 2000 + "'")
    assert raised.match(r"connection is lost.*Plug the board in again")


def test_a_board_that_goes_between_two_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pyserial raises of a port that is gone is no OSError, where it discards what has come."""

    def gone() -> None:
        raise termios.error(errno.EIO, os.strerror(errno.EIO))

    with FakeBoard(tmp_path) as board, Repl(board.port) as repl:
        monkeypatch.setattr(repl._transport.serial, "reset_input_buffer", gone)
        with pytest.raises(BoardError, match="connection is lost") as raised:
            repl.reset()
        monkeypatch.undo()
    assert raised.value.remedy.startswith("Plug the board in")


def test_a_watchdog_s_reset(tmp_path: Path) -> None:
    with FakeBoard(tmp_path, reset_at=2) as board, Repl(board.port) as repl:
        repl.exec("x = 1")
        with pytest.raises(BoardError, match="reset by TG1WDT_SYS_RESET"):
            repl.exec("print(x)")


def test_no_port(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="no such port"):
        Repl(str(tmp_path / "none")).__enter__()


def test_what_never_ends(tmp_path: Path) -> None:
    with FakeBoard(tmp_path) as board, Repl(board.port) as repl, pytest.raises(BoardError) as raised:
        repl.exec("import time\ntime.sleep(2)", timeout_s=0.5)
    assert raised.match("stopped answering")
