"""The launcher of one simulated ESP32: power, restarts, console, and faults at a chosen flash write."""

import asyncio
import compileall
import contextlib
import functools
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tools.lines import Lines
from tools.sim import forked, running
from tools.sim.files import HostFolder, Image, product
from tools.sim.world import World

ROOT = Path(__file__).resolve().parents[2]
_START = Path(__file__).with_name("start.py")
_WAIT_S = 200  # a machine under load is ten times slower
_OWNER_ONLY = 0o700
FLASH_KINDS = ("littlefs", "folder")


class Device:
    """One chip with its flash in `folder`, run by CPython or by the MicroPython unix binary `micropython`.

    mac: its address, which is its identity in the world, so one of a kind there. heap_bytes: its heap,
    where `micropython` is given. on_line: called with every line the console prints. aioble: the folder of a
    real package `aioble`, by default $AIOBLE; "" for the simulator's own. prompt: MicroPython's prompt is
    there when main.py has ended; without, the program ends too. flash: how its files are kept,
    by default $SIM_FLASH or "littlefs", as on a chip, in `folder`/vfs.bin; with "folder" they are the host's,
    for debuggers, in `folder`/files, and no cut falls on them. speed: how much faster its clock runs
    while its program waits, by default $SIM_SPEED or 1; always 1 where `micropython` is given.
    """

    def __init__(
        self,
        folder: Path,
        world: World,
        mac: str = "24:0a:c4:00:00:01",
        micropython: str | Path | None = None,
        heap_bytes: int = 256 * 1024,
        on_line: Callable[[str], None] | None = None,
        aioble: str | Path | None = None,
        prompt: bool = False,
        flash: str | None = None,
        speed: float | None = None,
    ) -> None:
        self.folder = Path(folder).resolve()
        self._flash = self._flash_of(flash or os.environ.get("SIM_FLASH") or "littlefs")
        self.files = self._flash.root
        self._nvs = HostFolder(self.folder / "nvs")
        self.world = world
        self.chip = world.chip(mac)
        self.chip.prompt = False if prompt else None
        self.chip.clock.speed = 1 if micropython else speed or float(os.environ.get("SIM_SPEED") or 1)
        self.on_output: Callable[[bytes], None] | None = None  # called with whatever it prints, as it comes
        self._console = Lines(mac, on_line)
        self.lines = self._console.lines
        self._micropython = _program(micropython) if micropython else None
        self._heap_bytes = heap_bytes
        folder_of_aioble = os.environ.get("AIOBLE") if aioble is None else aioble
        self._aioble = str(Path(folder_of_aioble).resolve()) if folder_of_aioble else ""
        self._process: asyncio.subprocess.Process | forked.Forked | None = None
        self._life: asyncio.Task[None] | None = None
        self._locks = contextlib.ExitStack()  # on its flash, while it has power
        self._additions: list[tuple[str, bytes]] = []  # to its files, before the next program runs

    def _flash_of(self, kind: str) -> Image | HostFolder:
        if kind not in FLASH_KINDS:
            raise ValueError(f"flash: one of {', '.join(FLASH_KINDS)}")
        self.folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        return HostFolder(self.folder / "files") if kind == "folder" else Image(self.folder / "vfs.bin")

    def install(self, source: Path = ROOT) -> None:
        """Copy boot.py, main.py, lib and firmware to the flash, as `tools board deploy` does to a board."""
        self._flash.install(product(source))

    def change(self, files: Mapping[str, bytes], removed: Iterable[str] = ()) -> None:
        """Write files to its flash, by their paths there, and remove others; InUse while it has power."""
        self._flash.install(files, removed)

    def deploy(self, changes: Mapping[str, str] | None = None) -> None:
        """Write to the flash what `tools deploy` leaves on a board; `changes` as `deployed` takes them.

        Raises FileExistsError where the firmware is there as files, which would win.
        """
        from tools.sim.packed import deployed  # noqa: PLC0415 - it brings the compiler

        if (self.files / "lib/iot").exists() or (self.files / "firmware").exists():
            raise FileExistsError(
                f"{self.folder}: the firmware is there as files, which would win; take another folder"
            )
        self._flash.install(deployed(changes))

    def add(self, path: str, text: str) -> None:
        """Add to a file's end, at once or, where the chip has power, before its next program runs."""
        self._additions.append((path, text.encode()))
        if not self.powered:
            self._carry_out()

    def _carry_out(self) -> None:
        while self._additions:
            self._flash.append(*self._additions.pop(0), own=self.powered)

    @property
    def running(self) -> bool:
        """Whether a program runs: not when the power is off, nor after the end of main.py."""
        return self._process is not None

    @property
    def at_prompt(self) -> bool:
        """Whether MicroPython's prompt waits for what is typed."""
        return self.running and self.chip.at_prompt

    @property
    def interruptible(self) -> bool:
        """Whether Ctrl-C interrupts what runs; else that reads it."""
        return self.chip.interrupted_by_ctrl_c and not self.at_prompt

    @property
    def powered(self) -> bool:
        """Whether the chip has power; a power cut at a write takes it away."""
        return self._life is not None and not self._life.done()

    async def power_on(self) -> None:
        """Give it power, if it has none. InUse where another device has it on the same flash."""
        if not self.powered:
            self._locks.enter_context(self._flash.lock())
            _compile()
            running.tell(self.folder, self.world.port, self.chip.mac)
            self.chip.power_on()
            self._life = asyncio.create_task(self._live())
            self._life.add_done_callback(lambda _: self._console.tell())

    async def power_off(self) -> None:
        """Take its power away, in the middle of whatever it does."""
        if self._life:
            self._life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._life
            self._life = None
            running.forget(self.folder)
            self._locks.close()  # a life that never began has left it

    async def __aenter__(self) -> "Device":
        await self.power_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.power_off()

    async def send(self, line: str) -> None:
        """Type a line on its console."""
        await self.type(line.encode() + b"\n")

    async def type(self, data: bytes) -> None:
        """Type these bytes on its console."""
        if not self._process or not self._process.stdin:
            raise RuntimeError("no program runs that could read it")
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    def interrupt(self) -> None:
        """Type Ctrl-C on its console."""
        if not self._process:
            raise RuntimeError("no program runs that could be interrupted")
        if self.interruptible or not self._process.stdin:
            self._process.send_signal(signal.SIGINT)
        else:
            self._process.stdin.write(b"\x03")

    async def expect(self, pattern: str, timeout_s: float = _WAIT_S) -> re.Match[str]:
        """Wait for a console line in which `pattern` is found, from behind the line found last.

        Raises TimeoutError, which shows the last lines.
        """
        return await self._console.expect(pattern, timeout_s)

    async def ended(self, timeout_s: float = _WAIT_S) -> None:
        """Wait until no program runs and none will by itself: main.py ended, or the power was cut."""
        await self._console.wait(lambda: not self.running, timeout_s, "still running")

    async def power_lost(self, timeout_s: float = _WAIT_S) -> None:
        """Wait until the power is gone, by a cut."""
        await self._console.wait(lambda: not self.powered, timeout_s, "still powered")

    def cut_at_write(self, n: int, outcome: str = "torn") -> None:
        """Cut its power at the n-th flash write from now, n from 1; `power_on` brings it back.

        A write is what littlefs programs or erases of a block, or the change of an NVS key. outcome: what of
        that write is in flash: "before" nothing, "after" all, "torn" as bad as can be: the first half of the
        block's piece, no value under an NVS key.
        """
        self.chip.cut_at_write(n, outcome)

    async def _live(self) -> None:
        """Run the program, and again after every reset, for as long as there is power."""
        try:
            while True:
                self._carry_out()
                await self._run()
                await self.chip.stopped.wait()  # after main.py, the watchdog may still bite
                if self.chip.next_cause is None:
                    return
                self.chip.restart(self.chip.next_cause)
        finally:
            self.chip.silence()
            self._locks.close()

    async def _run(self) -> None:
        self._process = process = await self._start()
        self.chip.kill = lambda: _kill(process)
        try:
            if self.chip.stopped.is_set():  # a watchdog that ran on may bite before there is a program
                _kill(process)
            await self._read_console(process)
            await process.wait()
        finally:
            _kill(process)
            await process.wait()
            self.chip.kill = lambda: None
            self._process = None
            self._console.tell()

    async def _start(self) -> asyncio.subprocess.Process | forked.Forked:
        place = ["127.0.0.1", str(self.world.port), self.chip.mac]
        arguments = [str(self._flash.file), str(self._nvs.file), *place]
        if self._aioble:
            arguments.append(self._aioble)
        environment = {
            **os.environ, "PYTHONPATH": "", "MICROPYPATH": ".frozen", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        if forked.AVAILABLE and not self._micropython:
            return await forked.start(_START, arguments, self.folder, environment)
        if self._micropython:
            command = [self._micropython, "-X", f"heapsize={self._heap_bytes}"]
        else:
            command = [sys.executable, "-u"]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *command,
            str(_START),
            *arguments,
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder,
            umask=0o077,  # keys and passwords are in what it writes
            env=environment,
            start_new_session=True,  # a Ctrl-C is for the launcher
        )

    async def _read_console(self, process: asyncio.subprocess.Process | forked.Forked) -> None:
        assert process.stdout
        while data := await process.stdout.read(4096):
            if self.on_output:
                self.on_output(data)
            self._console.feed(data)
        self._console.end()


@functools.cache
def _compile() -> None:
    """Compile what a device's process imports, once for all: a chip leaves no bytecode behind."""
    if not sys.dont_write_bytecode:
        compileall.compile_dir(_START.parent, quiet=2)


def _program(name: str | Path) -> str:
    """The absolute path of a program, which a path or the user's PATH leads to."""
    if found := shutil.which(name):
        return str(Path(found).absolute())
    raise FileNotFoundError(f"{name}: no such program")


def _kill(process: asyncio.subprocess.Process | forked.Forked) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
