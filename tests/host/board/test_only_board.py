"""PORT may be left out where one board is plugged in."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from tools.__main__ import main
from tools.board import configure as board_configure
from tools.board import console, ports
from tools.board.errors import BoardError
from tools.board.ports import chosen_port, is_port

ROOT = Path(__file__).parents[3]


def plugged(device: str, vid: int | None, description: str = "USB-serial") -> ListPortInfo:
    port = ListPortInfo(device)
    port.vid, port.hwid, port.description = vid, "USB", description
    return port


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def there_are(*found: ListPortInfo) -> None:
        monkeypatch.setattr(ports.list_ports, "comports", lambda: list(found))

    return there_are


def test_the_port_of_the_only_board(plug: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    plug(
        plugged("/dev/ttyS0", None),
        plugged("/dev/ttyUSB3", 0x10C4, "CP2102N"),
        plugged("/dev/ttyACM9", 0x1D50),
    )
    assert chosen_port(None) == chosen_port("") == "/dev/ttyUSB3"
    assert capsys.readouterr().err == 2 * "port /dev/ttyUSB3 (CP2102N), the only board's\n"
    assert chosen_port("/dev/ttyS0") == "/dev/ttyS0"


def test_with_several_they_are_listed(plug: Callable[..., None]) -> None:
    plug(plugged("/dev/ttyUSB0", 0x1A86, "CH340"), plugged("/dev/ttyACM0", 0x303A, "ESP32-S3"))
    with pytest.raises(BoardError, match=r"2 boards are .*; Say which: /dev/ttyACM0 .* /dev/ttyUSB0 "):
        chosen_port(None)


def test_with_none_the_other_ports_are_listed(plug: Callable[..., None]) -> None:
    plug(plugged("/dev/ttyS0", None, "ttyS0"))
    with pytest.raises(BoardError, match=r"no board .*; This machine has /dev/ttyS0 \(ttyS0\)\. Name"):
        chosen_port(None)
    plug()
    with pytest.raises(BoardError, match="no board is plugged in; This machine has no serial port"):
        chosen_port(None)


@pytest.mark.parametrize(
    "arguments",
    [("console",), ("qr",), ("deploy",), ("configure", "board.json"), ("flash", "--yes", "a.bin")],
)
def test_each_verb_does_without(
    arguments: tuple[str, ...],
    plug: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """With a board it would go on; without one: what is said, and as JSON."""
    monkeypatch.setattr(board_configure, "load", lambda path, wifi: {})
    monkeypatch.setattr(board_configure, "warnings", lambda document: [])
    monkeypatch.setattr(sys, "argv", ["tools", *arguments, "--json"])
    plug()
    assert main() == 1
    out, err = capsys.readouterr()
    failure = json.loads(out)
    assert failure["ok"] is False and failure["text"] == "no board is plugged in"
    assert err == f"{arguments[0]}: {failure['text']}\n{failure['remedy']}\n"


def test_a_commands_first_word_is_no_port() -> None:
    assert all(map(is_port, ("/dev/ttyUSB0", "COM3", "com12", "socket://a:1", "rfc2217://a:1", "/dev/pts/3")))
    assert not any(map(is_port, ("status", "help", "factory-reset", "log", "time", "command")))


def test_console_takes_the_command_alone(
    plug: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, str]] = []

    async def ask_once(port: str, line: str, view: object) -> int:
        asked.append((port, line))
        return 0

    monkeypatch.setattr(console, "ask_once", ask_once)
    plug(plugged("/dev/ttyUSB3", 0x10C4))
    parser = argparse.ArgumentParser()
    console.add_arguments(parser)
    for arguments in (["log", "debug"], ["/dev/ttyUSB7", "log", "debug"]):
        assert console.main(parser.parse_args(arguments)) == 0
    assert asked == [("/dev/ttyUSB3", "log debug"), ("/dev/ttyUSB7", "log debug")]


def test_make_hands_on_what_is_given() -> None:
    def commands(*arguments: str) -> str:
        command = ["make", "--dry-run", "--assume-old=.venv/ready", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "-m tools deploy \n" in commands("deploy") or "-m tools deploy  \n" in commands("deploy")
    assert "-m tools console '/dev/ttyUSB0'\n" in commands("console", "PORT=/dev/ttyUSB0")
    assert "-m tools configure  'a b.json'\n" in commands("configure", "FILE=a b.json")
    assert "FILE is needed: make configure FILE=…" in commands("configure")
    assert "--port '' " in commands("test-board", "WIFI=a:b", "HOST=h")
