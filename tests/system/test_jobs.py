"""Jobs from the control plane to the application and back, with a power that goes away at any moment."""

import asyncio
import json
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tests.system.house import START_S, House, seen, status
from tools.cloud.misbehaviour import Misbehaviour
from tools.sim import Device

NAME = "esp32-240ac4000001"
APP = """
    import asyncio

    async def main(thing):
        async def blink(job):
            thing.log.info("app", "ran {} {}", job.id, job.document.get("times"))
            await job.progress(50, color="red")
            return {"times": job.document.get("times")}

        async def slow(job):
            thing.log.info("app", "ran {}", job.id)
            try:
                await asyncio.sleep(3600)
            finally:
                thing.log.info("app", "cleaned up {}", job.id)

        def fails(job):
            thing.log.info("app", "ran {}", job.id)
            raise KeyError("pear\\n\\0")

        async def die():
            raise ValueError("the application's own")

        async def waits(job):
            thing.run(die())
            await asyncio.sleep(3600)

        for handler, name in ((blink, "blink"), (slow, "slow"), (fails, "fails"), (waits, "waits")):
            thing.jobs.on(name, handler, 30 if name == "slow" else 0)
"""


def create(house: House, job_id: str, document: Any, **members: Any) -> None:
    target = house.cloud.registry.arn(f"thing/{NAME}")
    text = document if isinstance(document, str) else json.dumps(document)
    house.cloud.jobs.create_job(jobId=job_id, targets=[target], document=text, **members)


def execution(house: House, job_id: str, number: int | None = None) -> dict[str, Any]:
    found = house.cloud.jobs.executions.describe_job_execution(
        jobId=job_id, thingName=NAME, executionNumber=number
    )
    return found["execution"]


def details(house: House, job_id: str) -> dict[str, str]:
    return execution(house, job_id)["statusDetails"]["detailsMap"]


async def reaches(house: House, job_id: str, *wanted: str, number: int | None = None) -> str:
    """Wait until an execution has one of these statuses; returns it."""
    async with asyncio.timeout(PATIENCE_S):
        while (now := execution(house, job_id, number)["status"]) not in wanted:
            await asyncio.sleep(0.02)
    return now


async def connected(house: House, app: str = APP) -> Device:
    device = house.device(app)
    await house.normal(device)
    await device.expect(r"cloud: connected", START_S)
    return device


async def test_jobs_with_every_outcome(house: House) -> None:
    device = await connected(house)
    create(house, "one", {"action": "blink", "times": 3})
    await reaches(house, "one", "SUCCEEDED")
    assert details(house, "one") == {"percent": "50", "color": "red", "times": "3"}
    create(house, "two", {"action": "fails"})
    create(house, "three", {"action": "dance"})
    step = {"action": {"name": "a", "type": "runHandler", "input": {"handler": "blink.sh", "times": 4}}}
    create(house, "four", {"version": "1.0", "steps": [step, step]})
    create(house, "five", {"action": "blink", "text": "x" * 32_000})
    create(house, "six", '{"action": "blink", "x": ' + "[" * 500 + "]" * 500 + "}")
    await reaches(house, "two", "FAILED")
    found = details(house, "two")
    assert found["type"] == "KeyError" and "pear" in found["message"] and "app.py:" in found["place"]
    await reaches(house, "three", "REJECTED")
    known = "OTA, blink, configure, factory-reset, fails, log, reboot, rotate-certificate, slow, waits"
    assert details(house, "three")["known"] == known
    await reaches(house, "four", "SUCCEEDED")
    await status(device)
    assert details(house, "four")["times"] == "4" and seen(device, "ran four 4") == 2
    await reaches(house, "five", "REJECTED")
    assert "over 3072 bytes" in details(house, "five")["reason"]
    await reaches(house, "six", "REJECTED", "SUCCEEDED")
    create(house, "seven", {"action": "blink", "times": 7})
    await reaches(house, "seven", "SUCCEEDED")
    assert seen(device, "ran one") == 1 and (await status(device))["mode"] == "NORMAL"


async def test_a_cancelled_job_makes_room_for_the_next(house: House) -> None:
    device = await connected(house)
    create(house, "one", {"action": "slow"})
    await device.expect(r"app: ran one", START_S)
    house.cloud.jobs.cancel_job(jobId="one", force=True)
    create(house, "two", {"action": "blink"})
    await device.expect(r"app: cleaned up one", START_S)
    await reaches(house, "two", "SUCCEEDED")
    await status(device)
    assert execution(house, "one")["status"] == "CANCELED" and seen(device, "ran one") == 1


