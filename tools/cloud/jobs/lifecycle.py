"""What happens to jobs and their executions: rollout, updates, timeouts, retries, abort, the end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..database import Database
from . import rules, states, store, views
from .notices import Notices
from .states import Execution
from .store import Job, JobStore

_MINUTE_S = 60


class Lifecycle:
    """Every change goes through here, within `changing()`.

    Args:
        database: each change is one transaction in it.
        jobs: where jobs and executions are.
        notices: tells what has changed.
        arn: makes the ARN of a resource such as `thing/lamp`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobStore,
        notices: Notices,
        arn: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._db = database
        self._store = jobs
        self._notices = notices
        self._arn = arn
        self._clock = clock
        self._touched: dict[str, list[Execution]] = {}  # by job what has ended in this transaction

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One transaction; at its end jobs are aborted, tried again and completed, and all is told."""
        try:
            with self._db.transaction():
                yield
                while self._touched:
                    self._settle(*self._touched.popitem())
                self._notices.tell()
        finally:
            self._touched.clear()
            self._notices.forget()

    # Jobs

    def start(self, job: Job) -> None:
        """Begin the rollout to those whom the job is for now."""
        job.status, job.updated_s, job.start_s = store.IN_PROGRESS, self._clock(), None
        self._store.save(job)
        self._store.enrol(job.job_id)
        self.roll_out(job)

    def roll_out(self, job: Job) -> None:
        """Tell as many of those who wait as the rate allows."""
        counts, now_s = self._store.counts(job.job_id), self._clock()
        rate = rules.rate_per_minute(
            job.members.get("jobExecutionsRolloutConfig", {}),
            self._store.notified_since(job.job_id, 0),
            counts.get(states.SUCCEEDED, 0),
        )
        room = max(0, rate - self._store.notified_since(job.job_id, now_s - _MINUTE_S))
        for thing in self._store.waiting(job.job_id, room):
            self.queue(job.job_id, thing)
        self._touched.setdefault(job.job_id, [])

    def cancel(self, job: Job, outcome: Mapping[str, Any], force: bool) -> None:
        """Cancel what is queued, with `force` also what is in progress."""
        job.outcome = dict(outcome) | ({"forceCanceled": True} if force else {})
        self._tell(job, "cancellation_in_progress")
        self._store.release(job.job_id)
        statuses = states.PENDING if force else (states.QUEUED,)
        for one in self._store.executions("job_id = ?", job.job_id):
            if one.status in statuses:
                self.become(one, states.CANCELED, forced=force)
        job.status, job.updated_s, job.end_s = store.CANCELED, self._clock(), None
        self._store.save(job)
        self._tell(job, "canceled")

    def delete(self, job: Job) -> None:
        self._tell(job, "deletion_in_progress")
        for one in self._store.executions("job_id = ?", job.job_id):
            self.delete_execution(one)
        self._store.delete_job(job.job_id)
        job.updated_s = self._clock()
        self._tell(job, "deleted")

    def _settle(self, job_id: str, ended: list[Execution]) -> None:
        """Abort a job, try it again, or complete it."""
        job = self._store.find_job(job_id)
        if job is None or job.status != store.IN_PROGRESS:
            return
        counts = self._store.counts(job_id)
        if reason := rules.abort_reason(job.members.get("abortConfig", {}), counts):
            self.cancel(job, {"comment": f"aborted by abortConfig: {reason}"}, force=False)
            return
        for one in ended:
            chain = "job_id = ? AND thing = ? AND number BETWEEN ? AND ?"
            first = one.number - one.retry_attempt
            attempts = self._store.executions(chain, job_id, one.thing, first, one.number)
            retry = job.members.get("jobExecutionsRetryConfig", {})
            if rules.may_retry(retry, [attempt.status for attempt in attempts]):
                self.queue(job_id, one.thing, one.retry_attempt + 1)
        if not job.follows:
            self._complete(job)

    def _complete(self, job: Job) -> None:
        pending = any(self._store.counts(job.job_id).get(status) for status in states.PENDING)
        if pending or self._store.waiting(job.job_id, 1):
            return
        job.status, job.updated_s, job.end_s = store.COMPLETED, self._clock(), None
        job.completed_s = job.updated_s
        self._store.save(job)
        self._store.release(job.job_id)
        self._tell(job, "completed")

    def _tell(self, job: Job, operation: str) -> None:
        counts = self._store.counts(job.job_id)
        self._notices.publish(*views.job_event(job, operation, counts, self._clock()))

    # Executions

    def queue(self, job_id: str, thing: str, retry_attempt: int = 0) -> None:
        self._notices.watch(thing)
        now_s, number = self._clock(), self._store.next_number(job_id, thing)
        self._store.add(Execution(job_id, thing, number, now_s, retry_attempt, updated_s=now_s))
        self._store.know(job_id, thing)

    def become(self, one: Execution, status: str, **how: Any) -> Execution:
        """One update of an execution, as Execution.become; raises InvalidTransition."""
        new = one.become(status, self._clock(), **how)
        self._notices.watch(one.thing)
        self._store.replace(new)
        if not new.pending:
            self._touched.setdefault(one.job_id, []).append(new)
            self._notices.publish(*views.execution_event(new, status.lower(), self._arn, new.updated_s))
        return new

    def set_step_timer(self, one: Execution, step_min: int | None) -> Execution:
        new = one.step(step_min, self._clock())
        self._store.replace(new)
        return new

    def delete_execution(self, one: Execution) -> None:
        self._notices.watch(one.thing)
        self._store.delete_execution(one)
        self._touched.setdefault(one.job_id, [])
        self._notices.publish(*views.execution_event(one, "deleted", self._arn, self._clock()))

    # Once a second

    def sweep(self) -> None:
        """Start and end what is scheduled, follow the groups, roll out, time out."""
        now_s = self._clock()
        for job in self._store.jobs("status = 'SCHEDULED' AND start_s <= ?", now_s):
            self.start(job)
        for job in self._store.jobs("status = 'IN_PROGRESS' AND end_s <= ?", now_s):
            self._end(job)
        for job_id, thing in self._store.left():
            self._remove(job_id, thing)
        for job_id, thing in self._store.joined():
            self.queue(job_id, thing)
        for job_id in self._store.rolling_out():
            self.roll_out(self._store.job(job_id))
        for one in self._store.overdue(now_s):
            self.become(one, states.TIMED_OUT)

    def _end(self, job: Job) -> None:
        """The scheduled end of a job."""
        behavior = job.members["schedulingConfig"].get("endBehavior", "STOP_ROLLOUT")
        if behavior != "STOP_ROLLOUT":
            comment = f"schedulingConfig.endTime, {behavior}"
            self.cancel(job, {"comment": comment}, force=behavior == "FORCE_CANCEL")
            return
        self._store.wait_no_more(job.job_id)
        job.follows, job.end_s, job.updated_s = False, None, self._clock()
        self._store.save(job)
        self._touched.setdefault(job.job_id, [])

    def _remove(self, job_id: str, thing: str) -> None:
        self._store.forget(job_id, thing)
        for one in self._store.executions("job_id = ? AND thing = ?", job_id, thing):
            if one.pending:
                self.become(one, states.REMOVED)
        self._touched.setdefault(job_id, [])
