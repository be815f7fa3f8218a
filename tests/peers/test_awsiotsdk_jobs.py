"""The local cloud's jobs against AWS's own device SDK."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from awscrt import mqtt
from awsiot import iotjobs

from tests.peers.cloud_thread import DEADLINE_S, CloudThread
from tests.peers.test_awsiotsdk import QOS_1, Once, ask, connect

LAMP = {"thing_name": "lamp"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudThread]:
    with CloudThread(tmp_path) as running:
        running.call(lambda cloud: cloud.registry.create_thing(thingName="lamp"))
        yield running


@pytest.fixture
def connection(cloud: CloudThread) -> Iterator[mqtt.Connection]:
    made = connect(cloud, "lamp", cloud.identity("lamp"), clean_session=True)
    yield made
    made.disconnect().result(DEADLINE_S)


def create(cloud: CloudThread, job_id: str, **members: Any) -> None:
    document = json.dumps({"action": "blink", "times": [1, 2]})

    def created(it: Any) -> None:
        target = it.registry.arn("thing/lamp")
        it.jobs.create_job(jobId=job_id, targets=[target], document=document, **members)

    cloud.call(created)


class Sdk:
    """The SDK's client, each request with the answer that came."""

    def __init__(self, connection: mqtt.Connection) -> None:
        self.client = iotjobs.IotJobsClient(connection)

    def ask(self, name: str, kind: str, topic: dict[str, Any], **request: Any) -> Any:
        accepted, rejected = f"subscribe_to_{name}_accepted", f"subscribe_to_{name}_rejected"
        publish = getattr(self.client, f"publish_{name}")
        asked = getattr(iotjobs, f"{kind}Request")(**topic, **request)
        subscription = getattr(iotjobs, f"{kind}SubscriptionRequest")(**topic)
        return ask(self.client, publish, asked, accepted, rejected, subscription)

    def pending(self) -> Any:
        return self.ask("get_pending_job_executions", "GetPendingJobExecutions", LAMP)

    def start_next(self, **request: Any) -> Any:
        return self.ask("start_next_pending_job_execution", "StartNextPendingJobExecution", LAMP, **request)

    def describe(self, job_id: str, **request: Any) -> Any:
        topic = LAMP | {"job_id": job_id}
        return self.ask("describe_job_execution", "DescribeJobExecution", topic, **request)

    def update(self, job_id: str, **request: Any) -> Any:
        topic = LAMP | {"job_id": job_id}
        return self.ask("update_job_execution", "UpdateJobExecution", topic, **request)


def test_a_job_done_by_the_sdk(cloud: CloudThread, connection: mqtt.Connection) -> None:
    sdk = Sdk(connection)
    changed, following = Once(), Once()
    topic = iotjobs.JobExecutionsChangedSubscriptionRequest(**LAMP)
    sdk.client.subscribe_to_job_executions_changed_events(topic, QOS_1, changed)[0].result(DEADLINE_S)
    next_topic = iotjobs.NextJobExecutionChangedSubscriptionRequest(**LAMP)
    sdk.client.subscribe_to_next_job_execution_changed_events(next_topic, QOS_1, following)[0].result(
        DEADLINE_S
    )
    before = datetime.now().replace(microsecond=0)
    create(cloud, "blink", timeoutConfig={"inProgressTimeoutInMinutes": 5})
    ((event,), _), ((following_event,), _) = changed.result(), following.result()
    assert [one.job_id for one in event.jobs["QUEUED"]] == ["blink"]
    execution = following_event.execution
    assert (execution.job_id, execution.thing_name, execution.status) == ("blink", "lamp", "QUEUED")
    assert execution.job_document == {"action": "blink", "times": [1, 2]}
    assert before <= execution.queued_at <= datetime.now()

    pending = sdk.pending()
    assert [one.job_id for one in pending.queued_jobs] == ["blink"] and not pending.in_progress_jobs
    started = sdk.start_next(status_details={"step": "1"}, client_token="mine")
    assert started.client_token == "mine" and before <= started.timestamp <= datetime.now()
    assert (started.execution.status, started.execution.version_number) == ("IN_PROGRESS", 2)
    assert started.execution.status_details == {"step": "1"}
    described = sdk.describe("$next", include_job_document=False)
    assert (described.execution.job_id, described.execution.job_document) == ("blink", None)
    updated = sdk.update(
        "blink",
        status=iotjobs.JobStatus.SUCCEEDED,
        expected_version=2,
        execution_number=1,
        status_details={"step": "2"},
        include_job_document=True,
        include_job_execution_state=True,
    )
    assert updated.job_document["action"] == "blink"
    state = updated.execution_state
    assert (state.status, state.version_number, state.status_details) == ("SUCCEEDED", 3, {"step": "2"})
    assert sdk.start_next().execution is None
    assert cloud.call(lambda it: it.jobs.describe_job(jobId="blink")["job"]["status"]) == "COMPLETED"


def test_what_the_sdk_is_refused(cloud: CloudThread, connection: mqtt.Connection) -> None:
    sdk = Sdk(connection)
    create(cloud, "blink")
    codes = iotjobs.RejectedErrorCode
    refused = sdk.describe("other")
    assert isinstance(refused, iotjobs.RejectedError)
    assert refused.code == codes.RESOURCE_NOT_FOUND and refused.message
    refused = sdk.update("blink", status="SUCCEEDED", expected_version=7, client_token="mine")
    assert (refused.code, refused.client_token) == (codes.VERSION_MISMATCH, "mine")
    assert (refused.execution_state.status, refused.execution_state.version_number) == ("QUEUED", 1)
    assert sdk.update("blink", status="TIMED_OUT").code == codes.INVALID_REQUEST
    sdk.update("blink", status="REJECTED", status_details={"reason": "unknown action"})
    refused = sdk.update("blink", status="IN_PROGRESS")
    assert refused.code == codes.INVALID_STATE_TRANSITION
    assert refused.execution_state.status_details == {"reason": "unknown action"}
    assert sdk.describe("blink").code == codes.TERMINAL_STATE_REACHED


def test_the_sdk_sees_a_retry_and_a_cancellation(cloud: CloudThread, connection: mqtt.Connection) -> None:
    sdk = Sdk(connection)
    retries = {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 1}]}
    create(cloud, "blink", jobExecutionsRetryConfig=retries)
    for number in (1, 2):
        assert sdk.start_next().execution.execution_number == number
        if number == 1:
            sdk.update("blink", status="FAILED")
    cloud.call(lambda it: it.jobs.cancel_job(jobId="blink", force=True))
    assert sdk.pending().in_progress_jobs == []
    refused = sdk.update("blink", status="SUCCEEDED")
    assert refused.code == iotjobs.RejectedErrorCode.INVALID_STATE_TRANSITION
    assert refused.execution_state.status == "CANCELED"
