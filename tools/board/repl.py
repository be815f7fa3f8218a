"""A board's raw REPL: whatever runs is stopped, then code runs there, by mpremote's transport."""

import base64
import json
import re
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from .errors import BoardError
from .ports import close_port, open_port

OLDEST = (1, 25)  # of MicroPython's versions, that the device code runs on
_TAKE_OVER_S = 20.0  # no call of the firmware holds Ctrl-C off for longer
_SOFT_RESET_S = 10.0
_BOOT_S = 15.0  # a boot.py that runs for longer waits for something, a network for example
_BOOT_TRIES = 4
_CHUNK_BYTES = 1536  # 2 KiB of source: little beside any heap, and much beside the cost of a round trip
_ALL = 1 << 29  # bytes: more than any file has
_PROMPT = b"raw REPL; CTRL-B to exit\r\n"
_RESET = re.compile(rb"rst:0x[0-9a-f]+ \(([A-Z0-9_]+)\)")  # what the chip's ROM prints first
_ARCHITECTURES = (
    "none x86 x64 armv6 armv6m armv7m armv7em armv7emsp armv7emdp xtensa xtensawin rv32imc rv64imc"
)
_FACTS = """
import json, os, sys
i, s = sys.implementation, os.statvfs("/")
slots = 0
if sys.platform == "esp32":
    from esp32 import Partition
    slots = len(Partition.find(Partition.TYPE_APP))
print(json.dumps([sys.platform, i.version[:3], getattr(i, "_mpy", 0), getattr(i, "_machine", ""),
    getattr(i, "_build", ""), s[0], s[0] * s[2], s[0] * s[3], slots]))
"""
_FLASH = "Write a MicroPython image first: python3 -m tools flash PORT IMAGE"


@dataclass(frozen=True)
class Facts:
    """What a board says of itself."""

    platform: str
    version: tuple[int, int, int]  # MicroPython's
    mpy_version: int  # of the .mpy files that it takes
    architecture: str  # as mpy-cross names it
    machine: str  # board and chip
    image: str  # the image's name, such as ESP32_GENERIC-OTA
    block_bytes: int  # of its file system
    vfs_bytes: int
    free_bytes: int
    application_slots: int  # 1, or 2 where images can be updated over the air


class RaisedError(BoardError):
    """Code raised an exception on the board."""

    def __init__(self, port: str, traceback: str) -> None:
        self.traceback = traceback.strip().replace("\r\n", "\n")
        last = self.traceback.rpartition("\n")[2]
        super().__init__(f"{port}: on the board: {last}", f"Its traceback:\n{self.traceback}")


class _Port:
    """A serial port with one deadline for all that is awaited."""

    def __init__(self, port: str) -> None:
        self._port = open_port(port)
        self.deadline = 0.0

    def read(self, size: int = 1) -> bytes:
        """`size` bytes, or what there is of them at the deadline."""
        data = b""
        while len(data) < size and time.monotonic() < self.deadline:
            data += self._port.read(size - len(data))
        return data

    def close(self) -> None:
        close_port(self._port)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _Transport(SerialTransport):
    """mpremote's, on a port that is opened without a reset; mpremote waits for as long as anything comes."""

    def __init__(self, port: str) -> None:
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.device_name = port
        self.mounted = False
        self.serial = _Port(port)
        self.patience_s = 0.0  # how much later the deadline is for each byte that comes
        self.seen = bytearray()  # what was read last

    def wait(self, timeout_s: float, patient: bool = False) -> None:
        """Set the deadline; with `patient` for the next byte only."""
        self.deadline = time.monotonic() + timeout_s
        self.patience_s = timeout_s if patient else 0.0

    @property
    def deadline(self) -> float:
        """Of all that is awaited, by time.monotonic()."""
        return float(self.serial.deadline)

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self.serial.deadline = deadline

    def read_until(self, min_num_bytes: int, ending: bytes, *_: Any, **__: Any) -> bytes:
        """All bytes up to `ending`, or to the deadline."""
        self.seen = data = bytearray()
        while not data.endswith(ending) and (byte := self.serial.read(1)):
            data += byte
            if self.patience_s:
                self.deadline = time.monotonic() + self.patience_s
            if byte == b")" and (reset := _RESET.search(data[-80:])):
                raise TransportError(f"reset by {reset[1].decode()}")
        return bytes(data)


