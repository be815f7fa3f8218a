"""What passes between device and server, on its way: TLS records; those of a handshake can be read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

ALERT, HANDSHAKE, APPLICATION_DATA = 21, 22, 23  # RFC 5246, 6.2.1
CLIENT_HELLO, CERTIFICATE = 1, 11  # and 7.4
FRAGMENT_BYTES = 1 << 14  # the most that a record carries, and what AES-GCM adds to it
GCM_BYTES = 8 + 16
_CHUNK_BYTES = 65536


@dataclass
class Connection:
    """One connection's bytes, from the device and from the server."""

    device: bytearray = field(default_factory=bytearray)
    server: bytearray = field(default_factory=bytearray)

    def said(self) -> list[int]:
        """The types of the device's records."""
        return [kind for kind, _ in _records(self.device)]

    def alerts(self) -> list[int]:
        """What the device says in fatal alerts of a handshake (RFC 5246, 7.2)."""
        return [body[1] for kind, body in _records(self.device) if kind == ALERT and body[:1] == b"\2"]

    def cipher_suites(self) -> list[int]:
        """Those of its ClientHello (7.4.1.2)."""
        hello = next(_messages(self.device, CLIENT_HELLO))
        at = 2 + 32  # behind version and random
        at += 1 + hello[at]  # and session id
        size = int.from_bytes(hello[at : at + 2], "big")
        suites = hello[at + 2 : at + 2 + size]
        return [int.from_bytes(suites[i : i + 2], "big") for i in range(0, size, 2)]

    def chain_bytes(self) -> int:
        """The size of what the server shows as its certificates."""
        return len(next(_messages(self.server, CERTIFICATE)))

    def largest_fragment(self) -> int:
        """Bytes of the largest record with data for the device, as it is on the wire."""
        return max((len(body) for kind, body in _records(self.server) if kind == APPLICATION_DATA), default=0)


def _records(data: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 5 <= len(data):
        end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")
        yield data[at], bytes(data[at + 5 : end])
        at = end


def _messages(data: bytes | bytearray, wanted: int) -> Iterator[bytes]:
    """Bodies of a handshake's messages of one type, be they in one record or in several."""
    stream = b"".join(body for kind, body in _records(data) if kind == HANDSHAKE)
    at = 0
    while at + 4 <= len(stream):
        end = at + 4 + int.from_bytes(stream[at + 1 : at + 4], "big")
        if stream[at] == wanted:
            yield stream[at + 4 : end]
        at = end


class Wire:
    """A TCP relay to a port on this machine that keeps all that passes.

    Attributes:
        port: where it listens.
        target: the port to which new connections go.
        connections: all that there were, the last one last.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.target = target
        self.connections: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        self.connections.append(connection)
        far_writer = None
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, far_writer, connection.device))
                group.create_task(_pump(far_reader, writer, connection.server))
        except* OSError:  # one end has broken off
            pass
        finally:
            for end in (writer, far_writer):
                if end:
                    end.close()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        kept += data
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def wire(target: int) -> AsyncIterator[Wire]:
    """A Wire that runs."""
    it = Wire(target)
    server = await asyncio.start_server(it._accepted, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        tasks = list(it._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
