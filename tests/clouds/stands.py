"""The clouds that a device may be of, each by its stand-in, with a device `lamp` and a device `other`."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.cloud.support import ANYTHING, DISCONNECT, Identity, Peer, client_context, connect_packet
from tests.patience import PATIENCE_S
from tests.second.client import Client, RefusedError
from tools.bench import mosquitto
from tools.cloud import Cloud, Limits
from tools.clouds.alibaba import Alibaba
from tools.clouds.alibaba.sign import SignIn, sign
from tools.clouds.azure import Azure
from tools.clouds.azure.sas import make
from tools.clouds.broker import Broker
from tools.clouds.clearblade import ClearBlade

DEVICES = ("lamp", "other")


@dataclass
class Stand:
    """One cloud that runs.

    Args:
        port, root_pem: where.
        connect: makes a device's CONNECT, with options of connect_packet.
        telemetry: a device's topic for telemetry.
        listen: what the lamp may subscribe to.
        heard: what the cloud has of telemetry, the newest last: payload, and what came with it. None where a
            message goes to whoever subscribed.
        limits: None for MQTT's own.
        identity: the certificate that devices show.
    """

    port: int
    root_pem: str
    connect: Callable[..., bytes]
    telemetry: str = "telemetry/{}"
    listen: str = "down"
    heard: Callable[[], list[tuple[bytes, dict[str, Any]]]] | None = None
    limits: Limits | None = None
    identity: Identity | None = None
    folder: Path = field(default_factory=Path)

    @contextlib.asynccontextmanager
    async def client(self, device: str = "lamp", **options: Any) -> AsyncIterator[Client]:
        """A device that has connected; RefusedError or ClosedError where it may not."""
        context = client_context(self.root_pem, self.identity, self.folder)
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("localhost", self.port, ssl=context)
        peer = Peer(reader, writer)
        client = Client(peer)
        try:
            await client.say(self.connect(device, **options))
            if code := (await client._until(0x20))[1]:
                raise RefusedError(code)
            yield client
            peer.send(DISCONNECT)
        finally:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def aws(folder: Path) -> AsyncIterator[Stand]:
    async with Cloud(folder / "state") as cloud:
        identity = cloud.create_identity(ANYTHING)
        yield Stand(
            cloud.port, cloud.root_ca, connect_packet, limits=Limits(), identity=identity, folder=folder
        )


@contextlib.asynccontextmanager
async def azure(folder: Path) -> AsyncIterator[Stand]:
    cloud = Azure(folder / "state")
    keys = {name: cloud.hub.create_device(name).keys[0] for name in DEVICES}

    def connect(device: str, **options: Any) -> bytes:
        user = f"localhost/{device}/?api-version=2021-04-12"
        password = make(f"localhost/devices/{device}", keys[device], time.time() + 3600)
        return connect_packet(device, user=user, password=password, **options)

    def heard() -> list[tuple[bytes, dict[str, Any]]]:
        return [(one.payload, dict(one.properties)) for one in cloud.hub.telemetry]

    await cloud.start()
    try:
        topics = "devices/{}/messages/events/", "devices/lamp/messages/devicebound/#"
        yield Stand(cloud.port, cloud.root_pem, connect, *topics, heard, cloud.limits)
    finally:
        await cloud.stop()


@contextlib.asynccontextmanager
async def clearblade(folder: Path) -> AsyncIterator[Stand]:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    async with ClearBlade(folder / "state") as cloud:
        devices = [cloud.create_device(name, pem.decode()) for name in DEVICES]

        def connect(device: str, **options: Any) -> bytes:
            claims = {"iat": time.time(), "exp": time.time() + 3600, "aud": "project"}
            password = jwt.encode(claims, key, "ES256")
            return connect_packet(cloud.client_id(device), user="unused", password=password, **options)

        def heard() -> list[tuple[bytes, dict[str, Any]]]:
            return [(payload, {}) for device in devices for _, payload in device.events]

        topics = "/devices/{}/events", "/devices/lamp/config"
        yield Stand(cloud.port, cloud.root_pem, connect, *topics, heard, cloud.limits)


@contextlib.asynccontextmanager
async def alibaba(folder: Path) -> AsyncIterator[Stand]:
    async with Alibaba(folder / "state") as cloud:
        devices = {name: cloud.create_device("pk", name) for name in DEVICES}

        def connect(device: str, **options: Any) -> bytes:
            content = SignIn(device, {}, device, "pk").content()
            password = sign(content, devices[device].secret, "hmacsha256")
            client_id = f"{device}|securemode=2,signmethod=hmacsha256|"
            return connect_packet(client_id, user=f"{device}&pk", password=password, **options)

        def heard() -> list[tuple[bytes, dict[str, Any]]]:
            return [(payload, {}) for device in devices.values() for _, payload in device.messages]

        topics = "/pk/{}/user/update", "/pk/lamp/user/get"
        yield Stand(cloud.port, cloud.root_pem, connect, *topics, heard, cloud.limits)


@contextlib.asynccontextmanager
async def mqtt(folder: Path) -> AsyncIterator[Stand]:
    if mosquitto.find() is None:
        pytest.skip("mosquitto is not installed: on Debian and Ubuntu, apt install mosquitto")
    async with Broker(folder / "broker", dict.fromkeys(DEVICES, "secret")) as broker:

        def connect(device: str, **options: Any) -> bytes:
            return connect_packet(device, user=device, password="secret", **options)

        yield Stand(broker.port, broker.root_pem, connect)


STANDS = {"aws": aws, "azure": azure, "clearblade": clearblade, "alibaba": alibaba, "mqtt": mqtt}