class Repl:
    """The raw REPL of the board at `port`, as a context: entered by Ctrl-C and a soft reset.

    So the heap is empty. What ran there is not started again: that takes `reset`.

    Args:
        port: as `open_port` takes it.
        take_over_s: how long to try.

    Raises:
        BoardError: no MicroPython answers; in any method: the connection is lost, the board reset itself.
    """

    def __init__(self, port: str, take_over_s: float = _TAKE_OVER_S) -> None:
        self.port = port
        self._take_over_s = take_over_s

    def __enter__(self) -> "Repl":
        self._transport = _Transport(self.port)
        try:
            self._enter()
        except BaseException:
            self._transport.serial.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.serial.close()

    def exec(self, code: str, timeout_s: float = 10) -> str:
        """Run `code`; return what it prints.

        Raises:
            RaisedError: it raised an exception.
            BoardError: not a word for timeout_s.
        """
        self._transport.wait(timeout_s, patient=True)
        try:
            output, error = self._transport.exec_raw(code)
        except (OSError, TransportError) as lost:
            raise self._lost(lost) from None
        if b"OSError: 28" in error or b"[Errno 28]" in error:
            raise BoardError(
                f"{self.port}: the board's file system is full", "Remove files of your own from it."
            )
        if error:
            raise RaisedError(self.port, error.decode(errors="replace"))
        return output.decode(errors="replace").replace("\r\n", "\n")

    def facts(self) -> Facts:
        """Ask what board this is.

        Raises:
            BoardError: none that the device code runs on.
        """
        told = self.exec(
            _FACTS, timeout_s=120
        )  # littlefs counts its free blocks by walking through all files
        try:
            platform, version, mpy, machine, image, block, total, free, slots = json.loads(told)
        except ValueError:  # a late Ctrl-C
            raise BoardError(f"{self.port}: the board does not say what it is", "Run this again.") from None
        if platform != "esp32":
            raise BoardError(f"{self.port}: this is no ESP32 but {platform}", "Name the port of an ESP32.")
        if tuple(version) < OLDEST:
            found, oldest = (".".join(map(str, number)) for number in (version, OLDEST))
            raise BoardError(
                f"{self.port}: MicroPython {found} is too old, {oldest} is needed",
                "Write a newer image: python3 -m tools flash PORT IMAGE",
            )
        architecture = _ARCHITECTURES.split()[mpy >> 10 & 15]
        return Facts(
            platform, tuple(version), mpy & 0xFF, architecture, machine, image, block, total, free, slots
        )

    def read_file(self, path: str, start: int = 0, size: int = _ALL) -> bytes:
        """What the board's file `path` holds, or a part of it."""
        lines = self.exec(
            f"import binascii\nn = {size}\nwith open({path!r}, 'rb') as f:\n f.seek({start})\n"
            f" while n and (b := f.read(min(n, {_CHUNK_BYTES}))):\n"
            "  n -= len(b); print(str(binascii.b2a_base64(b), 'ascii'), end='')",
            timeout_s=120,
        )
        return b"".join(map(base64.b64decode, lines.split()))

    def write_file(self, path: str, data: bytes) -> None:
        """Write `data` to the board's file `path`; its folder must be there."""
        self.exec(f"import binascii\nf = open({path!r}, 'wb')")
        for start in range(0, len(data), _CHUNK_BYTES):
            piece = base64.b64encode(data[start : start + _CHUNK_BYTES]).decode()
            self.exec(f"f.write(binascii.a2b_base64('{piece}'))", timeout_s=30)
        self.exec("f.close()")

    def reset(self) -> None:
        """Reset the chip, which starts boot.py and main.py; `readline` reads what they print."""
        try:
            self._raw_repl(10)  # an exec may have been broken off
            self._transport.exec_raw_no_follow("import machine; machine.reset()")
        except (OSError, TransportError) as lost:
            raise self._lost(lost) from None

    def type(self, text: str) -> None:
        """Send `text` to whatever reads there."""
        try:
            self._transport.serial.write(text.encode())
        except OSError as lost:
            raise self._lost(lost) from None

    def readline(self, timeout_s: float) -> str | None:
        """The next line that the board prints, or what of it came within `timeout_s`; None for nothing."""
        self._transport.wait(timeout_s)
        line = bytearray()
        try:
            while not line.endswith(b"\n") and (byte := self._transport.serial.read(1)):
                line += byte
        except OSError as lost:
            raise self._lost(lost) from None
        return line.decode(errors="replace").rstrip("\r\n") if line else None

    def _enter(self) -> None:
        """Stop what runs, then reset softly: nothing of it stays in the heap."""
        transport, heard = self._transport, b""
        give_up = time.monotonic() + self._take_over_s
        try:
            while not self._raw_repl(min(3.0, self._take_over_s)):
                heard += transport.seen
                if time.monotonic() >= give_up:
                    raise self._silent(heard)
            transport.read_until(1, b">")
            transport.serial.write(b"\x04")  # Ctrl-D: soft reset
            transport.wait(_SOFT_RESET_S)
            transport.read_until(1, b"soft reboot\r\n")  # in front of it, prompts for what was sent before
            for _ in range(_BOOT_TRIES):
                transport.wait(_BOOT_S)
                if transport.read_until(1, _PROMPT).endswith(_PROMPT):
                    return
                transport.serial.write(b"\x03")
            raise TransportError("no end of boot.py")
        except (OSError, TransportError) as lost:
            raise self._lost(lost) from None

    def _raw_repl(self, timeout_s: float) -> bool:
        """Whether what runs could be stopped; the prompt's last character is still to be read."""
        transport = self._transport
        transport.serial.write(b"\r\x03\x03")  # Ctrl-C: the second for what caught the first
        time.sleep(0.1)
        self._discard_input()
        transport.serial.write(b"\r\x01")  # Ctrl-A: raw REPL
        transport.wait(timeout_s)
        try:
            return transport.read_until(1, _PROMPT).endswith(_PROMPT)
        except TransportError:  # it was reset, perhaps by the port's opening
            return False

    def _discard_input(self) -> None:
        try:
            self._transport.serial.reset_input_buffer()
        except OSError:
            raise
        except Exception as lost:  # termios.error, where the board has gone
            raise OSError(*lost.args) from None

    def _lost(self, error: Exception) -> BoardError:
        if isinstance(error, TransportError):
            return BoardError(
                f"{self.port}: the board stopped answering ({error})", "Reset it and run this again."
            )
        return BoardError(
            f"{self.port}: the connection is lost ({error})", "Plug the board in again and run this again."
        )

    def _silent(self, heard: bytes) -> BoardError:
        """Why there is no REPL, by what the board says instead."""
        if b"waiting for download" in heard:
            return BoardError(f"{self.port}: the board is in download mode", "Press its reset button (EN).")
        if b"invalid header" in heard or b"flash read err" in heard:
            return BoardError(f"{self.port}: no image on the board", _FLASH)
        if heard.strip():
            return BoardError(
                f"{self.port}: what answers is no MicroPython REPL: {heard[-60:]!r}",
                f"Reset the board and try again. Or is it another program's, or another device? {_FLASH}",
            )
        return BoardError(
            f"{self.port}: nothing answers", f"Is it the right port, and does the board have power? {_FLASH}"
        )
