"""A raw MQTT client of either cloud: it says what a proper client never would, and hears what comes of it."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.host.cloud.support import (
    DISCONNECT,
    PINGREQ,
    Identity,
    Peer,
    client_context,
    connect_packet,
    publish_packet,
    subscribe_packet,
)
from tests.patience import PATIENCE_S
from tests.second.aws import Aws

_ROUNDS = 4  # of pings: a cloud may answer a request some turns of its loop after it took it
_CONNACK, _PUBLISH, _SUBACK, _PINGRESP = 0x20, 0x30, 0x90, 0xD0
Message = tuple[str, Any]


class ClosedError(Exception):
    """The cloud has ended the connection."""


class RefusedError(Exception):
    """The CONNACK's code is another than 0."""


@asynccontextmanager
async def raw(aws: Aws, identity: Identity, folder: Path) -> AsyncIterator[Peer]:
    """A TLS connection on which nothing was said yet."""
    context = client_context(aws.root_ca, identity, folder)
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("localhost", aws.port, ssl=context)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


class Client:
    """One that has connected."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._packet_id = 0
        self.messages: list[Message] = []  # that came, JSON where it is

    async def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        """The codes of the SUBACK."""
        await self.say(subscribe_packet(self._next_id(), *((one, qos) for one in filters)))
        return list((await self._until(_SUBACK))[2:])

    async def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Send, and wait for whatever the cloud says to it; a message that comes is in `messages`."""
        await self.say(publish_packet(topic, payload, qos, self._next_id(), retain))
        await self.settle()

    async def settle(self) -> None:
        """Wait until the cloud has answered all that it will answer at once."""
        for _ in range(_ROUNDS):
            await self.say(PINGREQ)
            await self._until(_PINGRESP)

    async def say(self, data: bytes) -> None:
        self._peer.send(data)
        try:
            await self._peer.writer.drain()
        except OSError as error:
            raise ClosedError from error

    async def ask(self, topic: str, payload: bytes) -> Message | None:
        """(accepted or rejected, the document) of a service's answer; None where there is none."""
        self.messages.clear()
        await self.publish(topic, payload)
        found = [one for one in self.messages if one[0] in (f"{topic}/accepted", f"{topic}/rejected")]
        return (found[0][0].rpartition("/")[2], found[0][1]) if found else None

    def _next_id(self) -> int:
        self._packet_id += 1
        return self._packet_id

    async def _until(self, first: int) -> bytes:
        """The body of the next packet of this kind; messages that come before are kept and acknowledged."""
        while True:
            try:
                got, body = await self._peer.packet()
            except (OSError, asyncio.IncompleteReadError) as error:
                raise ClosedError from error
            if got & 0xF0 == _PUBLISH:
                await self._take(got, body)
            if got & 0xF0 == first & 0xF0:
                return body

    async def _take(self, first: int, body: bytes) -> None:
        end = 2 + struct.unpack(">H", body[:2])[0]
        topic, payload = body[2:end].decode(), body[end:]
        if first & 0x06:
            await self.say(b"\x40\x02" + payload[:2])
            payload = payload[2:]
        try:
            self.messages.append((topic, json.loads(payload)))
        except ValueError:
            self.messages.append((topic, payload))


@asynccontextmanager
async def connected(
    aws: Aws, identity: Identity, folder: Path, client_id: str, clean: bool = True
) -> AsyncIterator[Client]:
    """A client that the cloud has taken; ClosedError or RefusedError where it does not."""
    async with raw(aws, identity, folder) as peer:
        client = Client(peer)
        await client.say(connect_packet(client_id, clean))
        if code := (await client._until(_CONNACK))[1]:
            raise RefusedError(code)
        yield client
        peer.send(DISCONNECT)
