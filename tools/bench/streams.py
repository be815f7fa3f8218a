"""The device's kind of stream on CPython's asyncio, so that the MQTT client runs in a host's process."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iot.log import Log
from iot.mqtt.client import Client
from iot.mqtt.packet import Framer
from iot.mqtt.queues import Inbox, Outbox

_FATAL_ALERT = -0x7780  # what MicroPython raises in OSError when the peer sends a TLS alert


@contextmanager
def _alerts() -> Iterator[None]:
    """Tells of TLS alerts as MicroPython does, whether they come to light in a read or in a write."""
    try:
        yield
    except ssl.SSLError as error:
        raise OSError(_FATAL_ALERT, error.reason) from error


def device_client(
    name: str,
    open_stream: Any,
    outbox_bytes: int = 8192,
    window: int = 16,
    packet_limit: int = 4096,
    **options: Any,
) -> Client:
    """The device's client, with queues of its own."""
    counts = dict.fromkeys(("refused", "lost", "oversize", "unclaimed", "dropped"), 0)
    outbox, inbox = Outbox(outbox_bytes, window, counts), Inbox(Framer(packet_limit), counts)
    return Client(name, open_stream, outbox, inbox, Log("error"), **options)


class Stream:
    """MicroPython's Stream, as far as the client uses it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.transport = writer.transport
        self._reader = reader
        self._writer = writer

    async def readinto(self, view: memoryview) -> int:
        with _alerts():
            data = await self._reader.read(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data: bytes | memoryview) -> None:
        self._writer.write(bytes(data))  # a copy, as in MicroPython: the caller may use its buffer again

    async def drain(self) -> None:
        with _alerts():
            await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    async def wait_closed(self) -> None:
        await self._writer.wait_closed()


def client_context(root_pem: str, pair: tuple[str, str] | None, folder: Path) -> ssl.SSLContext:
    """TLS that trusts `root_pem` alone and shows `pair`, a certificate and its key; `folder` keeps them."""
    context = ssl.create_default_context(cadata=root_pem)
    if pair:
        path = folder / "client.pem"
        path.write_text("".join(pair))
        context.load_cert_chain(path)
    return context


def opener(host: str, port: int, context: ssl.SSLContext) -> Callable[[], Awaitable[Stream]]:
    """A function that opens a stream, as `Client` wants one."""

    async def open_stream() -> Stream:
        return Stream(*await asyncio.open_connection(host, port, ssl=context))

    return open_stream
