"""An ESP32 with MicroPython on a pseudo-terminal: REPL, raw REPL, raw paste, file system, resets; and faults.

The code it is sent runs for real, on CPython, with the chip's modules over a littlefs as its flash.
"""

import builtins
import contextlib
import errno
import io
import os
import select
import struct
import threading
import time
import traceback
import tty
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from fakes import FakeNVS

from tests.host.board.packs import unpack
from tools.sim.cpython.lfs import Mapped, VfsLfs2
from tools.sim.cpython.vfs import file_calls
from tools.sim.files import Image, flash_shim

WINDOW_BYTES = 128
_PIECE_BYTES = 256  # that a pseudo-terminal takes without waiting, where it takes any
BOOT_PY = "# This file is executed on every boot (including wake-boot from deepsleep)\n"
_MODULES = ("binascii", "errno", "gc", "hashlib", "json")  # that are the same on a chip
_RAW = "raw REPL; CTRL-B to exit\r\n>"
_BANNER = 'MicroPython v{} on 2025-04-15; {}\r\nType "help()" for more information.\r\n'
_ROM = "ets Jul 29 2019 12:21:46\r\n\r\nrst:0x{:x} ({}),boot:0x12 (SPI_FAST_FLASH_BOOT)\r\n"


class Unplugged(BaseException):
    """The cable, or the power, is gone."""


class Reset(BaseException):
    """The chip starts anew; the text is what its ROM says of the cause."""


def put_image(folder: Path) -> Image:
    """The flash in `folder`; a new one has the boot.py of a chip's first start."""
    folder.mkdir(parents=True, exist_ok=True)
    new = not (folder / "vfs.bin").exists()
    image = Image(folder / "vfs.bin")
    if new:
        (image.root / "boot.py").write_text(BOOT_PY)
    return image


