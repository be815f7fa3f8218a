"""A raw MQTT client with an encoder of its own: it can say what a proper client never would."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S
from tools.cloud import Cloud, Event

DEADLINE_S = PATIENCE_S
NOW_S = 1_700_000_000.0  # when a Clock begins
Identity = tuple[str, str]


def policy(*statements: tuple[str, str | list[str], str | list[str]]) -> dict[str, Any]:
    """A policy of (effect, actions, resources) statements."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": e, "Action": a, "Resource": r} for e, a, r in statements],
    }


ANYTHING = policy(("Allow", "iot:*", "*"))


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def packet(first: int, body: bytes = b"") -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        encoded.append(length % 128 | (128 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes((first,)) + bytes(encoded) + body


def connect_packet(
    client_id: str,
    clean: bool = True,
    keep_alive_s: int = 60,
    will: tuple[str, bytes, int, bool] | None = None,
    user: str | None = None,
    password: str | bytes | None = None,
) -> bytes:
    flags, payload = 2 * clean, text(client_id)
    if will is not None:
        topic, message, qos, retain = will
        flags |= 0x04 | qos << 3 | retain << 5
        payload += text(topic) + text(message)
    if user is not None:
        flags |= 0x80
        payload += text(user)
    if password is not None:
        flags |= 0x40
        payload += text(password)
    return packet(0x10, text("MQTT") + bytes((4, flags)) + struct.pack(">H", keep_alive_s) + payload)


def publish_packet(
    topic: str, payload: bytes, qos: int = 0, packet_id: int = 1, retain: bool = False, dup: bool = False
) -> bytes:
    body = text(topic) + (struct.pack(">H", packet_id) if qos else b"") + payload
    return packet(0x30 | dup << 3 | qos << 1 | retain, body)


def subscribe_packet(packet_id: int, *filters: tuple[str, int]) -> bytes:
    return packet(0x82, struct.pack(">H", packet_id) + b"".join(text(f) + bytes((q,)) for f, q in filters))


def unsubscribe_packet(packet_id: int, *filters: str) -> bytes:
    return packet(0xA2, struct.pack(">H", packet_id) + b"".join(text(f) for f in filters))


def puback_packet(packet_id: int) -> bytes:
    return packet(0x40, struct.pack(">H", packet_id))


PINGREQ, DISCONNECT = packet(0xC0), packet(0xE0)


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    packet_id: int


def client_context(root_ca: str, identity: Identity | None, folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=root_ca)
    if identity is not None:
        path = folder / "client.pem"  # loaded at once, so that the next one may overwrite it
        path.write_text("".join(identity))
        context.load_cert_chain(path)
    return context


class Clock:
    """Seconds since 1970, which a test lets pass."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


class Peer:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._next_id = 0

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def stop_reading(self) -> None:
        self._transport.pause_reading()

    def read_again(self) -> None:
        self._transport.resume_reading()

    @property
    def _transport(self) -> asyncio.Transport:
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)
        return transport

    async def packet(self) -> tuple[int, bytes]:
        """The next packet: first byte and body."""
        async with asyncio.timeout(DEADLINE_S):
            (first,) = await self.reader.readexactly(1)
            length = shift = 0
            while True:
                (digit,) = await self.reader.readexactly(1)
                length |= (digit & 127) << shift
                shift += 7
                if digit < 128:
                    return first, await self.reader.readexactly(length)

    async def expect(self, first: int) -> bytes:
        """The body of the next packet, which begins with `first`."""
        got, body = await self.packet()
        assert got == first, f"{got:#04x} {body!r} came, not {first:#04x}"
        return body

    async def message(self, acknowledge: bool = True) -> Received:
        first, body = await self.packet()
        assert first >> 4 == 3, f"{first:#04x} {body!r} came, not PUBLISH"
        size, qos = int.from_bytes(body[:2], "big"), first >> 1 & 3
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        packet_id = int.from_bytes(rest[:2], "big") if qos else 0
        if qos and acknowledge:
            self.send(puback_packet(packet_id))
        return Received(topic, rest[2:] if qos else rest, qos, bool(first & 1), bool(first & 8), packet_id)

    async def connect(self, client_id: str, **options: Any) -> bool:
        """CONNECT and its CONNACK; whether the broker has the session."""
        self.send(connect_packet(client_id, **options))
        session_present, return_code = await self.expect(0x20)
        assert return_code == 0
        return bool(session_present)

    async def subscribe(self, topic_filter: str, qos: int = 1) -> None:
        self._next_id += 1
        self.send(subscribe_packet(self._next_id, (topic_filter, qos)))
        assert await self.expect(0x90) == struct.pack(">HB", self._next_id, qos)

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish with QoS 1 and take the PUBACK."""
        self._next_id += 1
        self.send(publish_packet(topic, payload, 1, self._next_id, retain))
        assert await self.expect(0x40) == struct.pack(">H", self._next_id)

    async def nothing_more(self) -> None:
        """The answer to a PINGREQ is the next thing that comes: the broker had sent nothing before it."""
        self.send(PINGREQ)
        await self.expect(0xD0)

    async def disconnect(self) -> None:
        self.send(DISCONNECT)
        await self.closed()

    async def closed(self) -> bytes:
        """What the broker still sends before it closes the connection."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self.reader.read(-1)
            except ConnectionError:
                return b""


class Bench:
    """A cloud under test: opens peers, remembers events."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.events: list[Event] = []
        self._folder = folder
        self._changed = asyncio.Event()
        self._peers: list[Peer] = []
        cloud.on_event = self._on_event

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def event(self, kind: str, wanted: Callable[[Event], bool] = lambda event: True) -> Event:
        """The first event of a kind, already there or still to come."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self._changed.clear()
                for event in self.events:
                    if event.kind == kind and wanted(event):
                        return event
                await self._changed.wait()

    async def connections(self, count: int) -> None:
        """Wait until no more than `count` connections are left, also in the broker's own eyes."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.cloud._broker._port.connections) > count:  # type: ignore[union-attr]
                await asyncio.sleep(0.01)

    async def open(self, identity: Identity | None = None, root_ca: str = "", port: int = 0) -> Peer:
        """A TLS connection, with an identity that may do anything unless one is given."""
        identity = identity or self.cloud.create_identity(ANYTHING)
        context = client_context(root_ca or self.cloud.root_ca, identity, self._folder)
        reader, writer = await asyncio.open_connection("localhost", port or self.cloud.port, ssl=context)
        peer = Peer(reader, writer)
        self._peers.append(peer)
        return peer

    async def client(self, client_id: str, identity: Identity | None = None, **options: Any) -> Peer:
        """A connected client."""
        peer = await self.open(identity)
        await peer.connect(client_id, **options)
        return peer

    async def close(self) -> None:
        for peer in self._peers:
            peer.writer.transport.abort()


@asynccontextmanager
async def bench(folder: Path, **options: Any) -> AsyncIterator[Bench]:
    """A cloud that runs."""
    async with Cloud(folder / "state", **options) as cloud:
        it = Bench(cloud, folder)
        try:
            yield it
        finally:
            await it.close()
