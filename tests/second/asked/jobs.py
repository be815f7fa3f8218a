"""What a device and an operator may ask of jobs."""

import json
from typing import Any

from tests.second.asked.room import NOTHING, THING, Ask, Question, Room, text
from tests.second.aws import arn

_BASE = f"$aws/things/{THING}/jobs"
_TARGETS = [arn(f"thing/{THING}")]
_DOCUMENT = '{"action": "blink"}'


async def _create(room: Room, **members: Any) -> str:
    """A new job for the thing, by its id."""
    job = room.new("job")
    await room.call("iot", "create_job", jobId=job, targets=_TARGETS, document=_DOCUMENT, **members)
    return job


async def _asked(room: Room, path: str, request: Any) -> str:
    """What of a device's answer tells: its kind, its code, and which members it has."""
    payload = request if isinstance(request, bytes) else text(request).encode()
    answer = await room.client.ask(f"{_BASE}/{path}", payload)
    if answer is None:
        return NOTHING
    kind, document = answer
    members = sorted(set(document) - {"timestamp", "message", "code"})
    return " ".join([kind, *([document["code"]] if "code" in document else []), *members])


async def _end(room: Room, job: str) -> None:
    """Whatever became of it, nothing of it is left to do."""
    await room.told("iot", "cancel_job", jobId=job, force=True)


def _request(path: str, request: Any, first: Any = None, **members: Any) -> Ask:
    """The answer to a request about a job; JOB in its path is the id. first: an update before it."""

    async def ask(room: Room) -> str:
        job = await _create(room, **members)
        try:
            if first is not None:
                await room.client.ask(f"{_BASE}/{job}/update", text(first).encode())
            return await _asked(room, path.replace("JOB", job), request)
        finally:
            await _end(room, job)

    return ask


def _idle(path: str, request: Any) -> Ask:
    """The answer where there is no job."""

    async def ask(room: Room) -> str:
        return await _asked(room, path, request)

    return ask


async def _heard_at_once(room: Room) -> str:
    await room.client.settle()
    room.client.messages.clear()
    job = await _create(room)
    try:
        return await room.subjects(f"{_BASE}/")
    finally:
        await _end(room, job)


async def _heard_at_the_end(room: Room) -> str:
    job = await _create(room)
    await room.client.settle()  # and `ask` begins anew
    await room.client.ask(f"{_BASE}/{job}/update", b'{"status": "SUCCEEDED"}')
    return (await room.subjects(f"{_BASE}/")).replace(job, "JOB")


def _after(status: str, **members: Any) -> Ask:
    """What is next for the device once it has reported this of a job."""

    async def ask(room: Room) -> str:
        job = await _create(room, **members)
        try:
            await room.client.ask(f"{_BASE}/{job}/update", text({"status": status}).encode())
            answer = await room.client.ask(f"{_BASE}/$next/get", b"{}")
            execution = answer[1].get("execution") if answer else None
            if not execution:
                return "nothing"
            return f"execution {execution['executionNumber']}, {execution['status']}"
        finally:
            await _end(room, job)

    return ask


async def _job_status(room: Room) -> str:
    job = await _create(room)
    await room.client.ask(f"{_BASE}/{job}/update", b'{"status": "REJECTED"}')
    about = (await room.call("iot", "describe_job", jobId=job))["job"]
    return about["status"]


async def _versions(room: Room) -> str:
    job = await _create(room)
    try:
        await room.client.ask(f"{_BASE}/start-next", b'{"statusDetails": {"step": "1"}}')
        request = {"status": "IN_PROGRESS", "includeJobExecutionState": True}
        answer = await room.client.ask(f"{_BASE}/{job}/update", text(request).encode())
        state = answer[1].get("executionState") if answer else None
        return text(state)
    finally:
        await _end(room, job)


def _cancel(force: bool, operation: str) -> Ask:
    """Of an execution in progress, by the operator; and then the device reports its end."""

    async def ask(room: Room) -> str:
        job = await _create(room)
        try:
            await room.client.ask(f"{_BASE}/{job}/update", b'{"status": "IN_PROGRESS"}')
            of = {"thingName": THING} if operation == "cancel_job_execution" else {}
            told = await room.told("iot", operation, jobId=job, force=force, **of)
            return f"{told}; {await _asked(room, f'{job}/update', {'status': 'SUCCEEDED'})}"
        finally:
            await _end(room, job)

    return ask


def _made(**arguments: Any) -> Ask:
    async def ask(room: Room) -> str:
        job = room.new("made")
        told = await room.told(
            "iot", "create_job", **{"jobId": job, "targets": _TARGETS, "document": _DOCUMENT} | arguments
        )
        await _end(room, arguments.get("jobId", job))
        return told

    return ask


