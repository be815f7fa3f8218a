"""A conversation with a board's console: lines out, log lines and answers in."""

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import serial

from tools.lines import Lines

from .errors import BoardError
from .ports import BAUDRATE, close_port, open_port
from .silence import explain_silence

ANSWER_S = 20.0  # a look-up in a network without DNS holds the device's loop for 7 s, and often two follow
_CONNECTING_S = 120.0  # for which a connection in the making may let a command wait
_CHUNK = 4096
_INTERRUPT_S = 10.0
_FOREVER_S = 3600.0
_ANSWER = re.compile(r"^= (ok|error)\b ?(.*)$")
_WAITS = re.compile(r"^ *[\d.]+ I console: connecting, a moment$")
_RESTARTS = re.compile(r"^ *[\d.]+ I system: restarting: ")
# What MicroPython prints of memory while it answers one of these commands.
_MEM_INFO = re.compile(r"^(stack: \d+ out of \d+|GC: total: \d+, .*| No\. of 1-blocks: \d+, .*)$")
_MEASURING = ("status", "wifi")
_PROMPT = ">>> "
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Answer:
    """What the device answered to a command."""

    ok: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'error'} {self.text}"

    @property
    def value(self) -> Any:
        """What the answer's JSON object or array says, None where it is neither."""
        try:
            value = json.loads(self.text)
        except ValueError:
            return None
        return value if isinstance(value, dict | list) else None


def parse_answer(line: str) -> Answer | None:
    """The answer in a console line, None for any other line."""
    match = _ANSWER.match(line)
    return Answer(match[1] == "ok", match[2]) if match else None


class Link:
    """A board's console, as an async context manager; `lines`, `send` and `expect` are as tools.sim.Device's.

    Args:
        port: as for `open_port`.
        on_line: called with every line the board prints.
        baudrate: bits per second.

    Raises:
        BoardError: from entering it, where the port cannot be opened; from all else, once the port is gone.
    """

    def __init__(
        self, port: str, on_line: Callable[[str], None] | None = None, baudrate: int = BAUDRATE
    ) -> None:
        self.port = port
        self._console = Lines(port, on_line, self._is_for_us)
        self.lines = self._console.lines
        self._baudrate = baudrate
        self._measuring = False  # a command that has MicroPython print of memory is on its way
        self._asking = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._failure: BoardError | None = None
        self._serial: serial.Serial | None = None
        self._reader: threading.Thread | None = None
        self._closing = threading.Event()

    async def __aenter__(self) -> "Link":
        self._serial = await asyncio.to_thread(open_port, self.port, self._baudrate)
        loop = asyncio.get_running_loop()
        self._reader = threading.Thread(target=self._read, args=(self._serial, loop), daemon=True)
        self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await asyncio.to_thread(self._close)

    async def send(self, line: str) -> None:
        """Type a line."""
        await self._write(line.encode() + b"\r\n")  # the REPL wants the first, the console takes either

    async def expect(self, pattern: str, timeout_s: float = 200) -> re.Match[str]:
        """Wait for a line in which `pattern` is found, from behind the line found last.

        Raises TimeoutError, which shows the last lines.
        """
        return await self._console.expect(pattern, timeout_s, lambda: self._failure)

    async def ask(self, line: str, timeout_s: float = ANSWER_S) -> Answer:
        """Send a command and return its answer; BoardError where none comes, with what may be the reason.

        One at a time: others wait their turn. It passes the lines up to the answer, for `expect` too.
        A device that says that it is connecting gets more time.
        """
        async with self._asking:
            self._console.pass_all()
            start = len(self.lines)
            self._measuring = line.partition(" ")[0] in _MEASURING
            try:
                await self.send(line)
                found = await self._answer(timeout_s, _WAITS)
                if isinstance(found, re.Match) and found.re is _WAITS:
                    found = await self._answer(_CONNECTING_S + timeout_s, _RESTARTS)
            finally:
                self._measuring = False
            if answer := isinstance(found, re.Match) and parse_answer(found.string):
                return answer
            if isinstance(found, re.Match):
                raise BoardError(f"{self.port}: the board restarted before it could answer", "Ask it again.")
            raise self._silence(self.lines[start:])

    async def _answer(self, timeout_s: float, *others: re.Pattern[str]) -> re.Match[str] | bool | None:
        """The next line that is an answer or one of `others`; True at the prompt of the REPL, else None."""
        return await self._wait(lambda: self._console.find(_ANSWER, *others) or self._prompted, timeout_s)

    async def gone(self) -> None:
        """Raise the BoardError as soon as the port is gone; return never."""
        while True:
            await self._wait(lambda: False, _FOREVER_S)

    async def interrupt(self) -> None:
        """Stop the application (Ctrl-C, twice), which leaves the friendly REPL; BoardError if it does not."""
        self._console.tail = b""
        await self._write(b"\r\x03\x03\x02")  # Ctrl-B, in case it was started from the raw REPL
        if not await self._wait(lambda: self._prompted, _INTERRUPT_S):
            raise self._silence([])

    @property
    def _prompted(self) -> bool:
        return self._console.tail.decode(errors="replace").endswith(_PROMPT)

    async def _write(self, data: bytes) -> None:
        async with self._sending:
            if self._failure:
                raise self._failure
            assert self._serial
            try:
                await asyncio.to_thread(self._serial.write, data)
            except serial.SerialTimeoutException:
                raise BoardError(
                    f"{self.port}: the board takes no more characters",
                    "Press its reset button, and try again.",
                ) from None
            except OSError:
                raise self._fail() from None

    async def _wait(self, condition: Callable[[], _Found | None], timeout_s: float) -> _Found | None:
        """What `condition` gives as soon as it is true; None after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            return await self._console.until(condition, timeout_s, lambda: self._failure)
        return None

    def _read(self, device: serial.Serial, loop: asyncio.AbstractEventLoop) -> None:
        """The reader's thread: pyserial's reads block, and not every kind of port has a file descriptor."""
        try:
            while not self._closing.is_set():
                data = device.read(1)
                while data and len(data) < _CHUNK and (waiting := device.in_waiting):
                    data += device.read(waiting)
                if data:
                    loop.call_soon_threadsafe(self._console.feed, data)
        except OSError:
            loop.call_soon_threadsafe(self._fail)

    def _close(self) -> None:
        assert self._serial and self._reader
        self._reader.join()
        close_port(self._serial)

    def _is_for_us(self, line: str) -> bool:
        return not (self._measuring and _MEM_INFO.match(line))  # else it was said to the device itself

    def _fail(self) -> BoardError:
        if self._failure is None:
            self._failure = BoardError(
                f"{self.port}: the connection to the board is gone",
                "See that its cable is plugged in and that no other program uses the port, and try again.",
            )
            self._console.tell()
        return self._failure

    def _silence(self, since: list[str]) -> BoardError:
        """Why no answer may have come: told by what came instead, or before."""
        return explain_silence(
            self.port, "\n".join([*(since or self.lines[-30:]), self._console.tail.decode(errors="replace")])
        )
