"""What a job's configurations decide: how fast it is rolled out, when it is aborted, what is tried again.

AWS: "How job configurations work". Arguments are the members of CreateJob of the same name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .states import FAILED, REJECTED, TIMED_OUT

FASTEST_PER_MINUTE = 1000
"""AWS rolls no job out faster."""

_FAILURES = {"FAILED": (FAILED,), "REJECTED": (REJECTED,), "TIMED_OUT": (TIMED_OUT,)}
_RETRYABLE = (FAILED, TIMED_OUT)


def rate_per_minute(rollout: Mapping[str, Any], notified: int, succeeded: int) -> int:
    """How many things may be told of a job within a minute.

    Args:
        rollout: jobExecutionsRolloutConfig.
        notified, succeeded: how many things have got the job, and done it.
    """
    most = min(rollout.get("maximumPerMinute", FASTEST_PER_MINUTE), FASTEST_PER_MINUTE)
    exponential = rollout.get("exponentialRate")
    if exponential is None:
        return most
    criteria = exponential["rateIncreaseCriteria"]
    counted = {"numberOfNotifiedThings": notified, "numberOfSucceededThings": succeeded}
    increases = max(counted[name] // threshold for name, threshold in criteria.items())
    rate = float(exponential["baseRatePerMinute"])
    for _ in range(increases):
        rate *= exponential["incrementFactor"]
        if rate >= most:
            return most
    return min(int(rate), most)


def abort_reason(abort: Mapping[str, Any], counts: Mapping[str, int]) -> str | None:
    """Why a job must be aborted, None as long as it need not be.

    Args:
        abort: abortConfig.
        counts: the job's executions by status; all of them were notified.
    """
    executed = sum(counts.values())
    for criteria in abort.get("criteriaList", ()):
        kinds = _FAILURES.get(criteria["failureType"], tuple(_FAILURES))  # ALL
        failed = sum(counts.get(kind, 0) for kind in kinds)
        enough = executed >= criteria["minNumberOfExecutedThings"]
        if failed and enough and 100 * failed >= criteria["thresholdPercentage"] * executed:
            return f"{failed} of {executed} executions {' or '.join(kinds)}"
    return None


def may_retry(retry: Mapping[str, Any], attempts: Sequence[str]) -> bool:
    """Whether a job is tried again on a thing.

    Args:
        retry: jobExecutionsRetryConfig.
        attempts: the statuses of its executions on the thing up to now, the latest last.
    """
    if not attempts or attempts[-1] not in _RETRYABLE:
        return False
    for criteria in retry.get("criteriaList", ()):
        kinds = _RETRYABLE if criteria["failureType"] == "ALL" else (criteria["failureType"],)
        if attempts[-1] in kinds:
            return sum(status in kinds for status in attempts) <= criteria["numberOfRetries"]
    return False
