"""What a job's configurations decide, and what is put into its document."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cloud.errors import InvalidRequestException
from tools.cloud.jobs import placeholders, rules, schedule, shapes

EXPONENTIAL = {
    "exponentialRate": {
        "baseRatePerMinute": 50,
        "incrementFactor": 2.0,
        "rateIncreaseCriteria": {"numberOfNotifiedThings": 1000, "numberOfSucceededThings": 1000},
    }
}


@pytest.mark.parametrize(
    ("rollout", "notified", "succeeded", "rate"),
    [
        ({}, 0, 0, 1000),
        ({"maximumPerMinute": 3}, 500, 0, 3),
        ({"maximumPerMinute": 100_000}, 0, 0, 1000),
        # The table of AWS's guide: 50, 100, 200, 400 after 1000, 2000, 3000.
        (EXPONENTIAL, 999, 999, 50),
        (EXPONENTIAL, 1000, 0, 100),
        (EXPONENTIAL, 1500, 2000, 200),
        (EXPONENTIAL, 3999, 0, 400),
        (EXPONENTIAL, 10**9, 0, 1000),
        (EXPONENTIAL | {"maximumPerMinute": 150}, 3999, 0, 150),
    ],
)
def test_rollout_rate(rollout: dict[str, Any], notified: int, succeeded: int, rate: int) -> None:
    assert rules.rate_per_minute(rollout, notified, succeeded) == rate


def criteria(kind: str, percentage: float = 50, least: int = 4) -> dict[str, Any]:
    return {
        "failureType": kind,
        "action": "CANCEL",
        "thresholdPercentage": percentage,
        "minNumberOfExecutedThings": least,
    }


@pytest.mark.parametrize(
    ("kinds", "counts", "aborted"),
    [
        (("FAILED",), {"FAILED": 2, "SUCCEEDED": 2}, True),
        (("FAILED",), {"FAILED": 3}, False),  # too few to say
        (("FAILED",), {"FAILED": 1, "SUCCEEDED": 3}, False),
        (("FAILED",), {"REJECTED": 4}, False),
        (("FAILED", "REJECTED"), {"REJECTED": 4}, True),
        (("ALL",), {"REJECTED": 1, "TIMED_OUT": 1, "QUEUED": 2}, True),
        (("ALL",), {"CANCELED": 4}, False),
        ((), {"FAILED": 100}, False),
    ],
)
def test_abort(kinds: tuple[str, ...], counts: dict[str, int], aborted: bool) -> None:
    config = {"criteriaList": [criteria(kind) for kind in kinds]}
    assert (rules.abort_reason(config, counts) is not None) is aborted


def test_nothing_failed_aborts_nothing() -> None:
    assert rules.abort_reason({"criteriaList": [criteria("ALL", 0, 1)]}, {"SUCCEEDED": 1}) is None


@pytest.mark.parametrize(
    ("config", "attempts", "again"),
    [
        ({"FAILED": 2}, ["FAILED"], True),
        ({"FAILED": 2}, ["FAILED", "FAILED"], True),
        ({"FAILED": 2}, ["FAILED", "FAILED", "FAILED"], False),
        ({"FAILED": 0}, ["FAILED"], False),
        ({"FAILED": 2}, ["TIMED_OUT"], False),
        ({"FAILED": 1, "TIMED_OUT": 1}, ["FAILED", "TIMED_OUT"], True),
        ({"FAILED": 1, "TIMED_OUT": 1}, ["FAILED", "TIMED_OUT", "FAILED"], False),
        ({"ALL": 2}, ["FAILED", "TIMED_OUT"], True),
        ({"ALL": 2}, ["FAILED", "TIMED_OUT", "FAILED"], False),
        ({"ALL": 10}, ["REJECTED"], False),
        ({"ALL": 10}, ["CANCELED"], False),
        ({}, ["FAILED"], False),
    ],
)
def test_retry(config: dict[str, int], attempts: list[str], again: bool) -> None:
    listed = [{"failureType": kind, "numberOfRetries": n} for kind, n in config.items()]
    assert rules.may_retry({"criteriaList": listed}, attempts) is again


@given(st.lists(st.sampled_from(("FAILED", "TIMED_OUT")), min_size=30), st.integers(0, 10))
def test_retries_end(attempts: list[str], most: int) -> None:
    config = {"criteriaList": [{"failureType": "ALL", "numberOfRetries": most}]}
    assert sum(rules.may_retry(config, attempts[:n]) for n in range(1, len(attempts) + 1)) == most


def test_presigned_urls() -> None:
    url = "https://s3.eu-west-1.amazonaws.com/bucket/firmware.bin"
    document = {
        "files": [{"url": f"${{aws:iot:s3-presigned-url:{url}}}"}, f"${{aws:iot:s3-presigned-url-v2:{url}}}"],
        "text": 'as it "is" \\ ä',
    }
    asked = []

    def presign(url: str, expires_s: int) -> str:
        asked.append((url, expires_s))
        return url + '?a="1"&b=\\'

    filled = json.loads(placeholders.fill(json.dumps(document), presign, 60))
    assert asked == [(url, 60)] * 2
    assert filled == {"files": [{"url": url + '?a="1"&b=\\'}, url + '?a="1"&b=\\'], "text": document["text"]}
    escaped = json.dumps(document).replace("/", "\\/").replace("$", "\\u0024")
    assert json.loads(placeholders.fill(escaped, placeholders.unsigned, 60))["files"][1] == url
    plain = '{"url":   "https://example.com"}'
    assert placeholders.fill(plain, presign, 60) is plain
    assert len(placeholders.remarks(json.dumps(document), signs=False)) == 1
    assert not placeholders.remarks(json.dumps(document), signs=True)
    assert "roleArn" in placeholders.remarks(json.dumps(document), signs=True, role=False)[0]
    package = '{"a": "${aws:iot:package:name:version:1:attributes:url}"}'
    assert "package" in placeholders.remarks(package, signs=True)[0]


NOW_S = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


def test_schedule() -> None:
    assert schedule.times({}, NOW_S) == (None, None)
    ways = ("2023-11-14 22:43:20", "2023-11-14T22:43:20Z", "2023-11-14T23:43:20+01:00")
    assert {schedule.times({"startTime": way}, NOW_S) for way in ways} == {(NOW_S + 1800, None)}
    both = {"startTime": "2023-11-15 00:00", "endTime": "2023-11-15 00:30", "endBehavior": "CANCEL"}
    start_s, end_s = schedule.times(both, NOW_S)
    assert start_s is not None and end_s == start_s + 1800


@pytest.mark.parametrize(
    ("scheduling", "path"),
    [
        ({"startTime": "tomorrow"}, "startTime"),
        ({"startTime": "2023-11-14 22:43"}, "startTime"),
        ({"startTime": "2025-01-01 00:00"}, "startTime"),
        ({"endTime": "2023-11-14 22:43"}, "endTime"),
        ({"endTime": "2026-01-01 00:00"}, "endTime"),
        ({"startTime": "2023-11-15 00:00", "endTime": "2023-11-15 00:29"}, "endTime"),
        ({"endBehavior": "CANCEL"}, "endBehavior"),
    ],
)
def test_schedules_that_cannot_be(scheduling: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestException, match=f"^schedulingConfig.{path}: "):
        schedule.times(scheduling, NOW_S)


RETRIES = "jobExecutionsRetryConfig"
ROLLOUT = "jobExecutionsRolloutConfig"
MINUTES = "inProgressTimeoutInMinutes"


def retries(number: int, *kinds: str) -> dict[str, Any]:
    return {RETRIES: {"criteriaList": [{"failureType": kind, "numberOfRetries": number} for kind in kinds]}}


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"targets": []}, "targets"),
        ({"targets": "arn:aws:iot"}, "targets"),
        ({"targets": ["no arn"]}, r"targets\[0\]"),
        ({"targetSelection": "ALWAYS"}, "targetSelection"),
        ({"description": "a\nb"}, "description"),
        ({"description": ""}, "description"),
        ({"presignedUrlConfig": {"expiresInSec": 59}}, "presignedUrlConfig.expiresInSec"),
        ({"presignedUrlConfig": {"roleArn": "short"}}, "presignedUrlConfig.roleArn"),
        ({"timeoutConfig": {MINUTES: 10081}}, f"timeoutConfig.{MINUTES}"),
        ({"timeoutConfig": {MINUTES: True}}, f"timeoutConfig.{MINUTES}"),
        ({"timeoutConfig": {"minutes": 1}}, "timeoutConfig"),
        ({"timeoutConfig": None, "abortConfig": {}}, "abortConfig: criteriaList is missing"),
        ({"abortConfig": {"criteriaList": [criteria("SOME")]}}, r"abortConfig.criteriaList\[0\].failureType"),
        ({"abortConfig": {"criteriaList": [criteria("ALL", 101)]}}, r"abortConfig.criteriaList\[0\].thres"),
        ({ROLLOUT: {"maximumPerMinute": 0}}, f"{ROLLOUT}.maximumPerMinute"),
        (
            {ROLLOUT: {"exponentialRate": EXPONENTIAL["exponentialRate"] | {"rateIncreaseCriteria": {}}}},
            f"{ROLLOUT}.exponentialRate.rateIncreaseCriteria: needs",
        ),
        ({RETRIES: {"criteriaList": []}}, f"{RETRIES}.criteriaList"),
        (retries(11, "ALL"), rf"{RETRIES}.criteriaList\[0\].numberOfRetries"),
        (retries(6, "FAILED", "TIMED_OUT"), f"{RETRIES}.criteriaList: 12 retries"),
        (retries(1, "FAILED", "ALL"), f"{RETRIES}.criteriaList: FAILED and ALL"),
        ({"surprise": 1}, "'surprise' is no member"),
        ({"documentParameters": {"a b": "c"}}, "a name in documentParameters"),
    ],
)
def test_members_that_cannot_be(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestException, match=f"^{path}"):
        shapes.check(shapes.CREATE_JOB, members)
