"""Updates whose file comes over MQTT: lost blocks, cuts of power, streams that are not there; AWS's own jobs."""

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.signers import Signer
from tests.system.house import House, changes
from tests.system.test_faults import cut
from tests.system.test_jobs import NAME, create, details, execution, reaches
from tests.system.test_update import QUIET, Publisher, version_of
from tools.cloud.misbehaviour import Misbehaviour
from tools.release import job
from tools.sim import Device
from tools.sim.packed import deployed

DATA = "$aws/things/+/streams/+/data/json"
ROLE = "arn:aws:iam::123456789012:role/releases"


class OverMqtt(Publisher):
    """Publishes files as streams."""

    def stream(self, job_id: str) -> dict[str, Any]:
        """A stream of the file that will be put there for a job."""
        s3, key = self.house.cloud.s3.objects, f"{job_id}.pack"
        place = {"fileId": 3, "s3Location": {"bucket": "releases", "key": key}}
        s3.put("releases", key, b"to come")
        self.house.cloud.streams.create_stream(streamId=job_id, files=[place], roleArn=ROLE)
        return {"id": job_id, "file": 3}

    def publish(self, job_id: str, version: str, app: str | None = QUIET, **options: Any) -> Any:
        stream = options.pop("stream", None) or self.stream(job_id)
        options["document"] = {"stream": stream, "url": None} | options.pop("document", {})
        made = super().publish(job_id, version, app, **options)
        if stream["id"] == job_id:
            place = {"fileId": 3, "s3Location": {"bucket": "releases", "key": f"{job_id}.pack"}}
            self.house.cloud.streams.update_stream(streamId=job_id, files=[place])
        return made


async def test_an_update_over_mqtt_is_installed_tried_and_kept(house: House) -> None:
    publisher = OverMqtt(house)
    device = await publisher.device()
    publisher.publish("u-1", "2.0")
    await reaches(house, "u-1", "SUCCEEDED")
    assert await version_of(device) == "2.0"
    assert not [line for line in device.lines if "missing" in line]


async def test_lost_doubled_and_mixed_blocks_do_no_harm(house: House) -> None:
    publisher = OverMqtt(house)
    device = await publisher.device()
    house.cloud.gate.rules += [
        Misbehaviour("never", DATA, times=3),
        Misbehaviour("twice", DATA, times=3),
        Misbehaviour("out-of-order", DATA, seconds=0.5),
    ]
    publisher.publish("u-1", "2.0")
    await device.expect("update: asks again for what is missing")
    await reaches(house, "u-1", "SUCCEEDED")
    assert await version_of(device) == "2.0"


async def test_a_changed_byte_is_found_by_the_hash(house: House) -> None:
    publisher = OverMqtt(house)
    device = await publisher.device()
    house.cloud.gate.rules.append(Misbehaviour("garbled", DATA, times=1))
    publisher.publish("u-1", "2.0")
    await reaches(house, "u-1", "FAILED")
    assert "arbitrary software" in details(house, "u-1")["message"]
    assert await version_of(device) == "1.0"
