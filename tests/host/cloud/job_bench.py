"""A cloud that does not listen, whose jobs are asked directly and whose clock stands still."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.host.cloud.support import Clock
from tools.cloud import Cloud

DOCUMENT = '{"action": "blink"}'


class JobBench:
    """The jobs of a cloud, and what was published of them."""

    def __init__(self, cloud: Cloud, clock: Clock) -> None:
        self.cloud = cloud
        self.jobs = cloud.jobs
        self.executions = cloud.jobs.executions
        self.data = cloud.jobs.data
        self.groups = cloud.registry.groups
        self.clock = clock
        self._published: list[tuple[str, dict[str, Any]]] = []

    def publish(self, topic: str, payload: bytes) -> None:
        self._published.append((topic, json.loads(payload)))

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        """(topic, payload) of what was published since the last call."""
        published, self._published = self._published, []
        return published

    def topics(self) -> list[str]:
        """Only the topics, without their common beginnings."""
        return [
            topic.removeprefix("$aws/things/").removeprefix("$aws/events/") for topic, _ in self.published()
        ]

    def things(self, *names: str, group: str | None = None) -> list[str]:
        """Make things, in a group if one is given; their ARNs."""
        for name in names:
            self.cloud.registry.create_thing(thingName=name)
            if group is not None:
                self.groups.create_thing_group(thingGroupName=group)
                self.groups.add_thing_to_thing_group(thingGroupName=group, thingName=name)
        return [self.arn(f"thing/{name}") for name in names]

    def arn(self, resource: str) -> str:
        return self.cloud.registry.arn(resource)

    def create(self, job_id: str, targets: list[str], **members: Any) -> list[str]:
        """Create a job; the answer's warnings."""
        return self.jobs.create_job(
            jobId=job_id, targets=targets, **{"document": DOCUMENT} | members
        ).warnings

    def later(self, seconds: float) -> None:
        """Let time pass, and the cloud do what is due by then."""
        self.clock.now_s += seconds
        self.jobs.sweep()

    def job(self, job_id: str) -> dict[str, Any]:
        return self.jobs.describe_job(jobId=job_id)["job"]

    def status(self, job_id: str, thing: str) -> tuple[str, int]:
        """(status, number) of the latest execution."""
        found = self.executions.describe_job_execution(jobId=job_id, thingName=thing)["execution"]
        return found["status"], found["executionNumber"]

    def statuses(self, job_id: str) -> list[str]:
        """All executions of a job as "thing STATUS", the oldest first."""
        found = self.executions.list_job_executions_for_job(jobId=job_id)["executionSummaries"]
        return [
            f"{one['thingArn'].rpartition('/')[2]} {one['jobExecutionSummary']['status']}" for one in found
        ]

    def counts(self, job_id: str) -> dict[str, int]:
        """What is not zero of the job's numbers, "Failed" for numberOfFailedThings."""
        details = self.job(job_id)["jobProcessDetails"]
        names = {name: name.removeprefix("numberOf").removesuffix("Things") for name in details}
        return {names[name]: n for name, n in details.items() if n and name.startswith("numberOf")}

    def report(self, job_id: str, thing: str, status: str, **members: Any) -> dict[str, Any]:
        return self.data.update_job_execution(jobId=job_id, thingName=thing, status=status, **members)


@contextmanager
def job_bench(folder: Path) -> Iterator[JobBench]:
    clock = Clock()
    cloud = Cloud(folder / "state", clock=clock)
    bench = JobBench(cloud, clock)
    cloud.jobs.notices._publish = bench.publish
    try:
        yield bench
    finally:
        cloud._database.close()
