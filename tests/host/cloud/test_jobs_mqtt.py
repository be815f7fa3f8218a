"""Jobs over MQTT, as a device sees them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.job_bench import DOCUMENT
from tests.host.cloud.support import ANYTHING, NOW_S, Bench, Clock, Peer, bench
from tests.host.cloud.test_full_disk import fill, make_room
from tests.host.cloud.test_restart import Process
from tools.cloud import Cloud

JOBS = "$aws/things/lamp/jobs/"


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, clock=clock) as running:
        running.cloud.registry.create_thing(thingName="lamp")
        yield running


def create(cloud: Bench, job_id: str, document: str = DOCUMENT, **members: Any) -> None:
    target = cloud.cloud.registry.arn("thing/lamp")
    cloud.cloud.jobs.create_job(jobId=job_id, targets=[target], document=document, **members)


async def ask(peer: Peer, topic: str, request: dict[str, Any] | bytes) -> tuple[str, dict[str, Any]]:
    """accepted or rejected, and the answer, which needs no subscription."""
    payload = request if isinstance(request, bytes) else json.dumps(request).encode()
    await peer.publish(JOBS + topic, payload)
    message = await peer.message()
    assert message.topic.startswith(JOBS + topic + "/")
    return message.topic.rpartition("/")[2], json.loads(message.payload)


async def rejected(peer: Peer, topic: str, request: dict[str, Any] | bytes) -> dict[str, Any]:
    outcome, answer = await ask(peer, topic, request)
    assert outcome == "rejected", answer
    assert answer["message"] and answer["timestamp"] == NOW_S
    return answer


async def test_a_job_from_notify_to_its_end(cloud: Bench, clock: Clock) -> None:
    device, watcher = await cloud.client("lamp"), await cloud.client("watcher")
    await device.subscribe(JOBS + "notify")
    await device.subscribe(JOBS + "notify-next")
    await watcher.subscribe("$aws/events/job/#")
    await watcher.subscribe("$aws/events/jobExecution/#")
    create(cloud, "blink")
    summary = {
        "jobId": "blink", "queuedAt": NOW_S, "lastUpdatedAt": NOW_S, "executionNumber": 1, "versionNumber": 1
    }  # fmt: skip
    notify, following = await device.message(), await device.message()
    assert notify.topic == JOBS + "notify"
    assert json.loads(notify.payload) == {"timestamp": NOW_S, "jobs": {"QUEUED": [summary]}}
    execution = summary | {"thingName": "lamp", "status": "QUEUED", "jobDocument": {"action": "blink"}}
    assert following.topic == JOBS + "notify-next"
    assert json.loads(following.payload) == {"timestamp": NOW_S, "execution": execution}

    stamp = {"timestamp": NOW_S, "clientToken": "t 1"}
    assert await ask(device, "get", {"clientToken": "t 1"}) == (
        "accepted",
        stamp | {"inProgressJobs": [], "queuedJobs": [summary]},
    )
    assert await ask(device, "$next/get", {"includeJobDocument": False}) == (
        "accepted",
        {"timestamp": NOW_S, "execution": {k: v for k, v in execution.items() if k != "jobDocument"}},
    )
    clock.now_s += 1.75
    request = {"statusDetails": {"step": "1"}, "stepTimeoutInMinutes": 2, "clientToken": "t 1"}
    started = execution | {
        "status": "IN_PROGRESS", "statusDetails": {"step": "1"}, "startedAt": NOW_S + 1,
        "lastUpdatedAt": NOW_S + 1, "versionNumber": 2, "approximateSecondsBeforeTimedOut": 120,
    }  # fmt: skip
    outcome = await ask(device, "start-next", request)
    assert outcome == ("accepted", {"timestamp": NOW_S + 1, "clientToken": "t 1", "execution": started})
    await device.nothing_more()

    request = {
        "status": "SUCCEEDED", "expectedVersion": "2", "executionNumber": 1,
        "includeJobExecutionState": True, "includeJobDocument": True,
    }  # fmt: skip
    await device.publish(JOBS + "blink/update", json.dumps(request).encode())
    got = {
        message.topic: json.loads(message.payload) for message in [await device.message() for _ in range(3)]
    }
    assert got == {
        JOBS + "notify": {"timestamp": NOW_S + 1, "jobs": {}},
        JOBS + "notify-next": {"timestamp": NOW_S + 1},
        JOBS + "blink/update/accepted": {
            "timestamp": NOW_S + 1,
            "executionState": {"status": "SUCCEEDED", "statusDetails": {"step": "1"}, "versionNumber": 3},
            "jobDocument": {"action": "blink"},
        },
    }
    assert await ask(device, "start-next", b"") == ("accepted", {"timestamp": NOW_S + 1})
    assert [(await watcher.message()).topic for _ in range(2)] == [
        "$aws/events/jobExecution/blink/succeeded",
        "$aws/events/job/blink/completed",
    ]


async def test_answers_go_to_who_asked_alone(cloud: Bench) -> None:
    asking, other = await cloud.client("lamp"), await cloud.client("other")
    await other.subscribe(JOBS + "#")
    create(cloud, "blink")
    assert [(await other.message()).topic for _ in range(2)] == [JOBS + "notify", JOBS + "notify-next"]
    assert (await ask(asking, "blink/get", {}))[0] == "accepted"
    assert (await ask(asking, "blink/update", {"status": "SUCCEEDED"}))[0] == "accepted"
    await asking.nothing_more()  # who has not subscribed gets no notices
    assert [(await other.message()).topic for _ in range(2)] == [JOBS + "notify", JOBS + "notify-next"]
    await other.nothing_more()


async def test_refusals(cloud: Bench) -> None:
    device = await cloud.client("lamp")
    create(cloud, "blink")
    answer = await rejected(
        device, "blink/update", {"status": "FAILED", "expectedVersion": 9, "clientToken": "c"}
    )
    assert answer == {
        "code": "VersionMismatch", "message": answer["message"], "timestamp": NOW_S, "clientToken": "c",
        "executionState": {"status": "QUEUED", "statusDetails": {}, "versionNumber": 1},
    }  # fmt: skip
    event = await cloud.event("rejected")
    assert event.reason == "VersionMismatch" and event.client_id == "lamp" and "blink/update" in event.detail
    assert (await ask(device, "blink/update", {"status": "FAILED"}))[0] == "accepted"
    answer = await rejected(device, "blink/update", {"status": "IN_PROGRESS"})
    assert answer["code"] == "InvalidStateTransition"
    assert answer["executionState"]["status"] == "FAILED"
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("blink/get", {}, "TerminalStateReached"),
        ("other/get", {}, "ResourceNotFound"),
        ("other/update", {"status": "SUCCEEDED"}, "ResourceNotFound"),
        ("blink/get", {"executionNumber": 2}, "ResourceNotFound"),
        ("blink/update", {}, "InvalidRequest"),
        ("blink/update", {"status": None}, "InvalidRequest"),
        ("blink/update", {"status": ["SUCCEEDED"]}, "InvalidRequest"),
        ("blink/update", {"status": "CANCELED"}, "InvalidRequest"),
        ("blink/update", {"status": "SUCCEEDED", "statusDetails": {"a": 1}}, "InvalidRequest"),
        ("blink/update", {"status": "SUCCEEDED", "expectedVersion": "two"}, "InvalidRequest"),
        ("blink/get", {"includeJobDocument": "no"}, "InvalidRequest"),
        ("start-next", {"stepTimeoutInMinutes": 0}, "InvalidRequest"),
        ("start-next", {"stepTimeoutInMinutes": -1}, "InvalidRequest"),
        ("get", {"clientToken": 65 * "x"}, "InvalidRequest"),
        ("get", {"clientToken": 1}, "InvalidRequest"),
        ("a b/get", {}, "InvalidRequest"),
        ("blink", {}, "InvalidTopic"),
        ("blink/delete", {}, "InvalidTopic"),
        ("blink/get/more", {}, "InvalidTopic"),
        ("", {}, "InvalidTopic"),
        *((f"{word}/get", {}, "InvalidTopic") for word in ("get", "start-next", "notify", "notify-next")),
        ("notify/update", {"status": "SUCCEEDED"}, "InvalidTopic"),
        ("notify", {}, "InvalidTopic"),
    ]
    for topic, request, code in refused:
        answer = await rejected(device, topic, request)
        assert answer["code"] == code, (topic, request, answer)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfe",
        b"{",
        b"[]",
        b'"text"',
        b'{"status": NaN}',
        b'{"status": 1e400}',
        b'{"status": "FAILED", "status": "SUCCEEDED"}',
        b'{"status": "\\ud800"}',
        500 * b'{"a":' + b"1" + 500 * b"}",
        131_072 * b"[",
        b'{"executionNumber": ' + 5000 * b"1" + b"}",
        b'{"a": "' + 131_000 * b"x",
    ],
)
async def test_payloads_that_are_no_request(cloud: Bench, payload: bytes) -> None:
    device = await cloud.client("lamp")
    create(cloud, "blink")
    for topic in ("get", "start-next", "blink/get", "blink/update"):
        assert (await rejected(device, topic, payload))["code"] == "InvalidJson"
    assert (await ask(device, "start-next", {}))[1]["execution"]["versionNumber"] == 2


async def test_the_largest_and_deepest_documents_arrive(cloud: Bench) -> None:
    device = await cloud.client("lamp")
    for number, document in enumerate(
        ('{"a": "' + 32_759 * "x" + '"}', 500 * '{"a":' + "1" + 500 * "}", '{"\\u0000": "\\"\\\\"}')
    ):
        create(cloud, f"j{number}", document)
        _, answer = await ask(device, f"j{number}/get", {})
        assert answer["execution"]["jobDocument"] == json.loads(document)


async def test_another_thing_and_a_thing_that_is_not_there(cloud: Bench) -> None:
    device = await cloud.client("lamp")
    await device.publish("$aws/things/ghost/jobs/get", b"{}")
    message = await device.message()
    assert message.topic == "$aws/things/ghost/jobs/get/rejected"
    assert json.loads(message.payload)["code"] == "ResourceNotFound"


async def test_the_broker_times_out_what_is_due(cloud: Bench, clock: Clock) -> None:
    device = await cloud.client("lamp")
    await device.subscribe(JOBS + "notify-next")
    create(cloud, "blink", timeoutConfig={"inProgressTimeoutInMinutes": 1})
    await device.message()
    await ask(device, "start-next", {})
    clock.now_s += 60
    assert json.loads((await device.message()).payload) == {"timestamp": NOW_S + 60}
    answer = (await ask(device, "blink/update", {"status": "SUCCEEDED"}))[1]
    assert answer["executionState"]["status"] == "TIMED_OUT"


async def test_who_is_away_is_told_later(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(ANYTHING)
    device = await cloud.client("lamp", identity, clean=False)
    await device.subscribe(JOBS + "notify-next")
    await device.disconnect()
    create(cloud, "blink")
    device = await cloud.open(identity)
    assert await device.connect("lamp", clean=False)
    assert json.loads((await device.message()).payload)["execution"]["jobId"] == "blink"


async def test_a_full_disk_is_an_internal_error_and_changes_nothing(cloud: Bench) -> None:
    device = await cloud.client("lamp")
    create(cloud, "blink")
    fill(cloud.cloud)
    details = {"a": 1000 * "x", "b": 1000 * "x", "c": 1000 * "x", "d": 1000 * "x"}
    request = {"status": "IN_PROGRESS", "statusDetails": details}
    answer = await rejected(device, "blink/update", request)
    assert answer["code"] == "InternalError" and "full" in answer["message"]
    make_room(cloud.cloud)
    assert (await ask(device, "blink/get", {}))[1]["execution"]["versionNumber"] == 1
    assert (await ask(device, "blink/update", request))[0] == "accepted"


async def test_a_killed_cloud_has_lost_nothing(tmp_path: Path) -> None:
    process = Process(tmp_path)
    cloud = Cloud(tmp_path / "state")
    cloud.registry.create_thing(thingName="lamp")
    target = cloud.registry.arn("thing/lamp")
    for job_id in ("one", "two", "three"):
        cloud.jobs.create_job(jobId=job_id, targets=[target], document=DOCUMENT)
    cloud._database.close()
    async with process.running():
        device, _ = await process.client("lamp", process.identities[0])
        for topic, request in (
            ("start-next", {"statusDetails": {"percent": "50"}, "stepTimeoutInMinutes": 60}),
            ("two/update", {"status": "REJECTED", "statusDetails": {"why": "no"}}),
        ):
            assert (await ask(device, topic, request))[0] == "accepted"
    async with process.running():
        device, _ = await process.client("lamp", process.identities[0])
        _, answer = await ask(device, "get", {})
        assert [one["jobId"] for one in answer["inProgressJobs"]] == ["one"]
        assert [one["jobId"] for one in answer["queuedJobs"]] == ["three"]
        execution = (await ask(device, "$next/get", {}))[1]["execution"]
        assert (execution["versionNumber"], execution["statusDetails"]) == (2, {"percent": "50"})
        assert 3000 < execution["approximateSecondsBeforeTimedOut"] <= 3600
        _, answer = await ask(device, "two/update", {"status": "SUCCEEDED"})
        assert answer["executionState"]["statusDetails"] == {"why": "no"}
