"""The life of a job execution as a table, without a database, a clock or a topic.

AWS: "Jobs and job execution states".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

QUEUED, IN_PROGRESS = "QUEUED", "IN_PROGRESS"
SUCCEEDED, FAILED, REJECTED = "SUCCEEDED", "FAILED", "REJECTED"
TIMED_OUT, REMOVED, CANCELED = "TIMED_OUT", "REMOVED", "CANCELED"

PENDING = (QUEUED, IN_PROGRESS)
TERMINAL = (SUCCEEDED, FAILED, REJECTED, TIMED_OUT, REMOVED, CANCELED)
BY_DEVICE = (IN_PROGRESS, SUCCEEDED, FAILED, REJECTED)
"""What a device may report; the others are the service's own."""

TRANSITIONS: Mapping[str, frozenset[str]] = {
    QUEUED: frozenset((*BY_DEVICE, REMOVED, CANCELED)),
    IN_PROGRESS: frozenset((*BY_DEVICE, TIMED_OUT, REMOVED, CANCELED)),
    **{status: frozenset() for status in TERMINAL},
}

NO_STEP_TIMER = -1
"""As stepTimeoutInMinutes: ends the step timer."""


class InvalidTransition(Exception):
    """The table does not lead from the execution's status to the new one."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One job on one thing, once; a retry is another with the next number. Times are seconds since 1970."""

    job_id: str
    thing: str
    number: int
    queued_s: float
    retry_attempt: int = 0
    status: str = QUEUED
    details: Mapping[str, str] = field(default_factory=dict)
    version: int = 1
    started_s: float | None = None
    updated_s: float = 0
    in_progress_until_s: float | None = None
    step_until_s: float | None = None
    forced: bool = False
    id: int = 0  # grows with each one that is queued

    @property
    def pending(self) -> bool:
        return self.status in PENDING

    @property
    def deadline_s(self) -> float | None:
        """When it times out: the earlier one of its two timers."""
        return min((t for t in (self.in_progress_until_s, self.step_until_s) if t is not None), default=None)

    def become(
        self,
        status: str,
        now_s: float,
        details: Mapping[str, str] | None = None,
        timeout_min: int | None = None,
        step_min: int | None = None,
        forced: bool = False,
    ) -> "Execution":
        """The execution after one update.

        Args:
            status: the new one; IN_PROGRESS once more is an update, too.
            details: replace those that are there, None leaves them.
            timeout_min: the job's timer, which starts with the first IN_PROGRESS and runs on.
            step_min: starts the step timer anew, NO_STEP_TIMER ends it, None leaves it.
            forced: canceled with force.

        Raises:
            InvalidTransition: nothing leads out of a terminal status.
        """
        if status not in TRANSITIONS[self.status]:
            raise InvalidTransition(f"{self.status} does not become {status}")
        new = replace(self, status=status, version=self.version + 1, updated_s=now_s, forced=forced)
        if details is not None:
            new = replace(new, details=dict(details))
        if status != IN_PROGRESS:
            return replace(new, in_progress_until_s=None, step_until_s=None)
        if self.status == QUEUED:
            until_s = None if timeout_min is None else now_s + 60 * timeout_min
            new = replace(new, started_s=now_s, in_progress_until_s=until_s)
        return new.step(step_min, now_s)

    def step(self, step_min: int | None, now_s: float) -> "Execution":
        """The same with its step timer set, which is no update of its own."""
        if step_min is None:
            return self
        return replace(self, step_until_s=None if step_min == NO_STEP_TIMER else now_s + 60 * step_min)


def in_order(executions: Iterable[Execution]) -> list[Execution]:
    """Those that are pending, the next one first: IN_PROGRESS before QUEUED, then as they were queued."""
    pending = (execution for execution in executions if execution.pending)
    return sorted(pending, key=lambda one: (one.status != IN_PROGRESS, one.queued_s, one.id))
