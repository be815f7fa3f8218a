"""Boards without a board: a simulated device, or a few bytes, at the other end of a serial port."""

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import socket
import sys
import termios
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import serial
from serial.rfc2217 import PortManager as _PortManager

from tests.patience import PATIENCE_S
from tools.sim import Device, World
from tools.sim.port import Pty

ROOT = Path(__file__).resolve().parents[3]
WIFI = {"ssid": "Home", "password": "correct horse"}
DEADLINE_S = PATIENCE_S
PortManager: Any = _PortManager  # its stubs are narrower than it is


class Wire(Pty):
    """A serial cable: at this end `write` and `on_data`, at the other a pseudo-terminal, called `port`."""

    def __init__(self, on_data: Callable[[bytes], None]) -> None:
        super().__init__(on_data)
        self.port = self.name
        self._is_pulled = False

    def write(self, data: bytes) -> None:
        if not self._is_pulled:
            super().write(data)

    def pull(self) -> None:
        """Pull the cable; the port vanishes. Who waits for it finds no other test's under its name."""
        self._is_pulled = True
        self.hang_up()


@contextlib.asynccontextmanager
async def wired(on_data: Callable[[bytes], None] = lambda data: None) -> AsyncIterator[Wire]:
    wire = Wire(on_data)
    try:
        yield wire
    finally:
        wire.close()


@dataclass
class Board:
    """A simulated device whose console is on a serial port."""

    device: Device
    port: str
    wire: Wire


@contextlib.asynccontextmanager
async def simulated(folder: Path, world: World, mac: str = "24:0a:c4:00:00:01") -> AsyncIterator[Board]:
    """A board with the product in its flash, without power as yet."""
    typed: asyncio.Queue[str] = asyncio.Queue()
    rest = b""

    def on_data(data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data).split(b"\r\n")
        for line in lines:
            typed.put_nowait(line.decode())

    async def type_in() -> None:
        while True:
            line = await typed.get()
            with contextlib.suppress(RuntimeError, ConnectionError):  # nothing runs that could read it
                await device.send(line)

    async with wired(on_data) as wire:
        device = Device(folder, world, mac, on_line=lambda line: wire.write(line.encode() + b"\r\n"))
        device.install()
        task = asyncio.create_task(type_in())
        try:
            yield Board(device, wire.port, wire)
        finally:
            task.cancel()
            await device.power_off()


class Uart(serial.Serial):
    """A pseudo-terminal with the modem lines that it lacks; `levels` has each (DTR, RTS) there was."""

    cts = dsr = ri = cd = False

    def __init__(self, port: str) -> None:
        self.levels: list[tuple[bool, bool]] = []
        super().__init__(timeout=0.05)
        self.port = port
        self.dtr = self.rts = False
        self.open()

    def _update_dtr_state(self) -> None:
        self.levels.append((self.dtr, self.rts))

    _update_rts_state = _update_dtr_state


class NetworkPort:
    """Offers a serial port to the network, to one client after another: as socket://, or as rfc2217://.

    `name` is what clients call it.
    """

    def __init__(self, port: str, scheme: str) -> None:
        self.uart = Uart(port)
        self._scheme = scheme
        self._server = socket.create_server(("127.0.0.1", 0))
        self.name = f"{scheme}://127.0.0.1:{self._server.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "NetworkPort":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.hang_up()
        self._thread.join()
        self.uart.close()

    def hang_up(self) -> None:
        """Drop the client."""
        if self._client:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                self._client, _ = self._server.accept()
            except OSError:
                return
            with self._client as client:
                write = client.makefile("wb", buffering=0)
                manager: Any = self._scheme == "rfc2217" and PortManager(self.uart, write)
                over = threading.Event()
                back = threading.Thread(target=self._give_back, args=(write, manager, over))
                back.start()
                with contextlib.suppress(OSError):
                    while data := client.recv(4096):
                        self.uart.write(b"".join(manager.filter(data)) if manager else data)
                over.set()
                back.join()

    def _give_back(self, write: Any, manager: Any, over: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while not over.is_set():
                if data := self.uart.read(self.uart.in_waiting or 1):
                    write.write(b"".join(manager.escape(data)) if manager else data)


@dataclass
class Done:
    """How a verb ended."""

    status: int
    out: str
    err: str


async def run_verb(*arguments: str, stdin: str | None = None, **environment: str) -> Done:
    """Run `python3 -m tools …` to its end; its standard streams are no terminal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tools",
        *arguments,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate(None if stdin is None else stdin.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


class Terminal:
    """A program on a terminal: what it shows, and a keyboard."""

    def __init__(self, process: asyncio.subprocess.Process, wire_end: int) -> None:
        self.process = process
        self.screen = ""
        self._end = wire_end
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        asyncio.get_running_loop().add_reader(wire_end, self._readable)

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    async def shows(self, pattern: str) -> re.Match[str]:
        """Wait until it has shown this, behind what was waited for last; colours do not count."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not (match := re.search(pattern, self.screen)):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"{pattern!r} is not in {self.screen!r}") from None
        self.screen = self.screen[match.end() :]
        return match

    async def ended(self) -> int:
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.wait()

    async def rest(self) -> str:
        """What it has shown behind what was waited for last, once all of it has come: it has ended."""
        async with asyncio.timeout(DEADLINE_S):
            await self._over.wait()
        return self.screen

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end)
        os.close(self._end)

    def _readable(self) -> None:
        try:
            data = os.read(self._end, 4096).decode(errors="replace")
        except OSError:  # the program has ended
            asyncio.get_running_loop().remove_reader(self._end)
            self._over.set()
            data = ""
        self.screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data)
        self._news.set()


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell has what it starts in the background ignore it


@contextlib.asynccontextmanager
async def on_terminal(
    *arguments: str, program: tuple[str, ...] = (sys.executable, "-m", "tools")
) -> AsyncIterator[Terminal]:
    """Run `python3 -m tools …`, or another program, on a terminal that is its own: Ctrl-C is typed."""
    end, other_end = os.openpty()
    termios.tcsetwinsize(end, (40, 100))
    process = await asyncio.create_subprocess_exec(
        *program,
        *arguments,
        cwd=ROOT,
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(other_end)
    terminal = Terminal(process, end)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()
