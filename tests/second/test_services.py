"""Shadows and jobs: a device with its application, and an operator with boto3, on both clouds."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.second.aws import Aws, arn
from tests.second.test_device import name
from tests.system.house import START_S, Site, seen
from tools.sim import Device

APP = """
    import asyncio

    async def main(thing):
        def led(value):
            thing.log.info("app", "led {}", value)
            if value == "broken":
                raise ValueError("no such light")

        async def speed(value):
            thing.log.info("app", "speed {}", value)
            return min(value, 9)

        async def blink(job):
            thing.log.info("app", "blinks {} for {}", job.document["times"], job.id)
            await job.progress(50, color="red")
            return {"times": job.document["times"]}

        async def slow(job):
            thing.log.info("app", "begins {}", job.id)
            try:
                await asyncio.sleep(3600)
            finally:
                thing.log.info("app", "cleaned up {}", job.id)

        def fails(job):
            thing.log.info("app", "fails {}", job.id)
            raise ValueError("on purpose")

        thing.shadow.on("led", led)
        thing.shadow("fan").on("motor.speed", speed)
        for action, handler in (("blink", blink), ("slow", slow), ("fails", fails)):
            thing.jobs.on(action, handler)
        thing.shadow.report({"started": True})
        thing.log.info("app", "ready")
"""


async def brought_up(site: Site) -> Device:
    device = site.device(APP)
    await site.normal(device)
    await device.expect(r"app: ready", START_S)
    return device


class Operator:
    """Whoever has boto3, in a thread of its own: the simulated world goes on."""

    def __init__(self, aws: Aws, device: Device) -> None:
        self._aws = aws
        self.thing = name(device)

    async def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        return await asyncio.to_thread(getattr(self._aws.client(service), operation), **arguments)

    async def desire(self, state: dict[str, Any], **shadow: str) -> None:
        payload = json.dumps({"state": {"desired": state}})
        await self.call("iot-data", "update_thing_shadow", thingName=self.thing, payload=payload, **shadow)

    async def state(self, **shadow: str) -> dict[str, Any]:
        try:
            answer = await self.call("iot-data", "get_thing_shadow", thingName=self.thing, **shadow)
        except self._aws.client("iot-data").exceptions.ResourceNotFoundException:
            return {}
        return json.loads(answer["payload"].read())["state"]

    async def create_job(self, job_id: str, document: dict[str, Any], **members: Any) -> None:
        target = arn(f"thing/{self.thing}")
        text = json.dumps(document)
        await self.call("iot", "create_job", jobId=job_id, targets=[target], document=text, **members)

    async def execution(self, job_id: str) -> dict[str, Any]:
        """The newest one."""
        answer = await self.call("iot", "describe_job_execution", jobId=job_id, thingName=self.thing)
        return answer["execution"]

    async def reaches(self, job_id: str, status: str) -> dict[str, str]:
        """Wait until the execution has this status; returns its details."""
        found = await self.sees(lambda: self.execution(job_id), lambda one: one["status"] == status)
        return found.get("statusDetails", {}).get("detailsMap", {})

    async def sees(self, look: Callable[[], Any], condition: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(START_S):
            while not condition(seen_now := await look()):
                await asyncio.sleep(0.1)
        return seen_now


async def test_the_classic_shadow(site: Site, aws: Aws) -> None:
    device = await brought_up(site)
    operator = Operator(aws, device)
    await operator.sees(operator.state, lambda state: state.get("reported", {}).get("started") is True)
    await operator.desire({"led": True})
    await device.expect(r"app: led True", START_S)
    await operator.sees(operator.state, lambda state: state["reported"].get("led") is True)
    assert "delta" not in await operator.state()
    await operator.desire({"led": "broken"})
    await device.expect(r"app: led broken", START_S)
    await operator.sees(operator.state, lambda state: "led" not in state["reported"])
    await device.power_off()
    await operator.desire({"led": False})
    await operator.desire({"led": 7})
    await device.power_on()
    await device.expect(r"app: led 7", START_S)
    await operator.sees(operator.state, lambda state: state["reported"].get("led") == 7)


async def test_a_named_shadow(site: Site, aws: Aws) -> None:
    device = await brought_up(site)
    operator = Operator(aws, device)
    await operator.desire({"motor": {"speed": 12, "name": "north"}}, shadowName="fan")
    await device.expect(r"app: speed 12", START_S)
    state = await operator.sees(lambda: operator.state(shadowName="fan"), lambda state: "reported" in state)
    assert state["reported"] == {"motor": {"speed": 9}}
    assert state["delta"] == {"motor": {"speed": 12, "name": "north"}}
    assert "led" not in (await operator.state()).get("desired", {})


async def test_a_job_with_progress(site: Site, aws: Aws) -> None:
    device = await brought_up(site)
    operator = Operator(aws, device)
    job = f"blink-{operator.thing}"
    await operator.create_job(job, {"action": "blink", "times": 3})
    await device.expect(rf"app: blinks 3 for {job}", START_S)
    details = await operator.reaches(job, "SUCCEEDED")
    assert details == {"percent": "50", "color": "red", "times": "3"}
    await operator.create_job(f"dance-{operator.thing}", {"action": "dance"})
    details = await operator.reaches(f"dance-{operator.thing}", "REJECTED")
    assert "blink" in details["known"]
    assert (await operator.call("iot", "describe_job", jobId=job))["job"]["status"] == "COMPLETED"


async def test_a_job_that_fails_and_is_tried_again(site: Site, aws: Aws) -> None:
    """By the service, which ministack has not; by the operator with another id, which every cloud takes."""
    device = await brought_up(site)
    operator = Operator(aws, device)
    for number in (1, 2):
        job = f"fails-{number}-{operator.thing}"
        await operator.create_job(job, {"action": "fails"})
        details = await operator.reaches(job, "FAILED")
        assert details["type"] == "ValueError" and details["message"] == "on purpose"
        assert seen(device, rf"app: fails {job}") == 1


async def test_a_job_is_cancelled(site: Site, aws: Aws) -> None:
    device = await brought_up(site)
    operator = Operator(aws, device)
    job = f"slow-{operator.thing}"
    await operator.create_job(job, {"action": "slow"})
    await device.expect(rf"app: begins {job}", START_S)
    await operator.call("iot", "cancel_job", jobId=job, force=True)
    await device.expect(rf"app: cleaned up {job}", START_S)
    await operator.reaches(job, "CANCELED")
    after = f"after-{operator.thing}"
    await operator.create_job(after, {"action": "blink", "times": 1})
    await operator.reaches(after, "SUCCEEDED")
    assert seen(device, rf"app: begins {job}") == 1


async def test_a_job_that_came_while_it_was_off(site: Site, aws: Aws) -> None:
    device = await brought_up(site)
    operator = Operator(aws, device)
    await device.power_off()
    job = f"waits-{operator.thing}"
    await operator.create_job(job, {"action": "blink", "times": 2})
    await device.power_on()
    await operator.reaches(job, "SUCCEEDED")
