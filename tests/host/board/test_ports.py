"""Ports: opened without a reset, or refused with what to do about it."""

import asyncio
import contextlib
import errno
import grp
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from serial.tools.list_ports_common import ListPortInfo

from tests.host.board.support import NetworkPort, wired
from tools.board import ports
from tools.board.errors import BoardError, run_verb
from tools.board.ports import close_port, open_port

NOBODY = 65534


def refusal(port: str) -> BoardError:
    with pytest.raises(BoardError) as caught:
        close_port(open_port(port))
    return caught.value


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Be somebody whom permissions bind."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_pseudo_terminal() -> None:
    heard = bytearray()
    async with wired(heard.extend) as wire:
        port = await asyncio.to_thread(open_port, wire.port)
        port.write(b"out")
        wire.write(b"in")
        assert await asyncio.to_thread(port.read, 2) == b"in"
        while heard != b"out":
            await asyncio.sleep(0.01)
        close_port(port)


async def test_a_port_belongs_to_one_program() -> None:
    async with wired() as wire:
        port = open_port(wire.port)
        error = refusal(wire.port)
        assert error.text == f"{wire.port}: in use by another program"
        assert f"fuser {wire.port}" in error.remedy
        close_port(port)
        close_port(open_port(wire.port))  # free again


async def test_another_program_has_it() -> None:
    program = (
        "import sys, serial; port = serial.Serial(sys.argv[1], exclusive=True); print(1); sys.stdin.read()"
    )
    async with wired() as wire:
        command = [sys.executable, "-uc", program, wire.port]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as other:
            assert other.stdin and other.stdout
            await asyncio.to_thread(other.stdout.readline)
            assert "in use by another program" in refusal(wire.port).text
            other.stdin.close()


async def test_no_permission() -> None:
    async with wired() as wire:
        os.chmod(wire.port, 0)
        with unprivileged():
            error = refusal(wire.port)
        assert error.text == f"{wire.port}: no permission to open it"
        assert f"ls -l {wire.port}" in error.remedy


async def test_no_permission_where_a_group_has_it() -> None:
    mine = [entry.gr_gid for entry in grp.getgrall()] if os.geteuid() == 0 else [os.getgid(), *os.getgroups()]
    group = next(number for number in mine if number not in (0, NOBODY))
    async with wired() as wire:
        os.chown(wire.port, -1, group)
        os.chmod(wire.port, 0o060)  # not for its owner, either
        with unprivileged():
            error = refusal(wire.port)
        assert f"sudo usermod -a -G {grp.getgrgid(group).gr_name} $USER" in error.remedy


def test_no_such_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports.list_ports, "comports", list)
    error = refusal(str(tmp_path / "ttyUSB7"))
    assert error.text.endswith("ttyUSB7: no such port")
    assert "plug the board in" in error.remedy


def test_the_ports_that_there_are_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    usb, built_in = ListPortInfo("/dev/ttyUSB1"), ListPortInfo("/dev/ttyS0")
    usb.description, usb.hwid = "CP2102N USB to UART Bridge", "USB VID:PID=10C4:EA60"
    monkeypatch.setattr(ports.list_ports, "comports", lambda: [built_in, usb])
    for port in ("COM77", "/dev/ttyUSB77"):
        assert refusal(port).remedy == "This machine has /dev/ttyUSB1 (CP2102N USB to UART Bridge)."


def test_no_serial_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file", Path("/dev/null")):
        assert refusal(str(path)).text == f"{path}: no serial port"
    assert (tmp_path / "file").read_text() == "x"


def test_urls_that_make_no_sense() -> None:
    for url in (
        "socket://",
        "socket://host",
        "rfc2217://host:x",
        "socket://host:99999",
        "http://host:80",
        "loop://",
    ):
        assert refusal(url).text == f"{url}: no such kind of port"


def test_a_host_that_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    for scheme in ("socket", "rfc2217"):
        error = refusal(f"{scheme}://127.0.0.1:{number}")
        assert error.text == f"{scheme}://127.0.0.1:{number}: Connection refused"
        assert "has no other client" in error.remedy


def test_a_host_that_is_unknown() -> None:
    assert refusal("socket://board.invalid:4000").text.startswith("socket://board.invalid:4000: ")


def test_what_windows_says() -> None:
    said = "could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)"
    assert ports.explain("COM3", "", serial.SerialException(said)).text == "COM3: in use by another program"
    said = "could not open port 'COM9': FileNotFoundError(2, 'The system cannot find the file.', None, 2)"
    assert ports.explain("COM9", "", serial.SerialException(said)).text == "COM9: no such port"


def test_what_is_told_otherwise() -> None:
    error = serial.SerialException(errno.EMFILE, "Too many open files")
    assert ports.explain("/dev/ttyUSB0", "", error).text == "/dev/ttyUSB0: Too many open files"


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's
@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_a_port_of_another_machine(scheme: str) -> None:
    heard = bytearray()
    async with wired(heard.extend) as wire:
        with NetworkPort(wire.port, scheme) as far:
            for _ in range(2):  # one client after another
                port = await asyncio.to_thread(open_port, far.name)
                heard.clear()
                port.write(b"out\xff")
                while heard != b"out\xff":  # what comes the other way before that has nobody to go to
                    await asyncio.sleep(0.01)
                wire.write(b"in\xff")
                assert await asyncio.to_thread(port.read, 3) == b"in\xff"
                await asyncio.to_thread(close_port, port)
            if scheme == "rfc2217":
                assert far.uart.levels[-1] == (True, True)
                assert (False, True) not in far.uart.levels  # RTS without DTR resets a board


def test_a_verb_says_what_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise BoardError("/dev/x: no such port", "Plug it in.")

    assert run_verb("console", fail) == 1
    assert capsys.readouterr().err == "console: /dev/x: no such port\nPlug it in.\n"
    assert run_verb("console", lambda: 0) == 0
    assert str(BoardError("what", "remedy")) == "what; remedy"
