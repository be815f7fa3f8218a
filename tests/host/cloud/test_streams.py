"""Files over MQTT: what a device is given of a stream, and which requests are refused how."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.cloud.support import Bench, Peer, bench, policy, publish_packet
from tools.cloud.errors import (
    AwsError,
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from tools.cloud.misbehaviour import Misbehaviour
from tools.cloud.streams import request

BASE = "$aws/things/lamp/streams/release"
DATA = bytes(range(256)) * 9 + b"the end"  # 2311 bytes: ten blocks of 256, the last one short
ROLE = "arn:aws:iam::123456789012:role/reads-releases"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        running.cloud.s3.objects.create_bucket("releases")
        running.cloud.s3.objects.put("releases", "firmware.pack", DATA)
        create(running, "release", 0, 7)
        yield running


def create(cloud: Bench, name: str, *numbers: int, key: str = "firmware.pack") -> dict[str, Any]:
    files = [{"fileId": one, "s3Location": {"bucket": "releases", "key": key}} for one in numbers]
    return cloud.cloud.streams.create_stream(streamId=name, files=files, roleArn=ROLE)


async def device(cloud: Bench) -> Peer:
    peer = await cloud.client("lamp")
    for name in ("data", "rejected", "description"):
        await peer.subscribe(f"{BASE}/{name}/json")
    return peer


async def ask(peer: Peer, asked: Any, operation: str = "get") -> None:
    payload = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    await peer.publish(f"{BASE}/{operation}/json", payload)


async def answer(peer: Peer) -> tuple[str, dict[str, Any]]:
    message = await peer.message()
    return message.topic.split("/")[5], json.loads(message.payload)


async def test_a_file_comes_whole_in_its_blocks(cloud: Bench) -> None:
    peer = await device(cloud)
    await ask(peer, {"c": "it", "s": 1, "f": 7, "l": 256, "o": 2, "n": 8})
    for number in range(2, 10):
        block = DATA[number * 256 :][:256]
        told = {"c": "it", "f": 7, "l": len(block), "i": number, "p": base64.b64encode(block).decode()}
        assert await answer(peer) == ("data", told)
    await peer.nothing_more()


async def test_a_bitmap_names_the_blocks_as_in_the_guide(cloud: Bench) -> None:
    cloud.cloud.s3.objects.put("releases", "long", bytes(256 * 44))
    create(cloud, "guide", 1, key="long")
    peer = await cloud.client("lamp")
    await peer.subscribe("$aws/things/lamp/streams/guide/data/json")
    asked = b'{"c": "1", "s": 1, "l": 256, "f": 1, "o": 20, "n": 32, "b": "0x130080"}'
    await peer.publish("$aws/things/lamp/streams/guide/get/json", asked)
    assert [(await answer(peer))[1]["i"] for _ in range(4)] == [20, 21, 24, 43]
    await peer.nothing_more()


async def test_a_description_tells_version_and_sizes(cloud: Bench) -> None:
    peer = await device(cloud)
    await ask(peer, {"c": "ü"}, "describe")
    sizes = [{"f": 0, "z": len(DATA)}, {"f": 7, "z": len(DATA)}]
    assert await answer(peer) == ("description", {"c": "ü", "s": 1, "r": sizes})
    cloud.cloud.streams.update_stream(streamId="release", description="the second")
    await ask(peer, {}, "describe")
    assert await answer(peer) == ("description", {"s": 2, "d": "the second", "r": sizes})


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (b"", "InvalidJson"),
        (b"\xff", "InvalidJson"),
        (b"[]", "InvalidJson"),
        (b'{"f": 0, "f": 0, "l": 256}', "InvalidJson"),
        (b"[" * 100_000, "InvalidJson"),
        ({"l": 256}, "InvalidRequest"),
        ({"f": 0}, "InvalidRequest"),
        ({"f": "0", "l": 256}, "InvalidRequest"),
        ({"f": True, "l": 256}, "InvalidRequest"),
        ({"f": 0.5, "l": 256}, "InvalidRequest"),
        ({"f": 256, "l": 256}, "InvalidRequest"),
        ({"f": 0, "l": 256, "b": "0x"}, "InvalidRequest"),
        ({"f": 0, "l": 256, "b": "130"}, "InvalidRequest"),
        ({"f": 0, "l": 256, "b": 3}, "InvalidRequest"),
        ({"f": 0, "l": 255}, "BlockSizeOutOfBounds"),
        ({"f": 0, "l": 131_073}, "BlockSizeOutOfBounds"),
        ({"f": 0, "l": 256, "o": -1}, "OffsetOutOfBounds"),
        ({"f": 0, "l": 256, "o": 98_305}, "OffsetOutOfBounds"),
        ({"f": 0, "l": 256, "n": 98_305}, "BlockCountLimitExceeded"),
        ({"f": 0, "l": 256, "n": -1}, "BlockCountLimitExceeded"),
        ({"f": 0, "l": 256, "n": 1, "b": "00" * 12_288}, "BlockBitmapLimitExceeded"),
        ({"f": 1, "l": 256, "n": 1}, "ResourceNotFound"),
        ({"f": 0, "l": 256, "o": 10, "n": 1}, "ResourceNotFound"),
        ({"f": 0, "l": 256, "n": 11}, "ResourceNotFound"),
        ({"f": 0, "l": 256}, "ResourceNotFound"),  # of its default 512 blocks the file has ten
        ({"f": 0, "l": 256, "s": 2, "n": 1}, "VersionMismatch"),
    ],
)
async def test_what_is_refused(cloud: Bench, asked: Any, code: str) -> None:
    peer = await device(cloud)
    await ask(peer, {"c": "mine"} | asked if isinstance(asked, dict) else asked)
    verdict, told = await answer(peer)
    assert (verdict, told["o"], told.get("c")) == (
        "rejected",
        code,
        "mine" if isinstance(asked, dict) else None,
    )
    assert told["m"]
    await peer.nothing_more()
    assert (await cloud.event("rejected")).reason == code


async def test_a_token_that_cannot_be_does_not_come_back(cloud: Bench) -> None:
    peer = await device(cloud)
    for token in ("t" * 65, 7):
        await ask(peer, {"c": token, "f": 0, "l": 256, "n": 1})
        verdict, told = await answer(peer)
        assert (verdict, told["o"], "c" in told) == ("rejected", "InvalidRequest", False)


async def test_a_file_that_has_changed_or_gone_is_not_sent(cloud: Bench) -> None:
    peer = await device(cloud)
    cloud.cloud.s3.objects.put("releases", "firmware.pack", DATA[::-1])
    await ask(peer, {"f": 0, "l": 256, "n": 1})
    assert (await answer(peer))[1]["o"] == "ETagMismatch"
    cloud.cloud.streams.update_stream(
        streamId="release",
        files=[{"fileId": 0, "s3Location": {"bucket": "releases", "key": "firmware.pack"}}],
    )
    await ask(peer, {"f": 0, "l": 256, "n": 1, "s": 2})
    assert (await answer(peer))[0] == "data"
    for file in (cloud._folder / "state/s3/releases").iterdir():
        file.unlink()
    await ask(peer, {"f": 0, "l": 256, "n": 1})
    assert (await answer(peer))[1]["o"] == "ResourceNotFound"
    cloud.cloud.streams.delete_stream(streamId="release")
    await ask(peer, {"f": 0, "l": 256, "n": 1})
    assert (await answer(peer))[1]["o"] == "ResourceNotFound"


async def test_one_request_brings_128_kb_at_the_most(cloud: Bench) -> None:
    cloud.cloud.s3.objects.put("releases", "large", bytes(500_000))
    create(cloud, "large", 0, key="large")
    peer = await cloud.client("lamp")
    await peer.subscribe("$aws/things/lamp/streams/large/data/json", 0)
    await peer.publish("$aws/things/lamp/streams/large/get/json", b'{"f": 0, "l": 60000, "n": 8}')
    assert [(await answer(peer))[1]["i"] for _ in range(2)] == [0, 1]
    await peer.nothing_more()


async def test_another_thing_s_stream_is_its_policy_s(cloud: Bench) -> None:
    own = cloud.cloud.registry.arn("topic/$aws/things/lamp/*")
    identity = cloud.cloud.create_identity(
        policy(("Allow", "iot:Connect", "*"), ("Allow", ["iot:Publish"], own))
    )
    peer = await cloud.client("lamp", identity)
    await peer.publish(f"{BASE}/get/json", b"{}")
    peer.send(publish_packet("$aws/things/other/streams/release/get/json", b"{}"))
    await peer.closed()
    assert "iot:Publish" in (await cloud.event("disconnected")).detail


@pytest.mark.parametrize("form", ["cbor", "xml", "json/more"])
async def test_other_forms_are_not_served(cloud: Bench, form: str) -> None:
    peer = await cloud.client("lamp")
    peer.send(publish_packet(f"{BASE}/get/{form}", b"{}"))
    await peer.closed()
    assert "not served here" in (await cloud.event("disconnected")).detail


async def test_a_cloud_that_misbehaves(cloud: Bench) -> None:
    """Blocks are lost, changed, said twice, or asked for in vain."""
    rules = cloud.cloud.gate.rules
    for kind, times in (("never", 1), ("garbled", 1), ("twice", 1)):
        rules.append(Misbehaviour(kind, "streams", times=times))
    peer = await device(cloud)
    await ask(peer, {"f": 0, "l": 256, "n": 4})
    got = [(await answer(peer))[1] for _ in range(4)]
    assert [one["i"] for one in got] == [1, 2, 2, 3]
    said = [base64.b64decode(one["p"]) for one in got]
    assert len(said[0]) == 256 and said[0] != DATA[256:512] and said[1] == said[2] == DATA[512:768]
    rules[:] = [Misbehaviour("refusing", "streams", times=1)]
    await ask(peer, {"c": "mine", "f": 0, "l": 256, "n": 1})
    failed = {"o": "InternalError", "m": "Internal service failure", "c": "mine"}
    assert await answer(peer) == ("rejected", failed)


async def test_streams_outlive_the_cloud(tmp_path: Path) -> None:
    async with bench(tmp_path) as first:
        first.cloud.s3.objects.create_bucket("releases")
        first.cloud.s3.objects.put("releases", "firmware.pack", DATA)
        create(first, "release", 0)
    async with bench(tmp_path) as second:
        peer = await device(second)
        await ask(peer, {"f": 0, "l": 4096, "n": 1})
        assert base64.b64decode((await answer(peer))[1]["p"]) == DATA


async def test_definitions_are_checked(cloud: Bench) -> None:
    def refused(kind: type[AwsError], **changes: Any) -> None:
        place = {"bucket": "releases", "key": "firmware.pack"}
        whole: dict[str, Any] = {"streamId": "new", "roleArn": ROLE}
        whole["files"] = [{"fileId": 0, "s3Location": place}]
        with pytest.raises(kind):
            cloud.cloud.streams.create_stream(**(whole | changes))

    here = {"bucket": "releases", "key": "firmware.pack"}
    refused(ResourceAlreadyExistsException, streamId="release")
    refused(InvalidRequestException, streamId="a/b")
    refused(InvalidRequestException, description="a\nb")
    refused(InvalidRequestException, files=[])
    refused(InvalidRequestException, files=[{"s3Location": here}])
    refused(InvalidRequestException, files=[{"fileId": 256, "s3Location": here}])
    refused(InvalidRequestException, files=[{"fileId": 0, "s3Location": here}] * 2)
    refused(InvalidRequestException, files=[{"fileId": 0, "s3Location": here | {"key": "none"}}])
    refused(InvalidRequestException, files=[{"fileId": 0, "s3Location": here | {"bucket": "none"}}])
    refused(InvalidRequestException, files=[{"fileId": 0, "s3Location": here | {"version": "1"}}])
    refused(InvalidRequestException, files=[{"fileId": 0}])
    with pytest.raises(ResourceNotFoundException):
        cloud.cloud.streams.update_stream(streamId="none")


@given(
    size=st.integers(256, 131_072),
    offset=st.none() | st.integers(0, 98_304),
    count=st.none() | st.integers(0, 98_304),
    bits=st.none() | st.sets(st.integers(0, 2000), max_size=600),
    prefix=st.sampled_from(["", "0x"]),
)
def test_any_request_means_what_the_guide_says(
    size: int, offset: int | None, count: int | None, bits: set[int] | None, prefix: str
) -> None:
    asked: dict[str, Any] = {"f": 0, "l": size, "o": offset, "n": count}
    numbers: Any = range(98_305)
    if bits is not None:
        value = sum(1 << bit for bit in bits)
        asked["b"] = prefix + value.to_bytes((value.bit_length() + 7) // 8 or 1, "little").hex()
        numbers = sorted(bits)
    most = 131_072 // size if count is None else min(count, 131_072 // size)
    found = request.wanted(asked)
    assert found.blocks == [(offset or 0) + number for number in numbers[:most]]
    assert sum(found.size for _ in found.blocks) <= 131_072


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_whatever_comes_is_a_request_or_is_refused(payload: bytes) -> None:
    try:
        asked = request.read(payload)
        request.client_token(asked)
        request.wanted(asked)
    except request.Refused as error:
        assert error.code.isalpha()
