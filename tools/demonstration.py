"""What an operator does with a device, as `make run` shows it: a change of its shadow, a job, a command; then
an update, and one that is no good.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tools import application
from tools.cloud import Cloud
from tools.cloud.errors import ResourceNotFoundException
from tools.timeline import Timeline
from tools.updates import Product, app_that_crashes

_LOOK_S = 0.05
_OPERATOR = "operator"
_LED = "led-off"
_Part = Callable[[Cloud, str, Timeline], Awaitable[None]]
_ENDS = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED")


async def demonstrate(
    cloud: Cloud, thing: str, timeline: Timeline, timeout_s: float, product: Product | None
) -> None:
    """Do all of it, one after the other, and tell it as it goes.

    Args:
        cloud: where the thing is.
        thing: its name; where its application is not the example there are updates alone.
        timeline: takes the lines.
        timeout_s: for each part.
        product: whose updates the thing takes; None: there are none.

    Raises:
        TimeoutError: the device has not done one in time; the text says which.
    """
    parts: list[_Part] = [] if application.is_own() else [_change_shadow, _run_job, _run_command]
    if product:
        parts += [partial(_update, product), partial(_update_that_crashes, product)]
    for what in parts:
        try:
            async with asyncio.timeout(timeout_s):
                await what(cloud, thing, timeline)
        except TimeoutError:
            function = what.func if isinstance(what, partial) else what
            what_text = (function.__doc__ or "").rstrip(".")
            raise TimeoutError(f"{thing}: {what_text}: not within {timeout_s:g} s") from None


async def _change_shadow(cloud: Cloud, thing: str, timeline: Timeline) -> None:
    """A value desired in its shadow is reported."""
    wanted = not _shadow(cloud, thing).get("reported", {}).get("led", False)
    document = {"state": {"desired": {"led": wanted}}}
    timeline.say(_OPERATOR, "shadow", f"desires of {thing}: {json.dumps(document['state']['desired'])}")
    cloud.shadows.update_thing_shadow(thingName=thing, payload=json.dumps(document).encode())
    while (reported := _shadow(cloud, thing).get("reported", {})).get("led") is not wanted:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_S)
    timeline.say(_OPERATOR, "shadow", f"{thing} reports {json.dumps(reported)}")


def _shadow(cloud: Cloud, thing: str) -> dict[str, Any]:
    try:
        found = cloud.shadows.get_thing_shadow(thingName=thing)
    except ResourceNotFoundException:
        return {}
    state: dict[str, Any] = json.loads(found["payload"])["state"]
    return state


async def _run_job(cloud: Cloud, thing: str, timeline: Timeline) -> None:
    """A job is done."""
    job = f"blink-{time.time_ns() // 1_000_000}"
    document = json.dumps({"action": "blink", "times": 3})
    timeline.say(_OPERATOR, "job", f"{job} for {thing}: {document}")
    cloud.jobs.create_job(jobId=job, targets=[cloud.registry.arn(f"thing/{thing}")], document=document)
    await _follow_job(cloud, thing, job, "job", timeline)


async def _update(product: Product, cloud: Cloud, thing: str, timeline: Timeline) -> None:
    """An update is installed, tried and kept."""
    await _publish(product, cloud, thing, timeline, f"{product.version}+better")


async def _update_that_crashes(product: Product, cloud: Cloud, thing: str, timeline: Timeline) -> None:
    """An update whose application fails is given up."""
    await _publish(product, cloud, thing, timeline, f"{product.version}+worse", app_that_crashes())


async def _publish(
    product: Product, cloud: Cloud, thing: str, timeline: Timeline, version: str, app: str | None = None
) -> None:
    timeline.say(_OPERATOR, "update", f"builds and signs version {version}")
    pack = await asyncio.to_thread(product.build, version, app)
    job = product.publish(cloud, thing, version, pack)
    timeline.say(_OPERATOR, "update", f"{job} for {thing}: {len(pack):,} bytes")
    await _follow_job(cloud, thing, job, "update", timeline)


async def _follow_job(cloud: Cloud, thing: str, job: str, part: str, timeline: Timeline) -> None:
    def state() -> str:
        execution = cloud.jobs.executions.describe_job_execution(jobId=job, thingName=thing)["execution"]
        details = execution.get("statusDetails", {}).get("detailsMap", {}).items()
        shown = [f"{name}={value}" for name, value in details if not name.startswith("iot-")]
        return " ".join([execution["status"], *shown])

    await _follow(state, lambda text: timeline.say(_OPERATOR, part, f"{job} {text}"))


async def _run_command(cloud: Cloud, thing: str, timeline: Timeline) -> None:
    """A command is answered."""
    arn = cloud.registry.arn
    try:
        cloud.commands.get_command(commandId=_LED)
    except ResourceNotFoundException:
        payload = {
            "content": json.dumps({"action": "led", "on": False}).encode(),
            "contentType": "application/json",
        }
        cloud.commands.create_command(commandId=_LED, payload=payload)
    target = arn(f"thing/{thing}")
    started = cloud.commands.start_command_execution(targetArn=target, commandArn=arn(f"command/{_LED}"))
    timeline.say(_OPERATOR, "command", f"{_LED} for {thing}")

    def state() -> str:
        execution = cloud.commands.get_command_execution(
            executionId=started["executionId"], targetArn=target, includeResult=True
        )
        result = execution.get("result", {})
        return f"{execution['status']} {json.dumps(result) if result else ''}".rstrip()

    await _follow(state, lambda text: timeline.say(_OPERATOR, "command", f"{_LED} {text}"))


async def _follow(state: Callable[[], str], tell: Callable[[str], None]) -> None:
    """Tell each state until one is an end."""
    before = ""
    while before.partition(" ")[0] not in _ENDS:
        if (now := state()) != before:
            tell(now)
            before = now
        else:
            await asyncio.sleep(_LOOK_S)
