"""A stream that boto3 makes, read whole by a paho client with a thing's certificate and policy."""

import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.patience import block_until
from tests.peers import boto
from tests.peers.cloud_thread import CloudThread
from tests.peers.test_paho import Client
from tools.cloud import fleet

THING = "esp32-240ac4000001"
BASE = f"$aws/things/{THING}/streams/release-1"
DATA = bytes(range(256)) * 380 + b"the end"
ROLE = "arn:aws:iam::123456789012:role/reads-releases"
BLOCK = 2048


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudThread]:
    with CloudThread(tmp_path, rest_port=0) as running:
        yield running


@pytest.fixture
def iot(cloud: CloudThread) -> Any:
    url = cloud.call(lambda it: it.rest_url).replace("localhost", "127.0.0.1")
    s3 = boto.client("s3", url)
    s3.create_bucket(Bucket="releases")
    s3.put_object(Bucket="releases", Key="esp32-iot/firmware.pack", Body=DATA)
    return boto.client("iot", url)


def files(key: str = "esp32-iot/firmware.pack") -> list[dict[str, Any]]:
    return [{"fileId": 0, "s3Location": {"bucket": "releases", "key": key}}]


def thing(cloud: CloudThread, iot: Any) -> Client:
    """As the product's template makes it."""
    arn = cloud.call(lambda it: it.registry.arn)
    body = json.loads(fleet.template_body(arn))["Resources"]["policy"]["Properties"]["PolicyDocument"]
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.create_thing(thingName=THING)
    iot.attach_thing_principal(thingName=THING, principal=made["certificateArn"])
    iot.create_policy(policyName="things", policyDocument=body)
    iot.attach_policy(policyName="things", target=made["certificateArn"])
    files = cloud.write(THING, made["certificatePem"], made["keyPair"]["PrivateKey"])
    return Client(cloud, THING, files).connect()


def test_a_thing_reads_a_file_whole(cloud: CloudThread, iot: Any) -> None:
    made = iot.create_stream(
        streamId="release-1", description="1.4.0", roleArn=ROLE, files=files(), tags=[{"Key": "a"}]
    )
    assert (made["streamVersion"], made["streamArn"].split(":", 5)[5]) == (1, "stream/release-1")
    device = thing(cloud, iot)
    for name in ("data", "rejected", "description"):
        device.subscribe(f"{BASE}/{name}/json", 1)
    device.publish(f"{BASE}/describe/json", b'{"c": "d"}', 0)
    block_until(partial(device.has, 1), "the description")
    told = json.loads(device.messages.pop().payload)
    assert told == {"c": "d", "s": 1, "d": "1.4.0", "r": [{"f": 0, "z": len(DATA)}]}

    missing = set(range((len(DATA) + BLOCK - 1) // BLOCK))
    blocks: dict[int, bytes] = {}
    while missing:
        first = min(missing)
        wanted = [number for number in sorted(missing) if number < first + 16][:4]
        bits = sum(1 << (number - first) for number in wanted)
        asked = {"c": "g", "s": 1, "f": 0, "l": BLOCK, "o": first, "b": bits.to_bytes(2, "little").hex()}
        device.publish(f"{BASE}/get/json", json.dumps(asked).encode(), 0)
        block_until(partial(device.has, len(wanted)), f"the blocks {wanted}")
        for message in device.messages:
            assert (message.topic, len(message.payload) < 3000) == (f"{BASE}/data/json", True)
            got = json.loads(message.payload)
            blocks[got["i"]] = base64.b64decode(got["p"], validate=True)
            assert (got["c"], got["f"], got["l"]) == ("g", 0, len(blocks[got["i"]]))
        device.messages.clear()
        missing -= blocks.keys()
    assert b"".join(blocks[number] for number in sorted(blocks)) == DATA
    device.disconnect()


def test_streams_by_boto3(iot: Any) -> None:
    for number in range(3):
        iot.create_stream(streamId=f"s-{number}", roleArn=ROLE, files=files())
    pages = iot.get_paginator("list_streams").paginate(ascendingOrder=True, PaginationConfig={"PageSize": 2})
    assert [one["streamId"] for page in pages for one in page["streams"]] == ["s-0", "s-1", "s-2"]
    assert iot.update_stream(streamId="s-1", description="mended")["streamVersion"] == 2
    info = iot.describe_stream(streamId="s-1")["streamInfo"]
    assert (info["description"], info["files"], info["roleArn"]) == ("mended", files(), ROLE)
    assert info["createdAt"] <= info["lastUpdatedAt"]
    iot.delete_stream(streamId="s-1")
    for call in (iot.describe_stream, iot.delete_stream, iot.update_stream):
        with pytest.raises(iot.exceptions.ResourceNotFoundException):
            call(streamId="s-1")
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_stream(streamId="s-0", roleArn=ROLE, files=files())
    with pytest.raises(ClientError, match="s3://releases/none: The specified key does not exist"):
        iot.create_stream(streamId="s-3", roleArn=ROLE, files=files("none"))