class FakeBoard:
    """A board, powered within its context; its flash is `folder` and outlives it.

    The application "runs" where main.py and, in the pack, the library's system.mpy are there: it tells a mode
    and answers `mode`; any other main.py is run as it is.

    Args:
        version, mpy, platform, image: what sys.implementation says.
        deaf: how many times Ctrl-C does not stop the application, as within a call that holds the loop.
        busy_s: for how long the application holds the loop as it starts; what is typed waits.
        quiet: the log tells no mode.
        mute: the application says nothing at all.
        noise: all that it answers to anything: it is no MicroPython then.
        pull_at: the cable is pulled after this many bytes of input.
        reset_at: the watchdog bites in the n-th execution, counted from 1.
        cut_at: the power is cut at the n-th write of flash, with `outcome` in it (see CutFlash).
        worn: a path that reads back otherwise than it was written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        version: tuple[int, int, int] = (1, 25, 0),
        mpy: int = 10 << 10 | 3 << 8 | 6,
        platform: str = "esp32",
        image: str = "ESP32_GENERIC",
        deaf: int = 0,
        busy_s: float = 0,
        quiet: bool = False,
        mute: bool = False,
        noise: bytes | None = None,
        pull_at: int = 0,
        reset_at: int = 0,
        cut_at: int = 0,
        outcome: str = "torn",
        worn: str = "",
    ) -> None:
        self.busy_s = busy_s
        self._image = put_image(folder)
        self.files = self._image.root
        self.nvs = FakeNVS()
        self.executions = 0
        self.writes = 0  # of flash, since the power is on
        self.resets = 0  # hard ones
        self.version, self.mpy, self.platform, self.image = version, mpy, platform, image
        self.deaf, self.quiet, self.mute, self.noise = deaf, quiet, mute, noise
        self.pull_at, self.reset_at, self.cut_at, self.outcome, self.worn = (
            pull_at,
            reset_at,
            cut_at,
            outcome,
            worn,
        )
        self._received = 0
        self._raw = False
        self._namespace: dict[str, Any] = {}

    def __enter__(self) -> "FakeBoard":
        self._end, self._other_end = os.openpty()
        tty.setraw(self._other_end)
        self.port = os.ttyname(self._other_end)
        self._off = False
        with self._image.file.open("r+b", buffering=0) as file:
            self._flash = Mapped(file.fileno(), 0)
        self._root = VfsLfs2(flash_shim.Blocks(self._flash, flash_shim.Flash(None, self._gate, self._cut)))
        self._thread = threading.Thread(target=self._live)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._off = True
        self._thread.join()
        self._unplug()
        os.close(self._other_end)  # only now: until here nobody else gets a terminal of the same name
        self._flash.close()

    def tree(self) -> dict[str, bytes]:
        """What the flash holds, by path."""
        return {str(path)[1:]: path.read_bytes() for path in self.files.rglob("*") if not path.is_dir()}

    def _live(self) -> None:
        try:
            if self.noise is not None:
                while self._read():
                    self._write(self.noise)
            starts = True
            while True:
                try:
                    if starts:
                        self._start(hard=True)
                    starts = False
                    self._raw_repl() if self._raw else self._repl()
                except Reset as reset:
                    self._write(str(reset))
                    starts = True
        except Unplugged:
            self._unplug()

    def _start(self, hard: bool) -> None:
        """Boot; a hard reset leaves the raw REPL."""
        self._raw = self._raw and not hard
        self.resets += hard
        self._namespace = self._new_namespace()
        error = ""
        with contextlib.suppress(FileNotFoundError):
            error = self._run(self._content("/boot.py").decode(), "boot.py")
        self._write(error)
        if not self._raw:
            if not error:
                self._application()
            self._write(_BANNER.format(".".join(map(str, self.version)), self.image) + ">>> ")

    def _application(self) -> None:
        """main.py; returns at Ctrl-C."""
        if "main.py" not in [entry[0] for entry in self._root.ilistdir()]:
            return
        if not self._has_system():
            self._write(self._run(self._content("/main.py").decode(), "main.py"))
            return
        time.sleep(self.busy_s)
        if not self.quiet and not self.mute:
            self._write("    0.100 I system: mode CONFIG\r\n")
        line = b""
        while True:
            byte = self._read()
            if byte == b"\x03":
                if not self.deaf:
                    self._write("    0.200 I system: stopped by Ctrl-C\r\n")
                    return
                self.deaf -= 1
            elif byte == b"\r":
                if line == b"mode" and not self.mute:
                    self._write("= ok CONFIG\r\n")
                line = b""
            else:
                line += byte

    def _has_system(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return "iot/system.mpy" in unpack(self._content("/firmware.pack"))
        return False

    def _content(self, path: str) -> bytes:
        with self._root.open(path, "rb") as file:
            return file.read()

    def _repl(self) -> None:
        byte = self._read()
        if byte == b"\x01":
            self._raw = True
            self._write("\r\n" + _RAW)
        elif byte in b"\r\x02\x03":
            self._write("\r\n>>> ")

    def _raw_repl(self) -> None:
        code = b""
        while (byte := self._read()) != b"\x04":
            if byte == b"\x02":
                self._raw = False
                self._write("\r\n>>> ")
                return
            if byte == b"\x01":
                self._write(_RAW)
                code = b""
            elif byte == b"\x03":
                code = b""
            elif code + byte == b"\x05":
                self._raw_paste()
                return
            elif byte != b"\r" or code:
                code += byte
        self._write("OK")
        if code:
            self._execute(code)
        else:
            self._write("\r\nMPY: soft reboot\r\n")
            self._start(hard=False)
            self._write(_RAW)

    def _raw_paste(self) -> None:
        """Flow control of raw paste: a window of input is granted whenever one is used up."""
        assert self._read() + self._read() == b"A\x01"
        self._write(b"R\x01" + struct.pack("<H", WINDOW_BYTES) + b"\x01")
        code = bytearray()
        while (byte := self._read()) != b"\x04":
            if byte == b"\x03":
                self._write(b"\x04\x04KeyboardInterrupt: \r\n\x04>")
                return
            code += byte
            if len(code) % WINDOW_BYTES == 0:
                self._write(b"\x01")
        self._write(b"\x04")
        self._execute(bytes(code))

    def _execute(self, code: bytes) -> None:
        self.executions += 1
        if self.executions == self.reset_at:
            raise Reset(_ROM.format(8, "TG1WDT_SYS_RESET"))
        error = self._run(code.decode(), "<stdin>")
        self._write(b"\x04" + error.encode() + b"\x04>")

    def _run(self, code: str, name: str) -> str:
        """Run it in the chip's namespace; return the traceback, if any."""
        try:
            exec(compile(code, name, "exec"), self._namespace)
        except (Exception, KeyboardInterrupt) as error:
            text = io.StringIO()
            traceback.print_tb(error.__traceback__, file=text)
            last = f"{type(error).__name__}: {error}"
            if isinstance(error, OSError) and error.errno:
                last = f"OSError: [Errno {error.errno}] {errno.errorcode[error.errno]}"
            return f"Traceback (most recent call last):\n{text.getvalue()}{last}\n".replace("\n", "\r\n")
        return ""

    def _new_namespace(self) -> dict[str, Any]:
        chip_os = SimpleNamespace(**file_calls(self._root), statvfs=self._root.statvfs)
        implementation = SimpleNamespace(
            name="micropython",
            version=self.version,
            _mpy=self.mpy,
            _machine="Generic ESP32 module",
            _build=self.image,
        )
        slots = 2 if self.image.endswith("OTA") else 1
        partition = SimpleNamespace(TYPE_APP=0, find=lambda kind: [object()] * slots)
        modules = {
            "os": chip_os,
            "sys": SimpleNamespace(platform=self.platform, implementation=implementation),
            "esp": SimpleNamespace(osdebug=lambda *_: None),
            "esp32": SimpleNamespace(Partition=partition, NVS=lambda name: self.nvs),
            "time": SimpleNamespace(sleep=self._sleep),
            "machine": SimpleNamespace(freq=lambda hz: None, reset=self._reset),
            "micropython": SimpleNamespace(kbd_intr=lambda char: None),
        }

        def chip_import(name: str, *rest: Any) -> ModuleType | SimpleNamespace:
            if name in modules:
                return modules[name]
            if name == "pack" and "pack.mpy" in [entry[0] for entry in self._root.ilistdir("/")]:
                return SimpleNamespace(start=lambda: unpack(self._content("/firmware.pack")))
            if name not in _MODULES:
                raise ImportError(f"no module named '{name}'")
            return builtins.__import__(name, *rest)

        def chip_print(*values: object, sep: str = " ", end: str = "\n") -> None:
            self._write((sep.join(map(str, values)) + end).replace("\n", "\r\n"))

        chip = {"__import__": chip_import, "print": chip_print, "open": self._open}
        return {"__name__": "__main__", "__builtins__": vars(builtins) | chip}

    def _open(self, path: str, mode: str = "r") -> Any:
        file = self._root.open(path, mode)
        if path == self.worn and "w" in mode:
            write = file.write
            file.write = lambda data: write(b"\0" + data[1:])
        return file

    def _sleep(self, seconds: float) -> None:
        """Ends at a Ctrl-C; whatever else is typed is lost."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._end], [], [], min(left, 0.02))[0] and self._read() == b"\x03":
                raise KeyboardInterrupt
            if self._off:
                raise Unplugged

    def _reset(self) -> None:
        raise Reset(_ROM.format(12, "SW_CPU_RESET"))

    def _gate(self) -> str | None:
        self.writes += 1
        return self.outcome if self.writes == self.cut_at else None

    def _cut(self) -> None:
        raise Unplugged

    def _read(self) -> bytes:
        while not select.select([self._end], [], [], 0.02)[0]:
            if self._off:
                raise Unplugged
        try:
            byte = os.read(self._end, 1)
        except OSError:
            raise Unplugged from None
        self._received += 1
        if self._received == self.pull_at:
            raise Unplugged
        return byte

    def _write(self, data: bytes | str) -> None:
        left = data.encode() if isinstance(data, str) else data
        while left:
            if self._off:
                raise Unplugged
            if select.select([], [self._end], [], 0.02)[1]:
                left = left[os.write(self._end, left[:_PIECE_BYTES]) :]

    def _unplug(self) -> None:
        if self._end >= 0:
            os.close(self._end)
            self._end = -1
