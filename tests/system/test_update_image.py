"""Updates of the image end to end: by a job, over HTTPS into the other partition, tried by the bootloader."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.images import file_of, image, manifest_of, patch
from tests.patience import PATIENCE_S
from tests.system.house import START_S, House, seen
from tests.system.test_faults import cut
from tests.system.test_jobs import NAME, details, reaches
from tests.system.test_update import Publisher
from tools.cloud.misbehaviour import Misbehaviour
from tools.release import job, signatures
from tools.release.manifest import BLOCK_BYTES, Manifest
from tools.sim import Device
from tools.sim.flash import partition_shim

IMAGE = image()
FILE = file_of(IMAGE)
LISTED = len(FILE) - len(IMAGE)
STEP = 32  # one of so many writes is cut; an image of 50 pages takes some 160
OLD, NEW = "ota_0", "ota_1"
# The same application runs on both images; what it does is another's fault.
APP = """
    import esp32

    async def main(thing):
        label = esp32.Partition(esp32.Partition.RUNNING).info()[4]
        thing.log.info("app", "runs on {{}}, {}", label)
        FAULT
"""
CRASHES = 'if label == "ota_1": raise ValueError("pear")'
RESETS = 'if label == "ota_1": __import__("machine").reset()'


class Images(Publisher):
    """Who makes this product, and images for its devices."""

    async def device(self, version: str = "1.0", app: str = "") -> Device:
        return await super().device(version, APP.replace("FAULT", app or "pass"))

    def publish_image(
        self,
        job_id: str,
        file: bytes = FILE,
        content: bytes | None = None,
        again: bool = False,
        delta: tuple[bytes, bytes] | None = None,
        **members: Any,
    ) -> Manifest:
        """Make a job of it; `members` of the manifest, and `content`, are other than they should be.

        delta: a base, and the patch to it.
        """
        manifest = manifest_of(file, **members)
        text = manifest.text()
        self.house.cloud.s3.objects.put("releases", f"{job_id}.bin", file if content is None else content)
        url = job.url("releases", f"{job_id}.bin", "us-east-1")
        signed = signatures.read([self.key.sign(text.decode())])
        told = json.loads(job.document(text, signed, url, delta=self._told(job_id, delta)))
        if again:
            told["again"] = True
        self.house.cloud.jobs.create_job(
            jobId=job_id,
            targets=[self.house.cloud.registry.arn(f"thing/{NAME}")],
            document=json.dumps(told),
            presignedUrlConfig=job.presigned(),
        )
        return manifest

    def _told(self, job_id: str, delta: tuple[bytes, bytes] | None) -> dict[str, Any] | None:
        if not delta:
            return None
        base, patch = delta
        self.house.cloud.s3.objects.put("releases", f"{job_id}.patch", patch)
        url = job.url("releases", f"{job_id}.patch", "us-east-1")
        return {"base": hashlib.sha256(base).hexdigest(), "size": len(patch), "url": url}


def in_flash(device: Device, label: str) -> bytes:
    return (device.folder / f"{label}.bin").read_bytes()


async def test_an_image_is_installed_tried_and_kept(house: House) -> None:
    images = Images(house)
    device = await images.device()
    assert seen(device, "app: runs on ota_0, 1.0") == 1
    for number, (version, label) in enumerate((("2.0", NEW), ("3.0", OLD))):
        made = image(version=version)
        images.publish_image(f"job{number}", file_of(made), version=version, counter=number + 1)
        await device.expect(rf"I update: version {version}: 0 of \d+ bytes are there", START_S)
        await device.expect(rf"restarting: version {version} is installed", PATIENCE_S)
        await device.expect(f"app: runs on {label}, 1.0", START_S)
        await device.expect(rf"I update: version {version} counts from now on", START_S)
        await reaches(house, f"job{number}", "SUCCEEDED")
        assert in_flash(device, label)[: len(made)] == made
    for _ in range(2):
        await device.power_off()
        await device.power_on()
        await device.expect("app: runs on ota_0, 1.0", START_S)
    images.publish_image("old", counter=1)
    await reaches(house, "old", "FAILED", "SUCCEEDED")
    assert details(house, "old")["message"] == "counter 1: this device has 2 (rollback)"
    images.publish_image("same", file_of(made), version="3.0", counter=2)
    await reaches(house, "same", "SUCCEEDED")
    assert seen(device, "update: it runs already|restarting: it runs already") == 1
    images.publish("app", "1.1", counter=2)  # the other kind, on this image
    await reaches(house, "app", "SUCCEEDED")


@pytest.mark.parametrize(
    ("app", "why"),
    [(CRASHES, "the application: ValueError: pear"), (RESETS, "it did not reach the cloud")],
    ids=["crashes", "resets"],
)
async def test_an_image_that_is_no_good_goes_back(house: House, app: str, why: str) -> None:
    images = Images(house)
    device = await images.device(app=app)
    images.publish_image("bad", counter=7)
    await device.expect("version 2.0 is installed", PATIENCE_S)
    await device.expect("runs on ota_1", PATIENCE_S)
    await device.expect("app: runs on ota_0", PATIENCE_S)
    await reaches(house, "bad", "FAILED", "SUCCEEDED")
    assert details(house, "bad")["message"].startswith(why)
    images.publish_image("bad2", counter=7)
    await reaches(house, "bad2", "FAILED", "SUCCEEDED")
    assert "it has failed here before" in details(house, "bad2")["message"]
    assert seen(device, "version 2.0 is installed") == 1
    images.publish_image("again", counter=7, again=True)
    await reaches(house, "again", "FAILED", "SUCCEEDED")
    assert details(house, "again")["message"].startswith(why)
    assert seen(device, "version 2.0 is installed") == 2
    images.publish("app", "1.1", counter=0)  # the counter has not risen
    await reaches(house, "app", "SUCCEEDED")


async def test_a_server_that_ends_connections_is_gone_on_with_from_the_last_whole_block(house: House) -> None:
    images = Images(house)
    device = await images.device()
    house.cloud.gate.rules.append(Misbehaviour("reset", times=2, amount=150_000))
    images.publish_image("late")
    starts = []
    for _ in range(3):
        line = await device.expect(r"update: version 2.0: (\d+) of \d+ bytes are there", PATIENCE_S)
        starts.append(int(line[1]))
    # What has come, but was not read when the connection was reset, is lost.
    assert starts[0] == 0 and starts == sorted(starts) and starts[2] >= LISTED + BLOCK_BYTES
    assert all((start - LISTED) % BLOCK_BYTES == 0 for start in starts[1:])
    await reaches(house, "late", "SUCCEEDED")


def wrong_block(file: bytes) -> bytes:
    at = LISTED + BLOCK_BYTES + 5
    return file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]


LARGE = file_of(image(0x180000))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"content": wrong_block(FILE)}, "block 1: its hash begins with"),
        ({"content": bytes(LISTED) + IMAGE}, "the list of blocks: its hash begins with"),
        ({"file": LARGE}, "bytes, this board's partition for it 1572864 (wrong software)"),
        ({"file": file_of(image(chip=9))}, "no image for this chip (wrong software)"),
        ({"file": file_of(IMAGE[:-1] + b"!")}, "ESP-IDF does not find an image in it"),
        ({"boards": ("Other with ESP32",)}, "board ['Other with ESP32']: this device has Generic"),
    ],
    ids=["block", "list", "large", "chip", "damaged", "board"],
)
async def test_what_is_refused(house: House, told: dict[str, Any], message: str) -> None:
    images = Images(house)
    device = await images.device()
    images.publish_image("no", **told)
    await reaches(house, "no", "FAILED", "SUCCEEDED")
    assert message in details(house, "no")["message"]
    images.publish_image("yes")
    await reaches(house, "yes", "SUCCEEDED")
    assert seen(device, "version 2.0 is installed") == 1


async def test_a_wrong_block_ends_the_download_when_it_has_come(house: House) -> None:
    images = Images(house)
    device = await images.device()
    images.publish_image("no", content=wrong_block(FILE))
    await reaches(house, "no", "FAILED")
    assert len(in_flash(device, NEW)) == 2 * BLOCK_BYTES


async def test_a_board_without_a_second_slot(house: House) -> None:
    images = Images(house)
    make: Callable[..., Device] = house.device

    def one_slot(*args: Any, **kwargs: Any) -> Device:
        device = make(*args, **kwargs)
        device.chip.slots = 1
        return device

    house.device = one_slot  # type: ignore[method-assign]
    device = await images.device()
    assert seen(device, "app: runs on factory") == 1
    images.publish_image("no")
    await reaches(house, "no", "FAILED")
    assert "this board's image has no second slot" in details(house, "no")["message"]
    images.publish("app", "1.1")
    await reaches(house, "app", "SUCCEEDED")


FIRST: bytes = partition_shim._first((0, 16, 0, 0, "ota_0", False))  # what a new chip runs


LINE = b"a line more"


async def test_a_delta_comes_in_place_of_the_image(house: House) -> None:
    images = Images(house)
    device = await images.device()
    changed = partition_shim.image(IMAGE[32:1000] + LINE + IMAGE[1000:-40])
    images.publish_image("whole")
    await reaches(house, "whole", "SUCCEEDED")
    made = patch(IMAGE, changed, 1000, LINE)
    assert len(made) < len(changed) / 20
    images.publish_image("update-2", file_of(changed), delta=(IMAGE, made), version="2.1")
    await device.expect(f"version 2.1: 0 of {len(made)} bytes are there", PATIENCE_S)
    await reaches(house, "update-2", "SUCCEEDED")
    assert in_flash(device, OLD)[: len(changed)] == changed
    assert not (device.files / "update.patch").exists()


@pytest.mark.parametrize("what", ["base", "patch", "result", "place", "cut"])
async def test_a_delta_that_is_of_no_use_is_done_without(house: House, what: str) -> None:
    images = Images(house)
    device = await images.device()
    base, made = FIRST, patch(FIRST, IMAGE)
    if what == "base":
        base = IMAGE
    elif what == "patch":
        made = made[:500] + bytes(len(made) - 500)
    elif what == "result":
        made = patch(FIRST, image(version="2.1"))
    images.publish_image("update-1", delta=(base, made))
    if what == "place":
        house.cloud.s3.objects._path("releases", "update-1.patch").unlink()
    elif what == "cut":  # while it comes, or makes the image: both begin anew
        await device.expect("mode OTA", PATIENCE_S)
        device.cut_at_write(260)
        await device.power_lost(PATIENCE_S)
        await device.power_on()
    else:
        await device.expect("the whole file", PATIENCE_S)
    await reaches(house, "update-1", "SUCCEEDED")
    assert in_flash(device, NEW)[: len(IMAGE)] == IMAGE


@pytest.mark.parametrize(("first", "outcome"), [(20, "before"), (30, "torn"), (40, "after")])
async def test_a_cut_at_writes_of_an_image_leaves_the_old_or_the_new(
    house: House, first: int, outcome: str
) -> None:
    images = Images(house)
    device = await images.device()
    runs, cuts = OLD, 0
    for write in range(first, 2000, STEP):
        made = image(version=f"2.{write}")
        job_id, label = f"job{write}", OLD if runs == NEW else NEW
        device.cut_at_write(write, outcome)
        images.publish_image(job_id, file_of(made), version=f"2.{write}")
        was_cut = await cut(device, rf"jobs: {job_id}: (SUCCEEDED|FAILED)")
        if was_cut:
            cuts += 1
            await device.power_on()
        status = await reaches(house, job_id, "SUCCEEDED", "FAILED", "REJECTED")
        assert status in ("SUCCEEDED", "FAILED"), (write, details(house, job_id))
        if status == "SUCCEEDED":
            assert in_flash(device, label)[: len(made)] == made
            runs = label
        assert [line for line in device.lines if "app: runs on" in line][-1].endswith(f"{runs}, 1.0"), write
        if not was_cut:
            break
    assert not was_cut and cuts > 3 and runs == label


def test_the_images_of_the_tests_are_whole() -> None:
    assert hashlib.sha256(IMAGE[:-32]).digest() == IMAGE[-32:]