async def test_a_job_is_tried_again_after_it_has_failed(house: House) -> None:
    device = await connected(house)
    retry = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 2}]}
    create(house, "one", {"action": "fails"}, jobExecutionsRetryConfig=retry)
    for number in (1, 2, 3):  # each is made when the one before has failed
        await reaches(house, "one", "FAILED", number=number)
    await status(device)
    assert seen(device, "ran one") == 3


async def test_the_application_fails_in_the_midst_of_a_job(house: House) -> None:
    await connected(house)
    create(house, "one", {"action": "waits"})
    await reaches(house, "one", "FAILED")
    assert "the application has ended: the application's own" in details(house, "one")["message"]
    create(house, "two", {"action": "blink"})  # waits for the application's next start
    await reaches(house, "two", "SUCCEEDED")


async def test_a_reboot_and_a_factory_reset(house: House) -> None:
    device = await connected(house)
    given = {"handler": "reboot.sh", "path": "default"}
    create(house, "one", {"steps": [{"action": {"name": "r", "type": "runHandler", "input": given}}]})
    await device.expect(r"restarting: job one", START_S)
    await reaches(house, "one", "SUCCEEDED")
    create(house, "two", {"action": "log", "level": "debug", "minutes": 5})
    await reaches(house, "two", "SUCCEEDED")
    create(house, "three", {"action": "factory-reset"})
    await device.expect(r"configuration and certificate are erased", START_S)
    assert execution(house, "three")["status"] == "SUCCEEDED"
    await device.expect(r"system: mode CONFIG", START_S)
    assert seen(device, "restarting: job one") == 1


@pytest.mark.parametrize(
    ("moment", "outcome", "runs"),
    [("queued", "SUCCEEDED", 1), ("begun", "FAILED", 0), ("running", "FAILED", 1), ("ended", "SUCCEEDED", 1)],
)
async def test_no_job_runs_twice_when_the_power_goes(
    house: House, moment: str, outcome: str, runs: int
) -> None:
    device = await connected(house)
    if moment == "begun":  # as the cloud has it; the power goes before its answer comes
        house.cloud.gate.rules.append(Misbehaviour("never", f"$aws/things/{NAME}/jobs/one/update/accepted"))
    if moment == "queued":
        await device.power_off()
    create(house, "one", {"action": "slow" if moment == "running" else "blink"})
    if moment == "running":
        await device.expect(r"app: ran one", START_S)
    elif moment != "queued":
        await reaches(house, "one", "IN_PROGRESS" if moment == "begun" else "SUCCEEDED")
        await status(device)  # all that it has written by now is read
    await device.power_off()
    house.cloud.gate.rules.clear()
    await device.power_on()
    assert await reaches(house, "one", "SUCCEEDED", "FAILED") == outcome
    create(house, "two", {"action": "blink"})
    await reaches(house, "two", "SUCCEEDED")
    await status(device)
    assert seen(device, "ran one") == runs
    if outcome == "FAILED":
        assert details(house, "one")["message"] == "interrupted by a restart"


@pytest.mark.slow
async def test_the_power_goes_at_any_moment(house: House) -> None:
    device = await connected(house)
    for number in range(8):
        create(house, f"j{number}", {"action": "blink"})
        await asyncio.sleep(0.02 * number)
        await device.power_off()
        await device.power_on()
        await device.expect(r"system: mode NORMAL", START_S)  # the job may have ended before the cut
        await reaches(house, f"j{number}", "SUCCEEDED", "FAILED")
        await status(device)
        assert seen(device, f"ran j{number} ") <= 1
        # Begun once, at most one progress, and its end: a line that the cut took does not hide a second run.
        assert execution(house, f"j{number}")["versionNumber"] <= 4


WAYS = [
    "late=1@jobs",
    "twice@jobs",
    "never=3@jobs",
    "out-of-order=1@jobs",
    "refusing=2@jobs",
    "throttling=3@jobs",
]


@pytest.mark.parametrize("way", WAYS)
async def test_a_cloud_that_misbehaves(house: House, way: str) -> None:
    device = await connected(house)
    house.cloud.gate.rules.append(Misbehaviour.of(way))
    for number in range(3):
        create(house, f"j{number}", {"action": "blink", "times": number})
    for number in range(3):
        await reaches(house, f"j{number}", "SUCCEEDED")
    await status(device)
    assert [seen(device, f"ran j{number} ") for number in range(3)] == [1, 1, 1]
