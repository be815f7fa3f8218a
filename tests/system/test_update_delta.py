"""Updates of the application as a delta: a patch to the pack that runs, in place of the whole."""

import hashlib
import re
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tests.system.house import House, seen
from tests.system.test_faults import cut
from tests.system.test_jobs import details, reaches
from tests.system.test_update import QUIET, Publisher, runs_the_old_or_the_new, version_of
from tools.release import delta, job
from tools.sim.packed import deployed

pytest.importorskip("detools", reason="detools is not installed: make setup, where there is a C++ compiler")
STEP = 150  # one of so many writes is cut
AGAIN = (2, 9, 23)  # writes of the next life, at one of which it is cut again


class Deltas(Publisher):
    """Who makes this product, and deltas for its devices."""

    def pack(self, version: str) -> bytes:
        return deployed(self.texts(QUIET.format(version), version))["/firmware.pack"]

    def publish_delta(self, job_id: str, version: str, base: bytes, patch: bytes | None = None) -> bytes:
        """Make a job of a version and of the delta to it; returns the latter."""
        made = delta.make(base, self.pack(version)) if patch is None else patch
        self.house.cloud.s3.objects.put("releases", f"{job_id}.patch", made)
        url = job.url("releases", f"{job_id}.patch", "us-east-1")
        about: dict[str, Any] = {"base": hashlib.sha256(base).hexdigest(), "size": len(made)}
        about["url"] = f"${{aws:iot:s3-presigned-url:{url}}}"
        self.publish(job_id, version, document={"delta": about})
        return made


async def test_a_delta_comes_in_place_of_the_pack(house: House) -> None:
    """From the factory's version, then from the one that was made so."""
    deltas = Deltas(house)
    device = await deltas.device()
    base = (device.files / "firmware.pack").read_bytes()
    for version, folder in (("2.0", "a"), ("3.0", "b")):
        made = deltas.publish_delta(f"update-{folder}", version, base)
        assert len(made) < len(base) / 50
        await device.expect(f"version {version}: 0 of {len(made)} bytes are there", PATIENCE_S)
        await reaches(house, f"update-{folder}", "SUCCEEDED")
        assert await version_of(device) == version
        base = (device.files / folder / "firmware.pack").read_bytes()
        assert base == deltas.pack(version)
        assert not (device.files / "update.patch").exists()
    assert not seen(device, "the whole file comes|not all has come")


async def test_a_delta_that_is_damaged_is_done_without(house: House) -> None:
    """It ends amid what it makes: of that the whole has nothing."""
    deltas = Deltas(house)
    device = await deltas.device()
    base = (device.files / "firmware.pack").read_bytes()
    new = deltas.pack("2.0")
    patch = delta.make(base, new)
    half = len(patch) // 2
    deltas.publish_delta("update-1", "2.0", base, patch[:half] + bytes(len(patch) - half))
    await device.expect("the whole file", PATIENCE_S)
    await device.expect(rf"version 2.0: 0 of {len(new)} bytes are there", PATIENCE_S)
    await reaches(house, "update-1", "SUCCEEDED")
    assert (device.files / "a/firmware.pack").read_bytes() == new


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        pytest.param(3, "before", marks=pytest.mark.every),
        (11, "torn"),
        pytest.param(17, "after", marks=pytest.mark.every),
    ],
)
async def test_two_cuts_at_writes_of_a_delta_leave_the_old_or_the_new(
    house: House, first: int, outcome: str
) -> None:
    """The second comes while the first is being mended."""
    deltas = Deltas(house)
    device = await deltas.device()
    runs, base, cuts = "1.0", (device.files / "firmware.pack").read_bytes(), [0, 0]
    for write in range(first, 2000, STEP):
        version, job_id = f"2.{write}", f"update-{write}"
        device.cut_at_write(write, outcome)
        deltas.publish_delta(job_id, version, base)
        was_cut = await cut(device, rf"jobs: {job_id}: (SUCCEEDED|FAILED)")
        if was_cut:
            device.cut_at_write(AGAIN[cuts[0] % len(AGAIN)], outcome)
            await device.power_on()
            again = await cut(device, rf"jobs: {job_id}: (SUCCEEDED|FAILED)")
            cuts = [cuts[0] + 1, cuts[1] + again]
            if again:
                await device.power_on()
        ended, runs = await runs_the_old_or_the_new(house, device, job_id, runs, version, write)
        if ended == "SUCCEEDED":
            base = deltas.pack(version)
        if not was_cut:
            break
    assert not was_cut and min(cuts) > 1 and runs == version


async def test_an_update_for_which_flash_has_no_room_is_refused_at_once(house: House) -> None:
    deltas = Deltas(house)
    device = await deltas.device()
    base = (device.files / "firmware.pack").read_bytes()
    await device.power_off()
    (device.files / "fill").write_bytes(bytes(740_000))
    await device.power_on()
    deltas.publish_delta("update-1", "2.0", base)
    await reaches(house, "update-1", "FAILED", "SUCCEEDED")
    found = re.fullmatch(
        r"flash: (\d+) bytes are free, (\d+) are needed", details(house, "update-1")["message"]
    )
    assert found and int(found[1]) < len(base) < int(found[2])
    assert not seen(device, "bytes are there")
    await device.power_off()
    (device.files / "fill").unlink()
    await device.power_on()
    deltas.publish_delta("update-2", "2.0", base)
    await reaches(house, "update-2", "SUCCEEDED")
