"""The control plane of jobs, with a clock that goes when it is told to."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.job_bench import DOCUMENT, JobBench, job_bench
from tools.cloud.errors import (
    InvalidRequestException,
    InvalidStateTransitionException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    TerminalStateException,
    VersionConflictException,
)

URL = "https://s3.eu-west-1.amazonaws.com/bucket/key"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[JobBench]:
    with job_bench(tmp_path) as running:
        yield running


def test_from_creation_to_the_end(bench: JobBench) -> None:
    lamp, door = bench.things("lamp", "door")
    assert bench.create("blink", [lamp, door], description="Blink once") == []
    assert bench.topics() == [
        f"{name}/jobs/{it}" for name in ("door", "lamp") for it in ("notify", "notify-next")
    ]
    job = bench.job("blink")
    assert (job["status"], job["targetSelection"], job["targets"]) == (
        "IN_PROGRESS",
        "SNAPSHOT",
        [lamp, door],
    )
    assert job["jobArn"] == bench.arn("job/blink") and job["description"] == "Blink once"
    assert bench.counts("blink") == {"Queued": 2}
    started = bench.data.start_next_pending_job_execution(thingName="lamp", statusDetails={"step": "1"})
    assert started["execution"] == {
        "jobId": "blink", "thingName": "lamp", "status": "IN_PROGRESS", "statusDetails": {"step": "1"},
        "queuedAt": 1_700_000_000, "startedAt": 1_700_000_000, "lastUpdatedAt": 1_700_000_000,
        "versionNumber": 2, "executionNumber": 1, "jobDocument": DOCUMENT,
    }  # fmt: skip
    again = bench.data.start_next_pending_job_execution(thingName="lamp", statusDetails={"step": "2"})
    assert again == started, "one in progress keeps its details"
    bench.clock.now_s += 5
    assert bench.report("blink", "lamp", "SUCCEEDED", expectedVersion=2, includeJobDocument=True) == {
        "jobDocument": DOCUMENT
    }
    assert bench.counts("blink") == {"Queued": 1, "Succeeded": 1}
    assert bench.topics() == ["jobExecution/blink/succeeded", "lamp/jobs/notify", "lamp/jobs/notify-next"]
    assert bench.job("blink")["status"] == "IN_PROGRESS"
    bench.report("blink", "door", "REJECTED", statusDetails={"reason": "no lamp"})
    (_, execution), (topic, job_event), *_ = bench.published()
    assert execution["thingArn"] == door and execution["statusDetails"] == {"reason": "no lamp"}
    assert (execution["eventType"], execution["status"]) == ("JOB_EXECUTION", "REJECTED")
    assert topic == "$aws/events/job/blink/completed"
    assert job_event | {"eventId": ""} == {
        "eventType": "JOB", "eventId": "", "timestamp": 1_700_000_005, "operation": "completed",
        "jobId": "blink", "status": "COMPLETED", "targetSelection": "SNAPSHOT", "targets": [lamp, door],
        "description": "Blink once", "createdAt": 1_700_000_000_000, "lastUpdatedAt": 1_700_000_005_000,
        "completedAt": 1_700_000_005_000,
        "jobProcessDetails": {
            "numberOfCanceledThings": 0, "numberOfSucceededThings": 1, "numberOfFailedThings": 0,
            "numberOfRejectedThings": 1, "numberOfRemovedThings": 0, "numberOfTimedOutThings": 0,
        },
    }  # fmt: skip
    job = bench.job("blink")
    assert (job["status"], job["completedAt"]) == ("COMPLETED", 1_700_000_005.0)


def test_what_cannot_be_created(bench: JobBench) -> None:
    targets = bench.things("lamp")
    bench.create("one", targets)
    with pytest.raises(ResourceAlreadyExistsException, match="job one exists"):
        bench.create("one", targets)
    with pytest.raises(ResourceNotFoundException, match="thing ghost does not exist"):
        bench.create("two", [*targets, bench.arn("thing/ghost")])
    with pytest.raises(InvalidRequestException, match="neither a thing nor a group"):
        bench.create("two", ["arn:aws:iot:us-east-1:1:thing/lamp"])
    with pytest.raises(InvalidRequestException, match=r"^documentSource: nothing is fetched from S3"):
        bench.create("two", targets, document=None, documentSource=URL)
    with pytest.raises(InvalidRequestException, match=r"^document: is missing"):
        bench.create("two", targets, document=None)
    with pytest.raises(InvalidRequestException, match=r"^jobId: "):
        bench.create("with space", targets)
    with pytest.raises(ResourceNotFoundException):
        bench.job("two")
    assert bench.jobs.list_jobs()["jobs"] == [
        {
            "jobId": "one", "jobArn": bench.arn("job/one"), "status": "IN_PROGRESS", "isConcurrent": False,
            "targetSelection": "SNAPSHOT", "createdAt": 1_700_000_000.0, "lastUpdatedAt": 1_700_000_000.0,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1e400}', "more than a number can be"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": "' + 32_768 * "x" + '"}', "32768 bytes"),
        ('{"a": "' + 20_000 * "ä" + '"}', "32768 bytes"),
        (601 * '{"a":' + "1" + 601 * "}", "nested too deeply"),
        (5000 * '{"a":' + "1" + 5000 * "}", "nested too deeply"),
    ],
)
def test_documents_that_cannot_be(bench: JobBench, document: str, reason: str) -> None:
    with pytest.raises(InvalidRequestException, match=f"^document.*{reason}"):
        bench.create("j", bench.things("lamp"), document=document)


@pytest.mark.parametrize(
    "document",
    [
        500 * '{"a":' + "1" + 500 * "}",
        '{"a": "' + 32_759 * "x" + '"}',
        '{"": "\\u0000\\"${}", "é": [1.5e300, -0.0]}',
    ],
)
def test_documents_come_as_they_were_given(bench: JobBench, document: str) -> None:
    bench.create("j", bench.things("lamp"), document=document)
    assert bench.jobs.get_job_document(jobId="j") == {"document": document}
    found = bench.data.describe_job_execution(jobId="$next", thingName="lamp")
    assert found["execution"]["jobDocument"] == document


def test_what_is_kept_and_not_simulated_is_said(bench: JobBench) -> None:
    kept: dict[str, Any] = {
        "tags": [{"Key": "a", "Value": "b"}],
        "namespaceId": "ns",
        "jobTemplateArn": "arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0",
        "documentParameters": {"a": "b"},
        "destinationPackageVersions": ["arn:aws:iot:us-east-1:123456789012:package/a/version/1"],
        "schedulingConfig": {
            "maintenanceWindows": [{"startTime": "cron(0 0 * * ? *)", "durationInMinutes": 60}]
        },
        "presignedUrlConfig": {"roleArn": "arn:aws:iam::123456789012:role/s3", "expiresInSec": 60},
    }
    document = f'{{"url": "${{aws:iot:s3-presigned-url:{URL}}}"}}'
    warnings = bench.create("notify", bench.things("lamp"), document=document, **kept)
    assert [re.split("[:,;]", warning)[0] for warning in warnings] == [
        "tags", "namespaceId", "jobTemplateArn", "documentParameters", "destinationPackageVersions",
        "schedulingConfig.maintenanceWindows", "jobId", "document",
    ]  # fmt: skip
    job = bench.job("notify")
    assert {name: job[name] for name in kept if name != "tags"} == {
        name: value for name, value in kept.items() if name != "tags"
    }
    found = bench.data.describe_job_execution(jobId="notify", thingName="lamp")
    assert URL in found["execution"]["jobDocument"] and "presigned" not in found["execution"]["jobDocument"]


def test_lists_by_page_and_filter(bench: JobBench) -> None:
    lamp, door = bench.things("lamp", "door", group="house")
    for number in range(7):
        bench.clock.now_s += 1
        bench.create(f"job-{number}", [lamp] if number % 2 else [bench.arn("thinggroup/house")])
    bench.jobs.cancel_job(jobId="job-3")
    ids, token = [], None
    while True:
        found = bench.jobs.list_jobs(maxResults=3, nextToken=token)
        ids.append([job["jobId"] for job in found["jobs"]])
        if not (token := found.get("nextToken")):
            break
    assert ids == [["job-6", "job-5", "job-4"], ["job-3", "job-2", "job-1"], ["job-0"]]
    assert [j["jobId"] for j in bench.jobs.list_jobs(status="CANCELED")["jobs"]] == ["job-3"]
    assert len(bench.jobs.list_jobs(thingGroupName="house")["jobs"]) == 4
    assert not bench.jobs.list_jobs(targetSelection="CONTINUOUS")["jobs"]
    found = bench.executions.list_job_executions_for_thing(thingName="lamp", status="QUEUED", maxResults=2)
    assert [one["jobId"] for one in found["executionSummaries"]] == ["job-6", "job-5"]
    found = bench.executions.list_job_executions_for_job(jobId="job-0", status="QUEUED")
    assert {one["thingArn"] for one in found["executionSummaries"]} == {lamp, door}
    for wrong in ({"maxResults": 0}, {"maxResults": 251}, {"nextToken": "x"}, {"thingGroupId": "x"}):
        with pytest.raises(InvalidRequestException):
            bench.jobs.list_jobs(**wrong)


@pytest.mark.parametrize("force", [False, True])
def test_cancel_a_job(bench: JobBench, force: bool) -> None:
    bench.create("j", bench.things("a", "b", "c"))
    bench.report("j", "a", "SUCCEEDED")
    bench.report("j", "b", "IN_PROGRESS")
    bench.published()
    bench.jobs.cancel_job(jobId="j", reasonCode="WRONG_1", comment="the wrong one", force=force)
    assert bench.statuses("j") == [
        "a SUCCEEDED",
        "b " + ("CANCELED" if force else "IN_PROGRESS"),
        "c CANCELED",
    ]
    job = bench.job("j")
    assert (job["status"], job["reasonCode"], job["comment"]) == ("CANCELED", "WRONG_1", "the wrong one")
    assert job.get("forceCanceled", False) is force
    topics = bench.topics()
    assert topics[0] == "job/j/cancellation_in_progress"
    assert topics.index("job/j/cancellation_in_progress") < topics.index("job/j/canceled")
    assert topics.count("jobExecution/j/canceled") == 1 + force
    assert ("b/jobs/notify-next" in topics) is force
    if force:
        with pytest.raises(InvalidStateTransitionException) as caught:
            bench.report("j", "b", "SUCCEEDED")
        assert caught.value.execution_state == {"status": "CANCELED", "statusDetails": {}, "versionNumber": 3}
    else:
        bench.report("j", "b", "SUCCEEDED")
    assert bench.job("j")["status"] == "CANCELED"


def test_delete_a_job(bench: JobBench) -> None:
    bench.create("j", bench.things("a", "b"))
    bench.report("j", "a", "FAILED")
    bench.published()
    with pytest.raises(InvalidStateTransitionException):
        bench.jobs.delete_job(jobId="j")
    bench.jobs.delete_job(jobId="j", force=True)
    assert bench.topics() == [
        "job/j/deletion_in_progress", "jobExecution/j/deleted", "jobExecution/j/deleted", "job/j/deleted",
        "b/jobs/notify", "b/jobs/notify-next",
    ]  # fmt: skip
    with pytest.raises(ResourceNotFoundException):
        bench.report("j", "b", "SUCCEEDED")
    bench.create("j", [bench.arn("thing/b")])
    assert bench.status("j", "b") == ("QUEUED", 1)


def test_cancel_and_delete_an_execution(bench: JobBench) -> None:
    bench.create("j", bench.things("a", "b", "c"))
    bench.report("j", "b", "IN_PROGRESS")
    cancel = bench.executions.cancel_job_execution
    with pytest.raises(VersionConflictException):
        cancel(jobId="j", thingName="a", expectedVersion=2)
    cancel(jobId="j", thingName="a", expectedVersion=1, statusDetails={"why": "not you"})
    found = bench.executions.describe_job_execution(jobId="j", thingName="a")["execution"]
    assert (found["status"], found["statusDetails"]) == ("CANCELED", {"detailsMap": {"why": "not you"}})
    assert (found["versionNumber"], found["forceCanceled"]) == (2, False)
    for thing in ("a", "b"):
        with pytest.raises(InvalidStateTransitionException):
            cancel(jobId="j", thingName=thing)
    cancel(jobId="j", thingName="b", force=True)
    found = bench.executions.describe_job_execution(jobId="j", thingName="b")["execution"]
    assert (found["status"], found["forceCanceled"]) == ("CANCELED", True)
    delete = bench.executions.delete_job_execution
    for number in (0, 2**63):
        with pytest.raises(InvalidRequestException, match=r"^executionNumber: "):
            delete(jobId="j", thingName="c", executionNumber=number)
        with pytest.raises(InvalidRequestException, match=r"^executionNumber: "):
            bench.executions.describe_job_execution(jobId="j", thingName="c", executionNumber=number)
    with pytest.raises(InvalidStateTransitionException):
        delete(jobId="j", thingName="c", executionNumber=1)
    assert bench.job("j")["status"] == "IN_PROGRESS"
    delete(jobId="j", thingName="c", executionNumber=1, force=True)
    delete(jobId="j", thingName="a", executionNumber=1)
    assert bench.statuses("j") == ["b CANCELED"]
    assert bench.job("j")["status"] == "COMPLETED", "none is left that could still end"
    with pytest.raises(InvalidRequestException, match="COMPLETED"):
        bench.jobs.cancel_job(jobId="j")
    bench.jobs.delete_job(jobId="j")


def test_update_a_job(bench: JobBench) -> None:
    bench.create("j", bench.things("a", "b"), timeoutConfig={"inProgressTimeoutInMinutes": 5})
    bench.report("j", "a", "IN_PROGRESS")
    bench.jobs.update_job(jobId="j", description="new", timeoutConfig={"inProgressTimeoutInMinutes": 10})
    bench.report("j", "b", "IN_PROGRESS")
    left = [
        bench.data.describe_job_execution(jobId="j", thingName=thing)["execution"][
            "approximateSecondsBeforeTimedOut"
        ]
        for thing in ("a", "b")
    ]
    assert left == [300, 600], "a timer that runs already runs on"
    assert bench.job("j")["description"] == "new"
    with pytest.raises(InvalidRequestException, match=r"^timeoutConfig"):
        bench.jobs.update_job(jobId="j", timeoutConfig={"inProgressTimeoutInMinutes": 0})
    bench.jobs.cancel_job(jobId="j")
    with pytest.raises(InvalidRequestException, match="CANCELED"):
        bench.jobs.update_job(jobId="j", description="newer")


def test_versions_and_terminal_states_for_devices(bench: JobBench) -> None:
    bench.create("j", bench.things("a"))
    with pytest.raises(VersionConflictException) as caught:
        bench.report("j", "a", "IN_PROGRESS", expectedVersion=7)
    assert caught.value.execution_state == {"status": "QUEUED", "statusDetails": {}, "versionNumber": 1}
    for status in ("QUEUED", "CANCELED", "TIMED_OUT", "REMOVED", "SUCCESS", ""):
        with pytest.raises(InvalidRequestException, match=r"^status: "):
            bench.report("j", "a", status)
    for details in ({"a": 1}, {"a b": "c"}, {"a": 1025 * "x"}, {str(i): "x" for i in range(11)}, {"a": "\n"}):
        with pytest.raises(InvalidRequestException, match="statusDetails"):
            bench.report("j", "a", "IN_PROGRESS", statusDetails=details)
    for minutes in (0, -2, 10081, 1.5, True, "1"):
        with pytest.raises(InvalidRequestException, match=r"^stepTimeoutInMinutes: "):
            bench.report("j", "a", "IN_PROGRESS", stepTimeoutInMinutes=minutes)
    assert bench.status("j", "a") == ("QUEUED", 1)
    bench.report("j", "a", "FAILED", executionNumber=1)
    with pytest.raises(TerminalStateException):
        bench.data.describe_job_execution(jobId="j", thingName="a")
    for other in ({"executionNumber": 2}, {"jobId": "other"}, {"thingName": "b"}):
        with pytest.raises(ResourceNotFoundException):
            bench.data.describe_job_execution(**{"jobId": "j", "thingName": "a"} | other)
    assert bench.data.describe_job_execution(jobId="$next", thingName="a") == {}
    assert bench.data.start_next_pending_job_execution(thingName="a") == {}
    assert bench.data.get_pending_job_executions(thingName="a") == {"inProgressJobs": [], "queuedJobs": []}


def test_pending_executions_in_order(bench: JobBench) -> None:
    targets = bench.things("a")
    for number in range(12):
        bench.create(f"j{number}", targets)
    bench.report("j7", "a", "IN_PROGRESS")
    nexts = [
        payload["execution"]["jobId"] for topic, payload in bench.published() if topic.endswith("notify-next")
    ]
    assert nexts == ["j0", "j7"], "a later one that is in progress is next"
    found = bench.data.get_pending_job_executions(thingName="a")
    assert [one["jobId"] for one in found["inProgressJobs"]] == ["j7"]
    assert [one["jobId"] for one in found["queuedJobs"]] == [f"j{i}" for i in range(10) if i != 7]
    bench.report("j9", "a", "SUCCEEDED")
    (_, event), (_, _), (topic, listed), *more = bench.published()
    assert event["operation"] == "succeeded" and topic == "$aws/things/a/jobs/notify"
    assert sum(map(len, listed["jobs"].values())) == 10
    assert more == [], "what is next has not changed"
