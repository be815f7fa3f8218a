"""Updates whose file comes over MQTT: lost blocks, cuts, streams that are not there; AWS's own OTA jobs."""

import base64
from typing import Any

import pytest

from tests.patience import PATIENCE_S, until
from tests.system.house import START_S, House
from tests.system.test_jobs import NAME, create, details, reaches
from tests.system.test_update import QUIET, Publisher, version_of
from tools.cloud.misbehaviour import Misbehaviour
from tools.release.manifest import Manifest
from tools.sim.packed import deployed

DATA = "$aws/things/+/streams/+/data/json"
ROLE = "arn:aws:iam::123456789012:role/releases"
URL = "${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/releases/file}"


class OverMqtt(Publisher):
    """Publishes files as streams, of a product that takes AWS's own jobs, too, unless told otherwise."""

    takes_afr = True

    def texts(self, *arguments: Any, **options: Any) -> dict[str, str]:
        made = super().texts(*arguments, **options)
        made["firmware/settings.py"] += f"UPDATE_AFR = {self.takes_afr}\n"
        return made

    def stream(self, name: str, data: bytes) -> dict[str, Any]:
        """One with this file alone."""
        self.house.cloud.s3.objects.put("releases", name, data)
        place = {"fileId": 3, "s3Location": {"bucket": "releases", "key": name}}
        self.house.cloud.streams.create_stream(streamId=name, files=[place], roleArn=ROLE)
        return {"id": name, "file": 3}

    def pack(self, version: str, app: str = QUIET) -> bytes:
        return deployed(self.texts(app.format(version), version))["/firmware.pack"]

    def publish_stream(self, job_id: str, version: str, **stream: Any) -> Manifest:
        document = {"url": None, "stream": stream or self.stream(job_id, self.pack(version))}
        return self.publish(job_id, version, document=document)

    def publish_afr(self, job_id: str, data: bytes, **changes: Any) -> None:
        """As CreateOTAUpdate makes a job; `changes` of its only file."""
        self.house.cloud.s3.objects.put("releases", "file", data)
        der = self.key.sign_bytes(data)
        file = {"filepath": "/firmware.pack", "filesize": len(data), "certfile": "/cert"}
        file |= {"fileid": 3, "sig-sha256-ecdsa": base64.b64encode(der).decode()} | changes
        protocol = "HTTP" if "update_data_url" in changes else "MQTT"
        stream = {"streamname": self.stream(job_id, data)["id"]} if protocol == "MQTT" else {}
        create(self.house, job_id, {"afr_ota": {"protocols": [protocol], "files": [file], **stream}})


async def test_an_update_over_mqtt_is_installed_tried_and_kept(house: House) -> None:
    publisher = OverMqtt(house)
    device = await publisher.device()
    manifest = publisher.publish_stream("u-1", "2.0")
    await device.expect(rf"I update: version 2.0: 0 of {manifest.size} bytes are there", PATIENCE_S)
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
    publisher.publish_stream("u-1", "2.0")
    await device.expect("update: asks again for what is missing", PATIENCE_S)
    await reaches(house, "u-1", "SUCCEEDED")
    assert await version_of(device) == "2.0"


@pytest.mark.parametrize(("what", "there"), [("the power", 32_768), ("the connection", 49_152)])
async def test_what_is_cut_goes_on_where_it_stood(house: House, what: str, there: int) -> None:
    """Flash has all that was written once its file is closed, and each 32 KiB before."""
    publisher = OverMqtt(house)
    device = await publisher.device()
    rules = house.cloud.gate.rules
    rules.append(late := Misbehaviour("late", DATA, seconds=0.2, times=1000))
    publisher.publish_stream("u-1", "2.0")
    await until(lambda: late.times == 1000 - 28, "28 blocks, the first 24 of which the device has")
    if what == "the power":
        await device.power_off()
        await device.power_on()
    else:
        house.cloud.connections.delete_connection(clientId=NAME)
        await device.expect("not all has come: OSError: stream: ", PATIENCE_S)
    rules.clear()
    await device.expect(rf"update: version 2.0: {there} of \d+ bytes are there", PATIENCE_S)
    await reaches(house, "u-1", "SUCCEEDED")
    assert await version_of(device) == "2.0"


