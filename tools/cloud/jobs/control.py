"""Jobs by the names and arguments of boto3's `iot` client."""

from collections.abc import Callable
from typing import Any

from .. import documents
from ..answer import Answer
from ..database import Database
from ..errors import (
    InvalidRequestException,
    InvalidStateTransitionException,
    LimitExceededException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from ..paging import page
from . import placeholders, schedule, shapes, store, views
from .data import TOPICS, JobsData
from .executions import JobExecutions
from .lifecycle import Lifecycle
from .notices import Notices
from .store import Job, JobStore

MAX_DEPTH = 600
"""How deep a document may be nested; AWS names no limit."""

_DOCUMENT_BYTES = 32_768
_MAX_PAGE = 250
_MOST_TARGETS = 100
_KEPT = {
    "tags": "tags",
    "namespaceId": "namespaceId, of Greengrass alone",
    "jobTemplateArn": "jobTemplateArn: the document is taken as it is given",
    "documentParameters": "documentParameters: the document is taken as it is given",
    "destinationPackageVersions": "destinationPackageVersions: no package version is set",
}


class Jobs:
    """The control plane; `executions` has its part about executions, `data` the devices' operations.

    Args:
        database: where all of it is kept; each request is one transaction in it.
        arn: makes the ARN of a resource such as `job/update-7`.
        publish: notices and events to whoever subscribed.
        clock: seconds since 1970.
        presign: signs the S3 URLs in documents; without, devices get them as they are.
    """

    def __init__(
        self,
        database: Database,
        arn: Callable[[str], str],
        publish: Callable[[str, bytes], None],
        clock: Callable[[], float],
        presign: placeholders.Presign | None = None,
    ) -> None:
        self._db = database
        self._arn = arn
        self._clock = clock
        self._signs = presign is not None
        self.store = JobStore(database)
        self.notices = Notices(database, self.store, publish, clock, presign or placeholders.unsigned)
        self.lifecycle = Lifecycle(database, self.store, self.notices, arn, clock)
        self.executions = JobExecutions(self.store, self.lifecycle, arn, clock)
        self.data = JobsData(self.store, self.lifecycle, self.notices, clock)

    # Jobs

    def create_job(
        self,
        *,
        jobId: str,
        targets: list[str],
        document: str | None = None,
        documentSource: str | None = None,
        targetSelection: str = "SNAPSHOT",
        **members: Any,
    ) -> Answer:
        """The members are CreateJob's; what is not simulated is kept, and named in the answer's warnings.

        Raises:
            InvalidRequestException: an argument cannot be, or the document is to be fetched from S3.
            ResourceNotFoundException: a target does not exist.
            ResourceAlreadyExistsException: there is a job of this id.
        """
        shapes.JOB_ID("jobId", jobId)
        text = _document(document, documentSource)
        given = shapes.check(
            shapes.CREATE_JOB, members | {"targets": targets, "targetSelection": targetSelection}
        )
        now_s = self._clock()
        start_s, end_s = schedule.times(given.get("schedulingConfig", {}), now_s)
        status = store.IN_PROGRESS if start_s is None else store.SCHEDULED
        follows = targetSelection == "CONTINUOUS"
        job = Job(jobId, given, text, status, follows, now_s, now_s, start_s=start_s, end_s=end_s)
        with self.lifecycle.changing():
            if self.store.find_job(jobId):
                raise ResourceAlreadyExistsException(f"job {jobId} exists")
            self.store.add_targets(jobId, map(self._target, targets))
            self.store.save(job)
            if start_s is None:
                self.lifecycle.start(job)
        return Answer(self._named(job), self._warnings(job))

    def describe_job(self, *, jobId: str, beforeSubstitution: bool = False) -> dict[str, Any]:
        job = self.store.job(jobId)
        rolls_out = bool(self.store.waiting(jobId, 1))
        return {"job": views.job(job, self._job_arn(job), self.store.counts(jobId), rolls_out)}

    def get_job_document(self, *, jobId: str, beforeSubstitution: bool = False) -> dict[str, Any]:
        """The document as it was given, with its placeholders."""
        return {"document": self.store.job(jobId).document}

    def list_jobs(
        self,
        *,
        status: str | None = None,
        targetSelection: str | None = None,
        thingGroupName: str | None = None,
        thingGroupId: str | None = None,
        namespaceId: str | None = None,
        maxResults: int = _MAX_PAGE,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """The newest first."""
        if thingGroupId is not None:
            raise InvalidRequestException("thingGroupId: groups have no ids here, use thingGroupName")
        jobs = self.store.jobs()
        if thingGroupName is not None:
            target = self._arn(f"thinggroup/{thingGroupName}")
            jobs = [job for job in jobs if target in job.members["targets"]]
        wanted = {"targetSelection": targetSelection, "namespaceId": namespaceId}
        for name, value in views.present(wanted).items():
            jobs = [job for job in jobs if job.members.get(name) == value]
        if status is not None:
            jobs = [job for job in jobs if job.status == status]
        return page("jobs", jobs, nextToken, maxResults, _MAX_PAGE, InvalidRequestException, self._summary)

    def update_job(self, *, jobId: str, namespaceId: str | None = None, **members: Any) -> None:
        """Change what CreateJob gave; a timer that runs already runs on."""
        given = shapes.check(shapes.UPDATE_JOB, members)
        with self.lifecycle.changing():
            job = self.store.job(jobId)
            if job.status not in (store.IN_PROGRESS, store.SCHEDULED):
                raise InvalidRequestException(f"job {jobId} is {job.status}")
            job.members |= given
            job.updated_s = self._clock()
            self.store.save(job)

    def cancel_job(
        self, *, jobId: str, reasonCode: str | None = None, comment: str | None = None, force: bool = False
    ) -> dict[str, Any]:
        """Cancel what is queued, with `force` also what is in progress."""
        outcome = shapes.check(shapes.CANCEL_JOB, {"reasonCode": reasonCode, "comment": comment})
        with self.lifecycle.changing():
            job = self.store.job(jobId)
            if job.status == store.COMPLETED:
                raise InvalidRequestException(f"job {jobId} is {job.status}")
            self.lifecycle.cancel(job, outcome, force)
        return self._named(job)

    def delete_job(self, *, jobId: str, force: bool = False, namespaceId: str | None = None) -> None:
        """Raises InvalidStateTransitionException for a job that has not ended, unless forced."""
        with self.lifecycle.changing():
            job = self.store.job(jobId)
            if not force and job.status not in (store.COMPLETED, store.CANCELED):
                raise InvalidStateTransitionException(f"job {jobId} is {job.status}; force deletes it")
            self.lifecycle.delete(job)

    def associate_targets_with_job(
        self, *, jobId: str, targets: list[str], comment: str | None = None, namespaceId: str | None = None
    ) -> dict[str, Any]:
        """Add groups to a continuous job."""
        shapes.check(shapes.CREATE_JOB, {"targets": targets})
        outcome = shapes.check(shapes.CANCEL_JOB, {"comment": comment})
        with self.lifecycle.changing():
            job = self.store.job(jobId)
            if not job.follows or job.status != store.IN_PROGRESS:
                raise InvalidRequestException(f"job {jobId}: must be CONTINUOUS and IN_PROGRESS")
            found = [self._target(target) for target in targets]
            if any(kind != "thinggroup" for kind, _ in found):
                raise InvalidRequestException("targets: only groups can be associated with a job")
            job.members["targets"] = list(dict.fromkeys([*job.members["targets"], *targets]))
            if len(job.members["targets"]) > _MOST_TARGETS:
                raise LimitExceededException(f"job {jobId}: at most {_MOST_TARGETS} targets")
            job.outcome |= outcome
            job.updated_s = self._clock()
            self.store.save(job)
            self.store.add_targets(jobId, found)
            self.store.enrol(jobId)
            self.lifecycle.roll_out(job)
        return self._named(job)

    def sweep(self) -> None:
        """Once a second: start, roll out, time out and end what is due."""
        with self.lifecycle.changing():
            self.lifecycle.sweep()

    # What they share

    def _target(self, arn: str) -> tuple[str, str]:
        """(thing or thinggroup, name) of a target that exists."""
        for kind, table in (("thing", "things"), ("thinggroup", "thing_groups")):
            prefix = self._arn(f"{kind}/")
            name = arn.removeprefix(prefix)
            if arn.startswith(prefix):
                if not self._db.one(f"SELECT 1 FROM {table} WHERE name = ?", name):  # noqa: S608
                    raise ResourceNotFoundException(f"targets: {kind} {name} does not exist")
                return kind, name
        raise InvalidRequestException(f"targets: {arn!r} is the ARN of neither a thing nor a group here")

    def _warnings(self, job: Job) -> list[str]:
        said = [text for member, text in _KEPT.items() if member in job.members]
        if "maintenanceWindows" in job.members.get("schedulingConfig", {}):
            said.append("schedulingConfig.maintenanceWindows: the job does not wait for them")
        if job.job_id in TOPICS:
            said.append(f"jobId: a device cannot ask for {job.job_id!r} over MQTT, it is a topic there")
        role = "roleArn" in job.members.get("presignedUrlConfig", {})
        return [f"{text}; kept" for text in said] + placeholders.remarks(job.document, self._signs, role)

    def _named(self, job: Job) -> dict[str, Any]:
        description = {"description": job.members.get("description")}
        return {"jobArn": self._job_arn(job), "jobId": job.job_id} | views.present(description)

    def _summary(self, job: Job) -> dict[str, Any]:
        return views.job_summary(job, self._job_arn(job), bool(self.store.waiting(job.job_id, 1)))

    def _job_arn(self, job: Job) -> str:
        return self._arn(f"job/{job.job_id}")


def _document(document: str | None, source: str | None) -> str:
    """The document's text; raises InvalidRequestException."""
    if document is None:
        raise InvalidRequestException(
            "document: is missing"
            if source is None
            else "documentSource: nothing is fetched from S3 here; give the document itself"
        )
    if source is not None:
        raise InvalidRequestException("document and documentSource: give one of them")
    if not isinstance(document, str) or len(document.encode(errors="replace")) > _DOCUMENT_BYTES:
        raise InvalidRequestException(f"document: must be a text of at most {_DOCUMENT_BYTES} bytes")
    try:
        documents.load(document, MAX_DEPTH)
    except ValueError as error:
        raise InvalidRequestException(f"document {error}") from None
    return document
