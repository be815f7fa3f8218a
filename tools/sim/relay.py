"""The network between a chip and a server: delay, silence while Wi-Fi is lost, and what that breaks."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

from tools.sim.memory import Memory, Tls
from tools.sim.radio import Station

_CHUNK_BYTES = 16384
_BUFFER_BYTES = 32768  # of a socket: what a chip writes (from 6 KiB) must not vanish in a large one
_CHUNKS_IN_FLIGHT = 64
_LAST_WORDS_S = 1
_LOOK_S = 0.005


class Relay:
    """A TCP port that passes on to `target`, each way late by `delay_s()`, for as long as `station` is up.

    While the station is down, bytes stay where they are. A connection that lived through a loss is reset when
    the station is up again, or after `loss_limit_s` without it. Where one end breaks off, what it sent before
    still arrives, e.g. a TLS alert; then the other end is reset. memory: the chip's, of which TLS takes.
    """

    def __init__(
        self,
        target: tuple[str, int],
        station: Station,
        delay_s: Callable[[], float],
        loss_limit_s: float = 20,
        memory: Memory | None = None,
    ) -> None:
        self._target = target
        self._station = station
        self._delay_s = delay_s
        self._loss_limit_s = loss_limit_s
        self._memory = memory or Memory()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on a free port of the loopback interface and return it."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._server = await asyncio.start_server(self._accepted, sock=listener, limit=_CHUNK_BYTES)
        return listener.getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connection(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer = None
        tls = Tls(self._memory)
        try:
            if self._memory.silent:
                while await reader.read(_CHUNK_BYTES):
                    pass
                return
            await self._station.clock.sleep(2 * self._delay_s())  # SYN and its answer
            await self._station.up.wait()
            far_reader, far_writer = await asyncio.open_connection(*self._target, limit=_CHUNK_BYTES)
            for end in (writer, far_writer):
                sock = end.get_extra_info("socket")
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            if await self._pump_until_lost(reader, writer, far_reader, far_writer, tls):
                _reset(writer, far_writer)
        except OSError:  # refused by the server: the device was already let in, so a reset is what is left
            _reset(writer)
        finally:
            tls.close()
            writer.close()
            if far_writer:
                far_writer.close()

    async def _pump_until_lost(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
        tls: Tls,
    ) -> bool:
        """Pass both ways until both ends have closed (False), or until one or the radio broke off (True)."""
        loss = asyncio.create_task(self._lost())
        up = asyncio.create_task(self._pump(reader, far_writer, tls))
        down = asyncio.create_task(self._pump(far_reader, writer))
        broken = asyncio.create_task(_broken_off(far_writer, after=down))
        going = {loss, up, down, broken}
        try:
            while not (up.done() and down.done()):
                ended, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                if loss in ended:
                    return True
                if broken in ended or any(task.exception() for task in ended):
                    if down in going:  # the server has hung up on what it was sent: its last words
                        await asyncio.wait([down], timeout=_LAST_WORDS_S + self._delay_s())
                    return True
            return False
        finally:
            for task in (loss, up, down, broken):
                task.cancel()
            await asyncio.gather(loss, up, down, broken, return_exceptions=True)

    async def _lost(self) -> None:
        await self._station.down.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._station.up.wait(), self._loss_limit_s)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: Tls | None = None
    ) -> None:
        clock = self._station.clock
        in_flight: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(_CHUNKS_IN_FLIGHT)

        async def read() -> None:
            data: bytes | None = b"-"
            while data:
                await self._station.up.wait()
                try:
                    data = await reader.read(_CHUNK_BYTES)
                except ConnectionError:
                    data = None  # behind what is in flight
                if tls:
                    tls.sent(data or b"")
                await in_flight.put((clock.time() + self._delay_s(), data))

        async def write() -> None:
            while True:
                due, data = await in_flight.get()
                await clock.sleep(due - clock.time())
                await self._station.up.wait()
                if data is None:
                    raise ConnectionResetError
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())


async def _broken_off(writer: asyncio.StreamWriter, after: asyncio.Task[None]) -> None:
    """Return when a peer that has said its last answers to more with a reset, which no reader would see."""
    await asyncio.wait([after])
    sock = writer.get_extra_info("socket")
    while not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(_LOOK_S)


def _reset(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        with contextlib.suppress(OSError):  # closed already
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
