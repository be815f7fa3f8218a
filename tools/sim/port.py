"""A simulated board's console on a port, for programs that expect one there: a pseudo-terminal, or TCP."""

import asyncio
import contextlib
import os
import re
from collections.abc import Callable
from types import TracebackType

from tools.sim.device import Device

_WAITING_MAX = 65_536  # bytes that nobody reads; what comes then is lost, as on a UART
_CTRL_C = b"\x03"
_INTERRUPT_S = 0.3  # within which a second Ctrl-C is the same: a program that ends is not hit again
_IMPROV = b"IMPROV\x01"
_IMPROV_BYTES = 3  # of a packet, behind that and beside its data: type, length, checksum
_TCP = re.compile(r"tcp:(\d{1,5})")


class PortError(ValueError):
    """There is no such port."""


class Port:
    """What comes from the device goes to the port, and the other way, as long as its context lasts.

    `name` is what programs call it: /dev/pts/7, or socket://127.0.0.1:4000. where: "pty", or "tcp:PORT", 0
    for any; one client at a time. Raises PortError for anything else, OSError where the system refuses.
    """

    def __init__(self, device: Device, where: str) -> None:
        match = _TCP.fullmatch(where)
        if where != "pty" and not (match and int(match[1]) < 65536):
            raise PortError(f"--port {where}: pty or tcp:PORT")
        self.name = ""
        self._device = device
        self._tcp = int(match[1]) if match else None
        self._way: Pty | _Tcp | None = None
        self._typed: asyncio.Queue[bytes] = asyncio.Queue(256)
        self._interrupted_at = 0.0
        self._prompts = -1  # how many there were then
        self._last = b""
        self._begun = b""  # of a packet

    async def __aenter__(self) -> "Port":
        self._way = Pty(self._came) if self._tcp is None else await _Tcp(self._came).listen(self._tcp)
        self.name = self._way.name
        self._device.on_output = self._give
        self._typing = asyncio.create_task(self._type())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._device.on_output = None
        self._typing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._typing
        assert self._way
        self._way.close()

    def _give(self, data: bytes) -> None:
        """As the chip: a line of text ends in CR LF; a packet of Improv's is bytes, and stays as it is."""
        assert self._way
        data, self._begun = self._begun + data, b""
        while data:
            text, header, rest = data.partition(_IMPROV)
            self._give_text(text)
            end = _IMPROV_BYTES + (rest[1] if len(rest) > 1 else 0)
            if header and len(rest) < end:
                self._begun = header + rest
                return
            self._way.write(header + rest[:end])
            data = rest[end:]

    def _give_text(self, text: bytes) -> None:
        assert self._way
        if text:
            self._way.write(re.sub(rb"(?<!\r)\n", b"\r\n", text) if self._last != b"\r" else text)
            self._last = text[-1:]

    def _came(self, data: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):  # lost, as where a UART's buffer is full
            self._typed.put_nowait(data)

    async def _type(self) -> None:
        while True:
            for piece in re.split(rb"(\x03)", await self._typed.get()):
                with contextlib.suppress(RuntimeError, ConnectionError):  # nothing runs that could read it
                    if piece == _CTRL_C and self._device.interruptible:
                        self._interrupt()
                    elif piece:
                        await self._device.type(piece)

    def _interrupt(self) -> None:
        now, prompts = asyncio.get_running_loop().time(), self._device.chip.prompts
        if now - self._interrupted_at > _INTERRUPT_S or prompts != self._prompts:
            self._interrupted_at, self._prompts = now, prompts
            self._device.interrupt()


class Pty:
    """A pseudo-terminal: `name` is its other end. What nobody reads is kept, up to a limit, and then lost."""

    def __init__(self, on_data: Callable[[bytes], None]) -> None:
        import tty  # noqa: PLC0415 - Unix alone

        self.on_data = on_data
        self._end, self._other_end = os.openpty()
        tty.setraw(self._other_end)
        os.set_blocking(self._end, False)
        self.name = os.ttyname(self._other_end)
        self._waiting = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._end, lambda: self.on_data(os.read(self._end, 4096)))

    def write(self, data: bytes) -> None:
        if len(self._waiting) < _WAITING_MAX:
            self._waiting += data
        self._flush()

    def hang_up(self) -> None:
        """End it for who has it open. Until `close` nobody else gets a terminal of its name."""
        if self._end >= 0:
            self._loop.remove_reader(self._end)
            self._loop.remove_writer(self._end)
            os.close(self._end)
            self._end = -1

    def close(self) -> None:
        self.hang_up()
        os.close(self._other_end)

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            del self._waiting[: os.write(self._end, self._waiting)]
        if self._waiting:
            self._loop.add_writer(self._end, self._flush)
        else:
            self._loop.remove_writer(self._end)


class _Tcp:
    def __init__(self, on_data: Callable[[bytes], None]) -> None:
        self._on_data = on_data
        self._client: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None

    async def listen(self, port: int) -> "_Tcp":
        self._server = await asyncio.start_server(self._called, "127.0.0.1", port)
        self.name = f"socket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def write(self, data: bytes) -> None:
        if self._client and self._client.transport.get_write_buffer_size() < _WAITING_MAX:
            self._client.write(data)

    def close(self) -> None:
        self._server.close()
        if self._serving:
            self._serving.cancel()

    def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._client:
            writer.close()
            return
        self._client = writer
        self._serving = asyncio.create_task(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(4096):
                    self._on_data(data)
        finally:
            self._client = None
            writer.close()
