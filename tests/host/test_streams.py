"""The device's reader of files over MQTT against the local cloud, as it should be and as it should not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from iot import events, memory
from iot.ota import streams

from tests.host.cloud.support import ANYTHING
from tools.bench.streams import client_context, device_client, opener
from tools.cloud import Cloud
from tools.cloud.misbehaviour import Misbehaviour

FILE = bytes(range(256)) * 385 + b"the end"  # as large as a pack may be
ROLE = "arn:aws:iam::123456789012:role/reads-releases"


class House:
    """A cloud with a stream, and a device that is connected to it."""

    def __init__(self, cloud: Cloud, line: Any) -> None:
        self.cloud = cloud
        self.rules = cloud.gate.rules
        self.line = line

    async def get(self, start: int = 0, size: int = len(FILE), name: str = "release") -> bytes:
        got = bytearray()
        await streams.get(self.line, (name, 0), start, size, bytearray(8192), got.extend)
        return bytes(got)

    def put(self, data: bytes) -> None:
        self.cloud.s3.objects.put("releases", "firmware.pack", data)


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(memory, "_STAYING", [])
    monkeypatch.setattr(streams, "keep", lambda name: None)
    monkeypatch.setattr(streams, "within", events.within)  # of which tests/unit makes a quicker one
    async with Cloud(tmp_path / "state") as cloud:
        cloud.s3.objects.create_bucket("releases")
        cloud.s3.objects.put("releases", "firmware.pack", FILE)
        files = [{"fileId": 0, "s3Location": {"bucket": "releases", "key": "firmware.pack"}}]
        cloud.streams.create_stream(streamId="release", files=files, roleArn=ROLE)
        context = client_context(cloud.root_ca, cloud.create_identity(ANYTHING), tmp_path)
        client = device_client("lamp", opener("localhost", cloud.port, context), packet_limit=3072)
        await client.connect()
        yield House(cloud, SimpleNamespace(client=client, prefix="$aws/things/lamp/"))
        await client.disconnect()


async def test_a_file_comes_whole_and_from_any_byte_on(house: House) -> None:
    for start in (0, 1, 70_001, len(FILE) - 1):
        assert await house.get(start) == FILE[start:]
    assert house.line.client.inbox.counts == dict.fromkeys(house.line.client.inbox.counts, 0)


async def test_a_cloud_that_loses_doubles_and_mixes_blocks(house: House) -> None:
    data = "$aws/things/+/streams/+/data/json"
    house.rules += [
        Misbehaviour("never", data, times=2),
        Misbehaviour("twice", data, times=3),
        Misbehaviour("out-of-order", data, seconds=0.2),
    ]
    assert await house.get() == FILE


async def test_a_cloud_that_fails_for_a_moment(house: House) -> None:
    house.rules += [Misbehaviour(kind, "streams", times=1) for kind in ("refusing", "throttling")]
    assert await house.get(90_000) == FILE[90_000:]


async def test_changed_bytes_come_as_they_are_and_the_hash_will_tell(
    house: House,
) -> None:
    house.rules.append(Misbehaviour("garbled", "streams", times=1))
    got = await house.get()
    assert len(got) == len(FILE) and got != FILE


async def test_what_will_never_come_is_told_at_once(house: House) -> None:
    with pytest.raises(ValueError, match=r"^stream: ResourceNotFound$"):
        await house.get(name="none")
    with pytest.raises(ValueError, match=r"^stream: ResourceNotFound$"):
        await house.get(len(FILE), len(FILE) + 2048)
    house.put(FILE[::-1])
    with pytest.raises(ValueError, match=r"^stream: ETagMismatch$"):
        await house.get()


async def test_a_connection_that_ends_in_between_is_no_harm_where_it_comes_back(house: House) -> None:
    client = house.line.client
    running = asyncio.create_task(client.run())
    cut = False

    def take(view: memoryview) -> None:
        nonlocal cut
        got.extend(view)
        if len(got) > 30_000 and not cut:
            cut = True
            client.connection._stream.transport.abort()

    got = bytearray()
    await streams.get(house.line, ("release", 0), 0, len(FILE), bytearray(8192), take)
    assert got == FILE and cut
    await client.disconnect()
    await running
