"""What becomes of jobs as time passes: rollout, groups, timers, retries, abort, schedules."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.job_bench import JobBench, job_bench
from tools.cloud.errors import InvalidRequestException, ResourceNotFoundException

MINUTE_S = 60


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[JobBench]:
    with job_bench(tmp_path) as running:
        yield running


def retry(**kinds: int) -> dict[str, Any]:
    listed = [{"failureType": kind, "numberOfRetries": number} for kind, number in kinds.items()]
    return {"jobExecutionsRetryConfig": {"criteriaList": listed}}


def abort(kind: str, percentage: float, least: int) -> dict[str, Any]:
    criteria = {
        "failureType": kind,
        "action": "CANCEL",
        "thresholdPercentage": percentage,
        "minNumberOfExecutedThings": least,
    }
    return {"abortConfig": {"criteriaList": [criteria]}}


def test_rollout_per_minute(bench: JobBench) -> None:
    targets = bench.things(*(f"t{i}" for i in range(5)))
    bench.create("j", targets, jobExecutionsRolloutConfig={"maximumPerMinute": 2})
    assert bench.statuses("j") == ["t0 QUEUED", "t1 QUEUED"]
    job = bench.job("j")
    assert job["isConcurrent"] and job["jobProcessDetails"]["processingTargets"] == targets
    with pytest.raises(ResourceNotFoundException):
        bench.report("j", "t2", "IN_PROGRESS")
    for thing in ("t0", "t1"):
        bench.report("j", thing, "SUCCEEDED")
    assert bench.job("j")["status"] == "IN_PROGRESS", "three have not got it yet"
    bench.later(MINUTE_S - 1)
    assert len(bench.statuses("j")) == 2
    bench.later(1)
    assert len(bench.statuses("j")) == 4
    bench.later(MINUTE_S)
    assert bench.statuses("j")[4:] == ["t4 QUEUED"]
    job = bench.job("j")
    assert not job["isConcurrent"] and "processingTargets" not in job["jobProcessDetails"]
    for thing in ("t2", "t3", "t4"):
        bench.report("j", thing, "SUCCEEDED")
    assert bench.job("j")["status"] == "COMPLETED"


def test_rollout_grows_with_success(bench: JobBench) -> None:
    rate = {
        "baseRatePerMinute": 1,
        "incrementFactor": 3,
        "rateIncreaseCriteria": {"numberOfSucceededThings": 1},
    }
    bench.create(
        "j",
        bench.things(*(f"t{i}" for i in range(6))),
        jobExecutionsRolloutConfig={"exponentialRate": rate, "maximumPerMinute": 3},
    )
    assert len(bench.statuses("j")) == 1
    bench.later(MINUTE_S)
    assert len(bench.statuses("j")) == 2
    bench.report("j", "t0", "SUCCEEDED")
    bench.later(0)
    assert len(bench.statuses("j")) == 4, "three a minute now"
    bench.jobs.cancel_job(jobId="j")
    bench.later(10 * MINUTE_S)
    assert len(bench.statuses("j")) == 4, "nobody gets a job that is canceled"


def test_a_continuous_job_follows_its_group(bench: JobBench) -> None:
    bench.things("a", "b", group="house")
    bench.things("c")
    group = bench.arn("thinggroup/house")
    bench.create("goes-on", [group], targetSelection="CONTINUOUS")
    bench.create("once", [group])
    for job in ("goes-on", "once"):
        bench.report(job, "a", "SUCCEEDED")
        bench.report(job, "b", "IN_PROGRESS")
    bench.groups.add_thing_to_thing_group(thingGroupName="house", thingName="c")
    bench.later(1)
    assert bench.statuses("goes-on") == ["a SUCCEEDED", "b IN_PROGRESS", "c QUEUED"]
    assert bench.statuses("once") == ["a SUCCEEDED", "b IN_PROGRESS"]
    bench.published()
    for thing in ("b", "c"):
        bench.groups.remove_thing_from_thing_group(thingGroupName="house", thingName=thing)
    bench.later(1)
    assert bench.statuses("goes-on") == ["a SUCCEEDED", "b REMOVED", "c REMOVED"]
    assert bench.statuses("once") == ["a SUCCEEDED", "b IN_PROGRESS"]
    topics = bench.topics()
    assert topics.count("jobExecution/goes-on/removed") == 2 and "c/jobs/notify-next" in topics
    bench.groups.add_thing_to_thing_group(thingGroupName="house", thingName="c")
    bench.later(1)
    assert bench.status("goes-on", "c") == ("QUEUED", 2)
    bench.executions.delete_job_execution(jobId="goes-on", thingName="c", executionNumber=2, force=True)
    bench.later(1)
    assert bench.statuses("goes-on")[2:] == ["c REMOVED"], "who has had it does not get it again"
    assert bench.job("goes-on")["status"] == "IN_PROGRESS"
    bench.later(1)
    assert bench.topics()[-2:] == ["c/jobs/notify", "c/jobs/notify-next"]


def test_groups_are_associated_with_a_continuous_job(bench: JobBench) -> None:
    (lamp,) = bench.things("lamp", group="one")
    bench.things("door", group="two")
    one, two = bench.arn("thinggroup/one"), bench.arn("thinggroup/two")
    bench.create("j", [one], targetSelection="CONTINUOUS")
    bench.create("snapshot", [one])
    bench.jobs.associate_targets_with_job(jobId="j", targets=[two, one], comment="also these")
    assert bench.statuses("j") == ["lamp QUEUED", "door QUEUED"]
    assert bench.job("j")["targets"] == [one, two]
    for job, targets in (("snapshot", [two]), ("j", [lamp])):
        with pytest.raises(InvalidRequestException):
            bench.jobs.associate_targets_with_job(jobId=job, targets=targets)
    with pytest.raises(ResourceNotFoundException):
        bench.jobs.associate_targets_with_job(jobId="j", targets=[bench.arn("thinggroup/three")])


def test_a_deleted_thing_is_removed_from_jobs(bench: JobBench) -> None:
    bench.create("j", bench.things("a", "b"))
    bench.report("j", "a", "SUCCEEDED")
    bench.cloud._database.run("DELETE FROM things WHERE name = 'b'")
    bench.later(1)
    assert bench.counts("j") == {"Succeeded": 1, "Removed": 1}
    assert bench.job("j")["status"] == "COMPLETED"


@pytest.mark.parametrize("end", ["complete", "cancel", "delete"])
def test_what_has_ended_costs_nothing_more(bench: JobBench, end: str) -> None:
    bench.create("j", bench.things("a", "b"), jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    if end == "complete":
        bench.report("j", "a", "SUCCEEDED")
        bench.later(MINUTE_S)
        bench.report("j", "b", "SUCCEEDED")
    elif end == "cancel":
        bench.jobs.cancel_job(jobId="j")
    else:
        bench.jobs.delete_job(jobId="j", force=True)
    for table in ("job_things", "job_targets"):
        assert bench.cloud._database.all(f"SELECT * FROM {table}") == []
    database = bench.cloud._database
    plan = database.all(
        "EXPLAIN QUERY PLAN SELECT 1 FROM job_executions x WHERE status IN ('QUEUED', 'IN_PROGRESS')"
        " AND (in_progress_until_s <= 1 OR step_until_s <= 1)"
    )
    assert "pending_job_executions" in str(plan), "the sweep does not read what has ended"


def test_a_thing_is_deleted_while_it_does_a_job_that_was_canceled(bench: JobBench) -> None:
    bench.create("j", bench.things("a"))
    bench.report("j", "a", "IN_PROGRESS")
    bench.jobs.cancel_job(jobId="j")
    bench.cloud._database.run("DELETE FROM things")
    bench.later(1)
    assert bench.statuses("j") == ["a REMOVED"]


def test_timers(bench: JobBench) -> None:
    bench.create(
        "j", bench.things("a", "b", "c"), timeoutConfig={"inProgressTimeoutInMinutes": 10}, description="x"
    )
    bench.data.start_next_pending_job_execution(thingName="a")
    bench.data.start_next_pending_job_execution(thingName="b", stepTimeoutInMinutes=5)
    bench.later(4 * MINUTE_S)
    found = bench.data.start_next_pending_job_execution(thingName="a", stepTimeoutInMinutes=1)["execution"]
    assert found["approximateSecondsBeforeTimedOut"] == 60 and found["versionNumber"] == 2
    bench.report("j", "a", "IN_PROGRESS", stepTimeoutInMinutes=-1)
    bench.later(MINUTE_S)
    assert bench.statuses("j") == ["a IN_PROGRESS", "b TIMED_OUT", "c QUEUED"]
    bench.later(5 * MINUTE_S - 1)
    assert bench.status("j", "a") == ("IN_PROGRESS", 1)
    bench.published()
    bench.later(1)
    assert bench.statuses("j") == ["a TIMED_OUT", "b TIMED_OUT", "c QUEUED"], "who is queued has no timer"
    assert bench.topics() == ["jobExecution/j/timed_out", "a/jobs/notify", "a/jobs/notify-next"]
    found = bench.executions.describe_job_execution(jobId="j", thingName="a")["execution"]
    assert "approximateSecondsBeforeTimedOut" not in found and found["versionNumber"] == 4


def test_retries_are_executions_with_the_next_number(bench: JobBench) -> None:
    bench.create(
        "j",
        bench.things("a", "b"),
        timeoutConfig={"inProgressTimeoutInMinutes": 1},
        **retry(FAILED=1, TIMED_OUT=1),
    )
    bench.published()
    bench.report("j", "a", "FAILED", statusDetails={"why": "first"})
    (_, event), (_, listed), (_, following) = bench.published()
    assert event["operation"] == "failed"
    assert listed["jobs"]["QUEUED"][0]["executionNumber"] == following["execution"]["executionNumber"] == 2
    assert bench.status("j", "a") == ("QUEUED", 2)
    assert "statusDetails" not in bench.data.start_next_pending_job_execution(thingName="a")["execution"]
    bench.later(MINUTE_S)
    assert bench.status("j", "a") == ("QUEUED", 3)
    found = bench.executions.list_job_executions_for_thing(thingName="a")["executionSummaries"]
    attempts = [
        (one["jobExecutionSummary"]["status"], one["jobExecutionSummary"]["retryAttempt"]) for one in found
    ]
    assert attempts == [("QUEUED", 2), ("TIMED_OUT", 1), ("FAILED", 0)]
    bench.report("j", "a", "FAILED")
    assert bench.status("j", "a") == ("FAILED", 3), "no retry is left"
    bench.report("j", "b", "REJECTED")
    assert bench.status("j", "b") == ("REJECTED", 1), "what is rejected is never tried again"
    assert bench.job("j")["status"] == "COMPLETED"
    assert bench.counts("j") == {"Failed": 2, "TimedOut": 1, "Rejected": 1}, "AWS counts executions"


def test_a_retry_is_for_who_is_still_in_the_group(bench: JobBench) -> None:
    bench.things("a", group="g")
    bench.create("j", [bench.arn("thinggroup/g")], targetSelection="CONTINUOUS", **retry(FAILED=1))
    bench.report("j", "a", "FAILED")
    bench.groups.remove_thing_from_thing_group(thingGroupName="g", thingName="a")
    bench.later(1)
    assert bench.status("j", "a") == ("REMOVED", 2)
    bench.groups.add_thing_to_thing_group(thingGroupName="g", thingName="a")
    bench.later(1)
    for number in (3, 4):
        assert bench.status("j", "a") == ("QUEUED", number), "its retries begin anew"
        bench.report("j", "a", "FAILED")
    assert bench.status("j", "a") == ("FAILED", 4)


def test_abort(bench: JobBench) -> None:
    bench.create("j", bench.things(*"abcde"), **abort("FAILED", 40, 5), **retry(FAILED=3))
    bench.report("j", "a", "FAILED")
    assert bench.status("j", "a") == ("QUEUED", 2)
    bench.report("j", "b", "IN_PROGRESS")
    bench.report("j", "c", "REJECTED")
    bench.report("j", "d", "FAILED")
    bench.report("j", "e", "FAILED")
    assert bench.job("j")["status"] == "CANCELED"
    assert bench.counts("j") == {"Failed": 3, "Rejected": 1, "InProgress": 1, "Canceled": 2}
    assert "3 of 7 executions FAILED" in bench.job("j")["comment"]
    topics = [topic for topic in bench.topics() if topic.startswith("job/")]
    assert topics == ["job/j/cancellation_in_progress", "job/j/canceled"]
    bench.report("j", "b", "FAILED")
    assert bench.status("j", "b") == ("FAILED", 1), "a job that is canceled is not tried again"


def test_a_job_that_aborts_by_timeouts(bench: JobBench) -> None:
    bench.create(
        "j",
        bench.things("a", "b"),
        timeoutConfig={"inProgressTimeoutInMinutes": 1},
        **abort("TIMED_OUT", 50, 1),
    )
    bench.report("j", "a", "IN_PROGRESS")
    bench.later(MINUTE_S)
    assert bench.statuses("j") == ["a TIMED_OUT", "b CANCELED"]


@pytest.mark.parametrize(
    ("behavior", "status", "statuses"),
    [
        ("STOP_ROLLOUT", "IN_PROGRESS", ["a IN_PROGRESS", "b QUEUED"]),
        ("CANCEL", "CANCELED", ["a IN_PROGRESS", "b CANCELED"]),
        ("FORCE_CANCEL", "CANCELED", ["a CANCELED", "b CANCELED"]),
    ],
)
def test_schedule(bench: JobBench, behavior: str, status: str, statuses: list[str]) -> None:
    bench.things("a", group="g")
    schedule = {"startTime": "2023-11-15 00:00", "endTime": "2023-11-15 01:00", "endBehavior": behavior}
    bench.create(
        "j",
        [bench.arn("thinggroup/g")],
        targetSelection="CONTINUOUS",
        schedulingConfig=schedule,
        jobExecutionsRolloutConfig={"maximumPerMinute": 1},
    )
    start_s = 1_700_006_400
    bench.things("b", "c", group="g")
    bench.later(start_s - bench.clock.now_s - 1)
    assert (bench.job("j")["status"], bench.statuses("j")) == ("SCHEDULED", [])
    bench.later(1)
    bench.report("j", "a", "IN_PROGRESS")
    assert (bench.job("j")["status"], bench.statuses("j")) == ("IN_PROGRESS", ["a IN_PROGRESS"])
    bench.later(MINUTE_S)
    bench.clock.now_s = start_s + 3599.5
    bench.groups.remove_thing_from_thing_group(thingGroupName="g", thingName="c")
    bench.later(0)
    bench.things("d", group="g")
    bench.later(1)
    assert (bench.job("j")["status"], bench.statuses("j")) == (status, statuses)
    bench.later(MINUTE_S)
    assert bench.statuses("j") == statuses, "who comes after the end does not get it"
    if behavior == "STOP_ROLLOUT":
        for thing in ("a", "b"):
            bench.report("j", thing, "SUCCEEDED")
        assert bench.job("j")["status"] == "COMPLETED"


def test_a_scheduled_job_is_canceled_before_its_start(bench: JobBench) -> None:
    bench.create("j", bench.things("a"), schedulingConfig={"startTime": "2023-11-15 00:00"})
    bench.jobs.cancel_job(jobId="j")
    bench.later(24 * 3600)
    assert (bench.job("j")["status"], bench.statuses("j")) == ("CANCELED", [])
