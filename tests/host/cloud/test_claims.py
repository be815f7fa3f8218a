"""Claims that last minutes, through MQTT."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.cloud.support import DEADLINE_S, Bench, Clock, Peer, bench, publish_packet
from tools.cloud import errors, fleet

ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, clock=clock) as running:
        registry = running.cloud.registry
        for name in ("mine", "other"):
            body = fleet.template_body(registry.arn)
            registry.create_provisioning_template(
                templateName=name, templateBody=body, provisioningRoleArn=ROLE, enabled=True
            )
        yield running


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def claim(cloud: Bench) -> tuple[str, str]:
    made = cloud.cloud.registry.create_provisioning_claim(templateName="mine")
    return made["certificatePem"], made["keyPair"]["PrivateKey"]


async def ask(peer: Peer, topic: str, payload: dict[str, Any]) -> dict[str, Any]:
    await peer.subscribe(f"{topic}/accepted")
    await peer.publish(topic, json.dumps(payload).encode())
    return json.loads((await peer.message()).payload)


@pytest.mark.parametrize("own_key", [False, True])
async def test_it_provisions_by_its_template(cloud: Bench, own_key: bool) -> None:
    peer = await cloud.client("serial-1", claim(cloud))
    if own_key:
        csr = {"certificateSigningRequest": signing_request()}
        made = await ask(peer, "$aws/certificates/create-from-csr/json", csr)
    else:
        made = await ask(peer, "$aws/certificates/create/json", {})
    token = {"certificateOwnershipToken": made["certificateOwnershipToken"]}
    request = token | {"parameters": {"SerialNumber": "lamp-1"}}
    done = await ask(peer, "$aws/provisioning-templates/mine/provision/json", request)
    assert done["thingName"] == "lamp-1"
    principals = cloud.cloud.registry.list_thing_principals(thingName="lamp-1")["principals"]
    assert principals == [cloud.cloud.registry.arn(f"cert/{made['certificateId']}")]


@pytest.mark.parametrize(
    "topic",
    ["$aws/provisioning-templates/other/provision/json", "telemetry/lamp", "$aws/things/a/shadow/get"],
)
async def test_it_does_nothing_else(cloud: Bench, topic: str) -> None:
    peer = await cloud.client("serial-1", claim(cloud))
    peer.send(publish_packet(topic, b"{}"))
    await peer.closed()


async def test_it_ends_after_five_minutes(cloud: Bench, clock: Clock) -> None:
    registry = cloud.cloud.registry
    made = registry.create_provisioning_claim(templateName="mine")
    assert made["expiration"] == clock.now_s + 300
    identity = made["certificatePem"], made["keyPair"]["PrivateKey"]
    peer = await cloud.client("serial-1", identity)
    clock.now_s += 299
    late = await cloud.client("serial-2", identity)
    clock.now_s += 1
    await peer.closed()
    await late.closed()
    async with asyncio.timeout(DEADLINE_S):
        while registry.list_certificates()["certificates"]:
            await asyncio.sleep(0.01)
    with pytest.raises(errors.ResourceNotFoundException):
        registry.describe_certificate(certificateId=made["certificateId"])
    refused = await cloud.open(identity)
    await refused.closed()


async def test_it_ends_with_its_template(cloud: Bench) -> None:
    peer = await cloud.client("serial-1", claim(cloud))
    cloud.cloud.registry.delete_provisioning_template(templateName="mine")
    await peer.closed()
    assert cloud.cloud.registry.list_certificates() == {"certificates": []}


async def test_no_template_no_claim(cloud: Bench) -> None:
    with pytest.raises(errors.ResourceNotFoundException, match="template nothing"):
        cloud.cloud.registry.create_provisioning_claim(templateName="nothing")