async def _made_twice(room: Room) -> str:
    job = await _create(room)
    try:
        return await room.told("iot", "create_job", jobId=job, targets=_TARGETS, document='{"other": 1}')
    finally:
        await _end(room, job)


async def _deleted(room: Room) -> str:
    job = await _create(room)
    try:
        return await room.told("iot", "delete_job", jobId=job)
    finally:
        await _end(room, job)


def _retry(kind: str, number: int = 2) -> dict[str, Any]:
    return {"jobExecutionsRetryConfig": {"criteriaList": [{"failureType": kind, "numberOfRetries": number}]}}


_DONE = {"status": "SUCCEEDED"}
BY_DEVICE = {
    "get, none there": _idle("get", {}),
    "start-next, none there": _idle("start-next", {}),
    "$next/get, none there": _idle("$next/get", {}),
    "update of a job that is not there": _idle("none/update", _DONE),
    "get of a job that is not there": _idle("none/get", {}),
    "a client token comes back": _idle("get", {"clientToken": "mine"}),
    "no JSON": _request("JOB/update", b"{"),
    "an array": _request("JOB/update", []),
    "an empty update": _request("JOB/update", {}),
    "a status that is none": _request("JOB/update", {"status": "DONE"}),
    "a status that is the cloud's": _request("JOB/update", {"status": "TIMED_OUT"}),
    "back to QUEUED": _request("JOB/update", {"status": "QUEUED"}, {"status": "IN_PROGRESS"}),
    "an end without IN_PROGRESS": _request("JOB/update", _DONE),
    "another version expected": _request("JOB/update", {**_DONE, "expectedVersion": 9}),
    "a version expected as a text": _request("JOB/update", {**_DONE, "expectedVersion": "1"}),
    "another execution number": _request("JOB/update", {**_DONE, "executionNumber": 9}),
    "an end after an end": _request("JOB/update", {"status": "FAILED"}, _DONE),
    "get after the end": _request("JOB/get", {}, _DONE),
    "what an update may ask for": _request(
        "JOB/update", {**_DONE, "includeJobExecutionState": True, "includeJobDocument": True}
    ),
    "a detail that is a number": _request("JOB/update", {**_DONE, "statusDetails": {"a": 1}}),
    "a detail's name of 129 characters": _request("JOB/update", {**_DONE, "statusDetails": {"a" * 129: "1"}}),
    "a detail of 1025 characters": _request("JOB/update", {**_DONE, "statusDetails": {"a": "1" * 1025}}),
    "a step's timeout of 0 minutes": _request("start-next", {"stepTimeoutInMinutes": 0}),
    "a step's timeout of 10081 minutes": _request("start-next", {"stepTimeoutInMinutes": 10081}),
    "a topic that is none": _request("JOB/other", {}),
    "state after a start and an update": _versions,
    "messages of a new job": _heard_at_once,
    "messages of an end": _heard_at_the_end,
}
BY_OPERATOR = {
    "FAILED, to be retried": _after("FAILED", **_retry("FAILED")),
    "REJECTED, to be retried": _after("REJECTED", **_retry("ALL")),
    "FAILED, not to be retried": _after("FAILED"),
    "the job's status once all have ended": _job_status,
    "cancel in progress": _cancel(False, "cancel_job"),
    "cancel in progress, by force": _cancel(True, "cancel_job"),
    "cancel an execution in progress": _cancel(False, "cancel_job_execution"),
    "cancel an execution in progress, by force": _cancel(True, "cancel_job_execution"),
    "delete what has not ended": _deleted,
    "an id that is there": _made_twice,
    "an id with a dot": _made(jobId="a.b"),
    "an id of 65 characters": _made(jobId="a" * 65),
    "a thing that is not there": _made(targets=[arn("thing/none")]),
    "a document that is no JSON": _made(document="{"),
    "a document that is an array": _made(document="[]"),
    "a document of 32768 bytes": _made(document=json.dumps({"a": "x" * (32768 - 9)})),
    "a document of 32769 bytes": _made(document=json.dumps({"a": "x" * (32769 - 9)})),
    "11 retries": _made(**_retry("FAILED", 11)),
    "1001 things a minute": _made(jobExecutionsRolloutConfig={"maximumPerMinute": 1001}),
    "a timeout of 10081 minutes": _made(timeoutConfig={"inProgressTimeoutInMinutes": 10081}),
    "a description of 2029 characters": _made(description="x" * 2029),
}
QUESTIONS = [Question(f"job, {name}", ask) for name, ask in (BY_DEVICE | BY_OPERATOR).items()]
