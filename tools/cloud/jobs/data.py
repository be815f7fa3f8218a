"""What devices ask of AWS IoT Jobs, by the names and arguments of boto3's `iot-jobs-data` client."""

from collections.abc import Callable
from typing import Any

from ..errors import (
    InvalidStateTransitionException,
    TerminalStateException,
    VersionConflictException,
)
from . import shapes, states, views
from .lifecycle import Lifecycle
from .notices import Notices
from .states import Execution, InvalidTransition
from .store import JobStore

NEXT = "$next"
"""In place of a job's id: the execution that is next."""

TOPICS = ("get", "start-next", "notify", "notify-next")
"""What no job on MQTT can be called by."""

REQUEST = {
    "status": shapes.one_of(*states.BY_DEVICE),
    "statusDetails": shapes.DETAILS,
    "stepTimeoutInMinutes": shapes.whole(1, 10080, states.NO_STEP_TIMER),
    "expectedVersion": shapes.COUNTED,
    "executionNumber": shapes.COUNTED,
    "includeJobExecutionState": shapes.flag,
    "includeJobDocument": shapes.flag,
}
"""The members of requests, and what each of them may be."""


class JobsData:
    """The data plane; MQTT has the same operations. Times are whole seconds, a document is its text.

    Args:
        store: jobs and executions.
        lifecycle: changes them.
        notices: has the documents as devices get them.
        clock: seconds since 1970.
    """

    def __init__(
        self, store: JobStore, lifecycle: Lifecycle, notices: Notices, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._notices = notices
        self._clock = clock

    def get_pending_job_executions(self, *, thingName: str) -> dict[str, Any]:
        """The first ten that have not ended."""
        self._store.check_thing(thingName)
        found = views.pending_by_status(self._store.pending(thingName))
        return {
            "inProgressJobs": found.get(states.IN_PROGRESS, []),
            "queuedJobs": found.get(states.QUEUED, []),
        }

    def start_next_pending_job_execution(
        self,
        *,
        thingName: str,
        statusDetails: dict[str, str] | None = None,
        stepTimeoutInMinutes: int | None = None,
    ) -> dict[str, Any]:
        """The next execution, IN_PROGRESS from now on; without `execution` where there is none."""
        _check(statusDetails=statusDetails)
        if stepTimeoutInMinutes is not None:  # there is none yet that it could end
            shapes.MINUTES("stepTimeoutInMinutes", stepTimeoutInMinutes)
        with self._lifecycle.changing():
            one = self._next(thingName)
            if one is None:
                return {}
            if one.status == states.QUEUED:
                one = self._become(one, states.IN_PROGRESS, statusDetails, stepTimeoutInMinutes)
            elif stepTimeoutInMinutes is not None:
                one = self._lifecycle.set_step_timer(one, stepTimeoutInMinutes)
            return {"execution": self._shown(one, True)}

    def describe_job_execution(
        self,
        *,
        jobId: str,
        thingName: str,
        includeJobDocument: bool | None = None,
        executionNumber: int | None = None,
    ) -> dict[str, Any]:
        """An execution that has not ended; the latest one of the job unless a number is given.

        Raises:
            ResourceNotFoundException: there is none of the job on the thing.
            TerminalStateException: it has ended.
        """
        _check(includeJobDocument=includeJobDocument, executionNumber=executionNumber)
        is_next = jobId == NEXT
        one = self._next(thingName) if is_next else self._execution(jobId, thingName, executionNumber)
        if one is None:
            return {}
        if not one.pending:
            raise TerminalStateException(f"the execution of job {jobId} has ended, it is {one.status}")
        return {"execution": self._shown(one, includeJobDocument is not False)}

    def update_job_execution(
        self,
        *,
        jobId: str,
        thingName: str,
        status: str,
        statusDetails: dict[str, str] | None = None,
        stepTimeoutInMinutes: int | None = None,
        expectedVersion: int | None = None,
        includeJobExecutionState: bool | None = None,
        includeJobDocument: bool | None = None,
        executionNumber: int | None = None,
    ) -> dict[str, Any]:
        """Report an execution's progress or end.

        Raises:
            InvalidRequestException: an argument cannot be, or only the service sets the status.
            ResourceNotFoundException: there is none of the job on the thing.
            VersionConflictException, InvalidStateTransitionException: with the state that it is in.
        """
        _check(
            status=status, statusDetails=statusDetails, stepTimeoutInMinutes=stepTimeoutInMinutes,
            expectedVersion=expectedVersion, includeJobExecutionState=includeJobExecutionState,
            includeJobDocument=includeJobDocument, executionNumber=executionNumber,
        )  # fmt: skip
        with self._lifecycle.changing():
            one = self._execution(jobId, thingName, executionNumber)
            if expectedVersion not in (None, one.version):
                text = f"expectedVersion: {expectedVersion}, the execution's is {one.version}"
                raise VersionConflictException(text, views.execution_state(one))
            one = self._become(one, status, statusDetails, stepTimeoutInMinutes)
        answer: dict[str, Any] = {}
        if includeJobExecutionState:
            answer["executionState"] = views.execution_state(one)
        if includeJobDocument:
            answer["jobDocument"] = self._document(one)
        return answer

    def _next(self, thing: str) -> Execution | None:
        self._store.check_thing(thing)
        return next(iter(states.in_order(self._store.pending(thing))), None)

    def _execution(self, job_id: str, thing: str, number: int | None) -> Execution:
        shapes.JOB_ID("jobId", job_id)
        return self._store.execution(job_id, thing, number)

    def _become(
        self, one: Execution, status: str, details: dict[str, str] | None, step_min: int | None
    ) -> Execution:
        timeout_min = self._store.job(one.job_id).timeout_min
        try:
            return self._lifecycle.become(
                one, status, details=details, timeout_min=timeout_min, step_min=step_min
            )
        except InvalidTransition as error:
            text = f"the execution of job {one.job_id}: {error}"
            raise InvalidStateTransitionException(text, views.execution_state(one)) from None

    def _shown(self, one: Execution, with_document: bool) -> dict[str, Any]:
        document = self._document(one) if with_document else None
        return views.execution_data(one, self._clock(), document)

    def _document(self, one: Execution) -> str:
        return self._notices.document(self._store.job(one.job_id))


def _check(**request: Any) -> None:
    shapes.check(REQUEST, request)
