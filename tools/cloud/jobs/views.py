"""Jobs and executions as the service shows them: to devices, to the control plane, in events."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import states
from .states import Execution
from .store import Job

_MOST_PENDING = 10
_COUNTS = {
    states.CANCELED: "numberOfCanceledThings",
    states.SUCCEEDED: "numberOfSucceededThings",
    states.FAILED: "numberOfFailedThings",
    states.REJECTED: "numberOfRejectedThings",
    states.QUEUED: "numberOfQueuedThings",
    states.IN_PROGRESS: "numberOfInProgressThings",
    states.REMOVED: "numberOfRemovedThings",
    states.TIMED_OUT: "numberOfTimedOutThings",
}
_NOT_SHOWN = ("tags",)  # AWS has them for ListTagsForResource


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None."""
    return {name: value for name, value in members.items() if value is not None}


# For devices, with times in whole seconds


def summary(one: Execution) -> dict[str, Any]:
    """JobExecutionSummary of the device's side."""
    return present(
        {
            "jobId": one.job_id,
            "queuedAt": int(one.queued_s),
            "startedAt": None if one.started_s is None else int(one.started_s),
            "lastUpdatedAt": int(one.updated_s),
            "executionNumber": one.number,
            "versionNumber": one.version,
        }
    )


def execution_data(one: Execution, now_s: float, document: Any = None) -> dict[str, Any]:
    """JobExecution of the device's side, with its document where that is given."""
    members = {
        "thingName": one.thing,
        "status": one.status,
        "statusDetails": dict(one.details) or None,
        "approximateSecondsBeforeTimedOut": seconds_left(one, now_s),
        "jobDocument": document,
    }
    return summary(one) | present(members)


def execution_state(one: Execution) -> dict[str, Any]:
    """JobExecutionState."""
    return {"status": one.status, "statusDetails": dict(one.details), "versionNumber": one.version}


def pending_by_status(executions: Iterable[Execution]) -> dict[str, list[dict[str, Any]]]:
    """The summaries of the first that are pending, by status."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in states.in_order(executions)[:_MOST_PENDING]:
        found.setdefault(one.status, []).append(summary(one))
    return found


def seconds_left(one: Execution, now_s: float) -> int | None:
    return None if one.deadline_s is None else max(0, int(one.deadline_s - now_s))


# For the control plane


def job(one: Job, arn: str, counts: Mapping[str, int], rolls_out: bool) -> dict[str, Any]:
    """Job of DescribeJob."""
    details: dict[str, Any] = {name: counts.get(status, 0) for status, name in _COUNTS.items()}
    if rolls_out:
        details["processingTargets"] = one.members["targets"]
    shown = {name: value for name, value in one.members.items() if name not in _NOT_SHOWN}
    return shown | one.outcome | job_summary(one, arn, rolls_out) | {"jobProcessDetails": details}


def job_summary(one: Job, arn: str, rolls_out: bool) -> dict[str, Any]:
    """JobSummary of ListJobs."""
    return present(
        {
            "jobArn": arn,
            "jobId": one.job_id,
            "targetSelection": one.members["targetSelection"],
            "status": one.status,
            "createdAt": one.created_s,
            "lastUpdatedAt": one.updated_s,
            "completedAt": one.completed_s,
            "isConcurrent": rolls_out,
        }
    )


def execution(one: Execution, thing_arn: str, now_s: float) -> dict[str, Any]:
    """JobExecution of the control plane's DescribeJobExecution."""
    return present(
        {
            "jobId": one.job_id,
            "status": one.status,
            "forceCanceled": one.forced,
            "statusDetails": {"detailsMap": dict(one.details)},
            "thingArn": thing_arn,
            "queuedAt": one.queued_s,
            "startedAt": one.started_s,
            "lastUpdatedAt": one.updated_s,
            "executionNumber": one.number,
            "versionNumber": one.version,
            "approximateSecondsBeforeTimedOut": seconds_left(one, now_s),
        }
    )


def execution_summary(one: Execution) -> dict[str, Any]:
    """JobExecutionSummary of the control plane's lists."""
    return present(
        {
            "status": one.status,
            "queuedAt": one.queued_s,
            "startedAt": one.started_s,
            "lastUpdatedAt": one.updated_s,
            "executionNumber": one.number,
            "retryAttempt": one.retry_attempt,
        }
    )


# Events (AWS: "Jobs events"), whose times within are milliseconds


def job_event(
    one: Job, operation: str, counts: Mapping[str, int], now_s: float
) -> tuple[str, dict[str, Any]]:
    """(topic, payload) of what has happened to a job: completed, canceled, cancellation_in_progress, …"""
    ended = {name: counts.get(status, 0) for status, name in _COUNTS.items() if status in states.TERMINAL}
    payload = {
        "eventType": "JOB",
        "eventId": str(uuid.uuid4()),
        "timestamp": int(now_s),
        "operation": operation,
        "jobId": one.job_id,
        "status": operation.upper(),
        "targetSelection": one.members["targetSelection"],
        "targets": one.members["targets"],
        "description": one.members.get("description"),
        "createdAt": int(1000 * one.created_s),
        "lastUpdatedAt": int(1000 * one.updated_s),
        "completedAt": None if one.completed_s is None else int(1000 * one.completed_s),
        "jobProcessDetails": ended if operation == "completed" else None,
        "comment": one.outcome.get("comment"),
        "reasonCode": one.outcome.get("reasonCode"),
    }
    return f"$aws/events/job/{one.job_id}/{operation}", present(payload)


def execution_event(
    one: Execution, operation: str, arn: Callable[[str], str], now_s: float
) -> tuple[str, dict[str, Any]]:
    """(topic, payload) of an execution's end: succeeded, failed, …, or deleted."""
    payload = {
        "eventType": "JOB_EXECUTION",
        "eventId": str(uuid.uuid4()),
        "timestamp": int(now_s),
        "operation": operation,
        "jobId": one.job_id,
        "thingArn": arn(f"thing/{one.thing}"),
        "status": operation.upper(),
        "statusDetails": dict(one.details),
    }
    return f"$aws/events/jobExecution/{one.job_id}/{operation}", payload
