"""Jobs and their executions in the database."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..database import Database
from ..errors import ResourceNotFoundException
from .states import Execution

SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED = "SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED"

_JOB = (
    "job_id, members, document, status, follows, outcome, created_s, updated_s, completed_s, start_s, end_s"
)
_EXECUTION = (
    "id, job_id, thing, number, queued_s, retry_attempt, status, details, version, started_s, updated_s,"
    " in_progress_until_s, step_until_s, forced"
)
_MARKS = ", ".join("?" * len(_EXECUTION.split(",")))
_PENDING = "status IN ('QUEUED', 'IN_PROGRESS')"  # word for word as in the index
_LATEST = (
    "number = (SELECT max(number) FROM job_executions e WHERE e.job_id = x.job_id AND e.thing = x.thing)"
)


@dataclass(slots=True)
class Job:
    """A job.

    Args:
        members: those of CreateJob but its document.
        follows: whoever comes to be one of its targets gets it, whoever is none any more loses it.
        outcome: what a cancellation says.
        start_s, end_s: until when it waits for its start, and for its scheduled end.
    """

    job_id: str
    members: dict[str, Any]
    document: str
    status: str
    follows: bool
    created_s: float
    updated_s: float
    outcome: dict[str, Any] = field(default_factory=dict)
    completed_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None

    @property
    def timeout_min(self) -> int | None:
        return self.members.get("timeoutConfig", {}).get("inProgressTimeoutInMinutes")


class JobStore:
    """Reads and writes rows, and decides nothing."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Jobs

    def save(self, job: Job) -> None:
        row = (
            job.job_id, json.dumps(job.members), job.document, job.status, job.follows,
            json.dumps(job.outcome), job.created_s, job.updated_s, job.completed_s, job.start_s, job.end_s,
        )  # fmt: skip
        marks = ", ".join("?" * len(row))
        self._db.run(f"INSERT OR REPLACE INTO jobs ({_JOB}) VALUES ({marks})", *row)  # noqa: S608

    def jobs(self, where: str = "TRUE", *arguments: Any) -> list[Job]:
        """Jobs by a condition in SQL, the newest first."""
        sql = f"SELECT {_JOB} FROM jobs WHERE {where} ORDER BY created_s DESC, job_id"  # noqa: S608
        return [_job(row) for row in self._db.all(sql, *arguments)]

    def find_job(self, job_id: str) -> Job | None:
        return next(iter(self.jobs("job_id = ?", job_id)), None)

    def job(self, job_id: str) -> Job:
        """Raises ResourceNotFoundException."""
        if job := self.find_job(job_id):
            return job
        raise ResourceNotFoundException(f"job {job_id} does not exist")

    def delete_job(self, job_id: str) -> None:
        self.release(job_id)
        for table in ("jobs", "job_executions"):
            self._db.run(f"DELETE FROM {table} WHERE job_id = ?", job_id)  # noqa: S608

    def add_targets(self, job_id: str, targets: Iterable[tuple[str, str]]) -> None:
        """Targets as (thing or thinggroup, name)."""
        for kind, name in targets:
            self._db.run("INSERT OR IGNORE INTO job_targets VALUES (?, ?, ?)", job_id, kind, name)

    # Whom a job is for

    def enrol(self, job_id: str) -> None:
        """Let each thing that the targets name wait for the job, if it does not know it yet."""
        self._db.run(
            "INSERT OR IGNORE INTO job_things (job_id, thing, waits)"
            " SELECT job_id, thing, TRUE FROM job_targeted_things WHERE job_id = ? ORDER BY thing",
            job_id,
        )

    def joined(self) -> list[tuple[str, str]]:
        """(job, thing) where a continuous job's targets name a thing that does not know the job."""
        return self._db.all(
            "SELECT t.job_id, t.thing FROM jobs JOIN job_targeted_things t USING (job_id)"
            " LEFT JOIN job_things k ON k.job_id = t.job_id AND k.thing = t.thing"
            " WHERE k.thing IS NULL AND jobs.follows AND jobs.status = 'IN_PROGRESS' ORDER BY t.thing"
        )

    def left(self) -> list[tuple[str, str]]:
        """(job, thing) where the thing is deleted, or has left a continuous job's targets."""
        return self._db.all(
            f"SELECT x.job_id, x.thing FROM job_executions x LEFT JOIN things ON name = x.thing"  # noqa: S608
            f" WHERE {_PENDING} AND name IS NULL"
            " UNION SELECT k.job_id, k.thing FROM job_things k JOIN jobs USING (job_id)"
            " LEFT JOIN job_targeted_things t ON k.job_id = t.job_id AND k.thing = t.thing"
            " LEFT JOIN things ON things.name = k.thing"
            " WHERE things.name IS NULL OR t.thing IS NULL AND jobs.follows AND jobs.status = 'IN_PROGRESS'"
        )

    def know(self, job_id: str, thing: str) -> None:
        """The thing waits no more: it has the job."""
        self._db.run(
            "INSERT INTO job_things (job_id, thing, waits) VALUES (?, ?, FALSE)"
            " ON CONFLICT (job_id, thing) DO UPDATE SET waits = FALSE",
            job_id, thing,
        )  # fmt: skip

    def forget(self, job_id: str, thing: str) -> None:
        self._db.run("DELETE FROM job_things WHERE job_id = ? AND thing = ?", job_id, thing)

    def waiting(self, job_id: str, most: int = -1) -> list[str]:
        """The things that wait for a job, who has waited longest first."""
        sql = "SELECT thing FROM job_things WHERE waits AND job_id = ? ORDER BY id LIMIT ?"
        return [thing for (thing,) in self._db.all(sql, job_id, most)]

    def rolling_out(self) -> list[str]:
        return [job_id for (job_id,) in self._db.all("SELECT DISTINCT job_id FROM job_things WHERE waits")]

    def release(self, job_id: str) -> None:
        """The job has ended: whom it was for need not be looked at any more."""
        for table in ("job_targets", "job_things"):
            self._db.run(f"DELETE FROM {table} WHERE job_id = ?", job_id)  # noqa: S608

    def wait_no_more(self, job_id: str) -> None:
        self._db.run("DELETE FROM job_things WHERE waits AND job_id = ?", job_id)

    # Executions

    def add(self, execution: Execution) -> None:
        self._write("INSERT", execution, None)

    def replace(self, execution: Execution) -> None:
        self._write("REPLACE", execution, execution.id)

    def _write(self, verb: str, one: Execution, identifier: int | None) -> None:
        self._db.run(
            f"{verb} INTO job_executions ({_EXECUTION}) VALUES ({_MARKS})",
            identifier, one.job_id, one.thing, one.number, one.queued_s, one.retry_attempt, one.status,
            json.dumps(one.details), one.version, one.started_s, one.updated_s, one.in_progress_until_s,
            one.step_until_s, one.forced,
        )  # fmt: skip

    def delete_execution(self, execution: Execution) -> None:
        self._db.run("DELETE FROM job_executions WHERE id = ?", execution.id)

    def executions(self, where: str, *arguments: Any) -> list[Execution]:
        """Executions by a condition in SQL, the oldest first."""
        sql = f"SELECT {_EXECUTION} FROM job_executions x WHERE {where} ORDER BY id"  # noqa: S608
        return [_execution(row) for row in self._db.all(sql, *arguments)]

    def pending(self, thing: str) -> list[Execution]:
        return self.executions(f"thing = ? AND {_PENDING}", thing)

    def check_thing(self, name: str) -> None:
        """Raises ResourceNotFoundException."""
        if not self._db.one("SELECT 1 FROM things WHERE name = ?", name):
            raise ResourceNotFoundException(f"thing {name} does not exist")

    def execution(self, job_id: str, thing: str, number: int | None = None) -> Execution:
        """An execution, the latest one unless a number is given; raises ResourceNotFoundException."""
        which, arguments = (_LATEST, ()) if number is None else ("number = ?", (number,))
        found = self.executions(f"job_id = ? AND thing = ? AND {which}", job_id, thing, *arguments)
        if not found:
            which = "no execution" if number is None else f"no execution {number}"
            raise ResourceNotFoundException(f"{which} of job {job_id} on thing {thing}")
        return found[0]

    def next_number(self, job_id: str, thing: str) -> int:
        sql = "SELECT coalesce(max(number), 0) + 1 FROM job_executions WHERE job_id = ? AND thing = ?"
        return self._db.all(sql, job_id, thing)[0][0]

    def counts(self, job_id: str) -> Mapping[str, int]:
        """How many executions of a job have which status, retries among them as on AWS."""
        sql = "SELECT status, count(*) FROM job_executions WHERE job_id = ? GROUP BY status"
        return dict(self._db.all(sql, job_id))

    def notified_since(self, job_id: str, since_s: float) -> int:
        """How many things the rollout has told of a job after a moment."""
        sql = "SELECT count(*) FROM job_executions WHERE job_id = ? AND retry_attempt = 0 AND queued_s > ?"
        return self._db.all(sql, job_id, since_s)[0][0]

    def overdue(self, now_s: float) -> list[Execution]:
        late = "(in_progress_until_s <= ? OR step_until_s <= ?)"
        return self.executions(f"{_PENDING} AND {late}", now_s, now_s)


def _job(row: tuple[Any, ...]) -> Job:
    job_id, members, document, status, follows, outcome, created_s, updated_s, *times = row
    return Job(
        job_id, json.loads(members), document, status, bool(follows), created_s, updated_s,
        json.loads(outcome), *times,
    )  # fmt: skip


def _execution(row: tuple[Any, ...]) -> Execution:
    (identifier, job_id, thing, number, queued_s, retry_attempt, status, details, *rest) = row
    version, started_s, updated_s, in_progress_until_s, step_until_s, forced = rest
    return Execution(
        job_id, thing, number, queued_s, retry_attempt, status, json.loads(details), version, started_s,
        updated_s, in_progress_until_s, step_until_s, bool(forced), identifier,
    )  # fmt: skip
