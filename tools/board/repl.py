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
_SOFT_RESET_S = 60.0  # boot.py may have a deployment to finish
_CHUNK_BYTES = 1536  # 2 KiB of source: little beside any heap, and much beside the cost of a round trip
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
_FLASH = "Write a MicroPython image first: python -m tools flash PORT IMAGE"


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


class _Transport(SerialTransport):
    """mpremote's, on a port that is opened without a reset, and with one deadline for all that is awaited."""

    def __init__(self, port: str) -> None:
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.device_name = port
        self.mounted = False
        self.serial = open_port(port)
        self.deadline = 0.0
        self.seen = bytearray()  # what was read last

    def close(self) -> None:
        close_port(self.serial)

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: Any = None,
        data_consumer: Any = None,
        timeout_overall: Any = None,
    ) -> bytes:
        """All bytes up to `ending`, or up to the deadline; mpremote's own would wait for as long as any come."""
        self.seen = data = bytearray()
        while not data.endswith(ending) and time.monotonic() < self.deadline:
            data += self.serial.read(1)
            if data.endswith(b")") and (reset := _RESET.search(data[-80:])):
                raise TransportError(f"reset by {reset[1].decode()}")
        return bytes(data)


class Repl:
    """The raw REPL of the board at `port`, as a context: entered by Ctrl-C and a soft reset, so with an empty heap.

    What ran there is not started again: that takes `reset`.

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
            self._transport.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def exec(self, code: str, timeout_s: float = 10) -> str:
        """Run `code`; return what it prints.

        Raises:
            RaisedError: it raised an exception.
            BoardError: no end within timeout_s.
        """
        self._transport.deadline = time.monotonic() + timeout_s
        try:
            output, error = self._transport.exec_raw(code)
        except (OSError, TransportError) as lost:
            raise self._lost(lost) from None
        if error:
            raise RaisedError(self.port, error.decode(errors="replace"))
        return output.decode(errors="replace").replace("\r\n", "\n")

    def facts(self) -> Facts:
        """Ask what board this is.

        Raises:
            BoardError: none that the device code runs on.
        """
        platform, version, mpy, machine, image, block, total, free, slots = json.loads(self.exec(_FACTS))
        if platform != "esp32":
            raise BoardError(f"{self.port}: this is no ESP32 but {platform}", "Name the port of an ESP32.")
        if tuple(version) < OLDEST:
            found, oldest = (".".join(map(str, number)) for number in (version, OLDEST))
            raise BoardError(
                f"{self.port}: MicroPython {found} is too old, {oldest} is needed",
                "Write a newer image: python -m tools flash PORT IMAGE",
            )
        architecture = _ARCHITECTURES.split()[mpy >> 10 & 15]
        return Facts(
            platform, tuple(version), mpy & 0xFF, architecture, machine, image, block, total, free, slots
        )

    def read_file(self, path: str) -> bytes:
        """What the board's file `path` holds."""
        lines = self.exec(
            f"import binascii\nwith open({path!r}, 'rb') as f:\n"
            f" while b := f.read({_CHUNK_BYTES}): print(str(binascii.b2a_base64(b), 'ascii'), end='')",
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
        self._transport.deadline = time.monotonic() + 10
        try:
            self._transport.exec_raw_no_follow("import machine; machine.reset()")
        except (OSError, TransportError) as lost:
            raise self._lost(lost) from None

    def readline(self, timeout_s: float) -> str | None:
        """The next line that the board prints, whole or as much as came within `timeout_s`; None for nothing."""
        serial = self._transport.serial
        deadline = time.monotonic() + timeout_s
        line = bytearray()
        try:
            while not line.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
                serial.timeout = left
                line += serial.read(1)
        except OSError as lost:
            raise self._lost(lost) from None
        return line.decode(errors="replace").rstrip("\r\n") if line else None

    def _enter(self) -> None:
        """Stop what runs, then reset softly: nothing of it stays in the heap."""
        transport, heard = self._transport, b""
        transport.serial.timeout = 0.1
        give_up = time.monotonic() + self._take_over_s
        try:
            while True:
                transport.serial.write(b"\r\x03\x03")  # Ctrl-C: the second for what caught the first
                time.sleep(0.1)
                transport.serial.reset_input_buffer()
                transport.serial.write(b"\r\x01")  # Ctrl-A: raw REPL
                transport.deadline = min(give_up, time.monotonic() + 3)
                try:
                    if transport.read_until(1, _PROMPT + b">").endswith(_PROMPT + b">"):
                        break
                except TransportError:  # opening the port reset the board
                    pass
                heard += bytes(transport.seen)
                if time.monotonic() >= give_up:
                    raise self._silent(heard)
            transport.serial.write(b"\x04")  # Ctrl-D: soft reset
            transport.deadline = time.monotonic() + _SOFT_RESET_S
            if not transport.read_until(1, _PROMPT).endswith(_PROMPT):
                raise TransportError("no end of its soft reset")
        except (OSError, TransportError) as lost:
            raise self._lost(lost) from None
        transport.in_raw_repl = True
        transport.serial.timeout = 5  # mpremote takes the end of a read's time for an answer

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