async def test_what_will_never_come_ends_the_job_with_its_reason(house: House) -> None:
    publisher = OverMqtt(house)
    device = await publisher.device()
    publisher.publish_stream("none", "2.0", id="no-such-stream", file=0)
    await reaches(house, "none", "FAILED")
    assert details(house, "none")["message"] == "stream: ResourceNotFound"
    changed = publisher.stream("changed", publisher.pack("2.0"))
    house.cloud.s3.objects.put("releases", "changed", b"another")
    publisher.publish_stream("changed", "2.0", **changed)
    await reaches(house, "changed", "FAILED")
    assert details(house, "changed")["message"] == "stream: ETagMismatch"
    publisher.publish_stream("wrong", "2.0", id="a/b", file=0)
    await reaches(house, "wrong", "REJECTED")
    house.cloud.gate.rules.append(Misbehaviour("garbled", DATA, times=1))
    publisher.publish_stream("garbled", "2.0")
    await reaches(house, "garbled", "FAILED")
    assert "(arbitrary software)" in details(house, "garbled")["message"]
    assert await version_of(device) == "1.0"


@pytest.mark.parametrize("more", [{}, {"update_data_url": URL, "auth_scheme": "aws.s3.presigned"}])
async def test_a_job_of_aws_s_own_is_an_update_where_its_file_is_signed(
    house: House, more: dict[str, str]
) -> None:
    publisher = OverMqtt(house)
    device = await publisher.device()
    data = publisher.pack("2.0")
    other = base64.b64encode(publisher.key.sign_bytes(data[:-1])).decode()
    publisher.publish_afr("AFR_OTA-other", data, **more, **{"sig-sha256-ecdsa": other})
    await reaches(house, "AFR_OTA-other", "FAILED")
    assert "0 of 1 signatures by root 1, of the file" in details(house, "AFR_OTA-other")["message"]
    publisher.publish_afr("AFR_OTA-image", data, filepath="/firmware.bin", **more)
    await reaches(house, "AFR_OTA-image", "REJECTED")
    assert await version_of(device) == "1.0"
    publisher.publish_afr("AFR_OTA-good", data, **more)
    await device.expect("W update: afr-[0-9a-f]{28} is signed as a file alone", PATIENCE_S)
    await device.expect("app: 2.0", START_S)
    await reaches(house, "AFR_OTA-good", "SUCCEEDED")
    assert await version_of(device) == "2.0"
    assert not [line for line in device.lines if "X-Amz" in line], "a URL that anybody can use"


async def test_a_job_of_aws_s_own_that_is_no_good_goes_back_and_is_not_tried_again(house: House) -> None:
    publisher = OverMqtt(house)
    device = await publisher.device()
    data = publisher.pack("2.0", QUIET + "        raise ValueError('pear')\n")
    whys = ("the application: ValueError: pear", "failed here before")
    for job_id, why in zip(("AFR_OTA-1", "AFR_OTA-2"), whys, strict=True):
        publisher.publish_afr(job_id, data)
        await reaches(house, job_id, "FAILED")
        assert why in details(house, job_id)["message"]
        assert await version_of(device) == "1.0"


async def test_a_product_that_has_not_asked_for_them_takes_no_jobs_of_aws_s_own(house: House) -> None:
    publisher = OverMqtt(house)
    publisher.takes_afr = False
    device = await publisher.device()
    publisher.publish_afr("AFR_OTA-1", publisher.pack("2.0"))
    await reaches(house, "AFR_OTA-1", "FAILED")
    assert "UPDATE_AFR" in details(house, "AFR_OTA-1")["message"]
    assert not [line for line in device.lines if "bytes are there" in line]
    assert await version_of(device) == "1.0"
