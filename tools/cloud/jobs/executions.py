"""Job executions by the names and arguments of boto3's `iot` client."""

from collections.abc import Callable
from typing import Any

from ..errors import InvalidRequestException, InvalidStateTransitionException, VersionConflictException
from ..paging import page
from . import shapes, states, views
from .lifecycle import Lifecycle
from .states import Execution, InvalidTransition
from .store import JobStore

_MAX_PAGE = 250


class JobExecutions:
    """The control plane's part about executions.

    Args:
        store: where they are.
        lifecycle: changes them.
        arn: makes the ARN of a resource such as `thing/lamp`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: JobStore,
        lifecycle: Lifecycle,
        arn: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._arn = arn
        self._clock = clock

    def describe_job_execution(
        self, *, jobId: str, thingName: str, executionNumber: int | None = None
    ) -> dict[str, Any]:
        """The latest execution, unless a number is given."""
        if executionNumber is not None:
            shapes.COUNTED("executionNumber", executionNumber)
        one = self._store.execution(jobId, thingName, executionNumber)
        return {"execution": views.execution(one, self._arn(f"thing/{thingName}"), self._clock())}

    def list_job_executions_for_job(
        self,
        *,
        jobId: str,
        status: str | None = None,
        maxResults: int = _MAX_PAGE,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        self._store.job(jobId)
        found = [one for one in self._store.executions("job_id = ?", jobId) if status in (None, one.status)]

        def shown(one: Execution) -> dict[str, Any]:
            arn = self._arn(f"thing/{one.thing}")
            return {"thingArn": arn, "jobExecutionSummary": views.execution_summary(one)}

        return page(
            "executionSummaries", found, nextToken, maxResults, _MAX_PAGE, InvalidRequestException, shown
        )

    def list_job_executions_for_thing(
        self,
        *,
        thingName: str,
        status: str | None = None,
        jobId: str | None = None,
        namespaceId: str | None = None,
        maxResults: int = _MAX_PAGE,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """The newest first."""
        self._store.check_thing(thingName)
        found = [
            one
            for one in reversed(self._store.executions("thing = ?", thingName))
            if status in (None, one.status) and jobId in (None, one.job_id)
        ]

        def shown(one: Execution) -> dict[str, Any]:
            return {"jobId": one.job_id, "jobExecutionSummary": views.execution_summary(one)}

        return page(
            "executionSummaries", found, nextToken, maxResults, _MAX_PAGE, InvalidRequestException, shown
        )

    def cancel_job_execution(
        self,
        *,
        jobId: str,
        thingName: str,
        force: bool = False,
        expectedVersion: int | None = None,
        statusDetails: dict[str, str] | None = None,
    ) -> None:
        """Cancel one that is queued, with `force` also one in progress."""
        if statusDetails is not None:
            shapes.DETAILS("statusDetails", statusDetails)
        with self._lifecycle.changing():
            one = self._store.execution(jobId, thingName)
            state = views.execution_state(one)
            if expectedVersion not in (None, one.version):
                raise VersionConflictException(f"the execution's version is {one.version}", state)
            if one.status == states.IN_PROGRESS and not force:
                raise InvalidStateTransitionException("the execution is IN_PROGRESS; use force", state)
            try:
                self._lifecycle.become(one, states.CANCELED, details=statusDetails, forced=force)
            except InvalidTransition as error:
                raise InvalidStateTransitionException(f"the execution: {error}", state) from None

    def delete_job_execution(
        self,
        *,
        jobId: str,
        thingName: str,
        executionNumber: int,
        force: bool = False,
        namespaceId: str | None = None,
    ) -> None:
        """Raises InvalidStateTransitionException for one that has not ended, unless forced."""
        shapes.COUNTED("executionNumber", executionNumber)
        with self._lifecycle.changing():
            one = self._store.execution(jobId, thingName, executionNumber)
            if one.pending and not force:
                raise InvalidStateTransitionException(f"the execution is {one.status}; force deletes it")
            self._lifecycle.delete_execution(one)
