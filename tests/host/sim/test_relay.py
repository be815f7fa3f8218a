"""The network between a chip and a server that hangs up: last words arrive, then writes fail."""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from tools.sim.clock import Clock
from tools.sim.relay import Relay

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def relayed(talk: Talk, delay_s: float) -> AsyncIterator[socket.socket]:
    """The chip's end of a connection to a server that does `talk`."""
    up, down = asyncio.Event(), asyncio.Event()
    up.set()
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    station = SimpleNamespace(up=up, down=down, clock=Clock())
    relay = Relay(server.sockets[0].getsockname()[:2], station, lambda: delay_s)  # type: ignore[arg-type]
    chip = socket.socket()
    chip.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(chip, ("127.0.0.1", await relay.start()))
        yield chip
    finally:
        chip.close()
        await relay.stop()
        server.close()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(3)
    writer.write(b"last words")
    writer.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(3)
    writer.write(b"last words")
    await writer.drain()
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@pytest.mark.parametrize("delay_s", [0, 0.05])
@pytest.mark.parametrize("talk", [closes, resets])
async def test_who_goes_on_writing_fails_and_still_finds_the_last_words(talk: Talk, delay_s: float) -> None:
    async with relayed(talk, delay_s) as chip:
        chip.send(b"abc")
        failed = None
        for _ in range(200):
            await asyncio.sleep(0.02)
            try:
                chip.send(b"more")
            except OSError as error:
                failed = error
                break
        assert failed is not None and failed.errno in (errno.EPIPE, errno.ECONNRESET)
        assert chip.recv(100) == b"last words"


@pytest.mark.parametrize("delay_s", [0, 0.05])
async def test_who_only_listens_hears_the_end(delay_s: float) -> None:
    async with relayed(closes, delay_s) as chip:
        chip.send(b"abc")
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(chip, 100) == b"last words"
        assert await loop.sock_recv(chip, 100) == b""
