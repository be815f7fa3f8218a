"""Commands, from who starts one to the device that answers, and what is known of it afterwards."""

import asyncio
import datetime as dt
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.shapes import checked
from tests.host.cloud.support import NOW_S, Bench, Clock, Peer, bench, policy
from tests.host.cloud.test_restart import Process
from tools.cloud import Cloud
from tools.cloud.errors import AwsError, ConflictException, ResourceNotFoundException, ValidationException

EXECUTIONS = "$aws/commands/things/lamp/executions"


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, clock=clock) as running:
        running.cloud.registry.create_thing(thingName="lamp")
        yield running


def arn(cloud: Bench, resource: str) -> str:
    return cloud.cloud.registry.arn(resource)


def create(
    cloud: Bench, name: str = "beep", content: bytes = b'{"times":3}', kind: str = "application/json"
) -> None:
    payload = {"content": content, "contentType": kind}
    checked("iot", "CreateCommand", cloud.cloud.commands.create_command(commandId=name, payload=payload))


def start(cloud: Bench, name: str = "beep", target: str = "thing/lamp", **more: Any) -> str:
    started = cloud.cloud.commands.start_command_execution(
        targetArn=arn(cloud, target), commandArn=arn(cloud, f"command/{name}"), **more
    )
    return checked("iot-jobs-data", "StartCommandExecution", started)["executionId"]


def execution(cloud: Bench, identifier: str, target: str = "thing/lamp") -> dict[str, Any]:
    found = cloud.cloud.commands.get_command_execution(
        executionId=identifier, targetArn=arn(cloud, target), includeResult=True
    )
    return checked("iot", "GetCommandExecution", found)


async def device(cloud: Bench, *filters: str) -> Peer:
    peer = await cloud.client("lamp")
    for topic_filter in filters or ("+/request/json", "+/response/accepted/json", "+/response/rejected/json"):
        await peer.subscribe(f"{EXECUTIONS}/{topic_filter}")
    return peer


async def say(peer: Peer, identifier: str, said: dict[str, Any] | bytes) -> tuple[str, dict[str, Any]]:
    """A device's word and the answer to it: "accepted" or "rejected", and its payload."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    await peer.publish(f"{EXECUTIONS}/{identifier}/response/json", body)
    answer = await peer.message()
    verdict = answer.topic.removeprefix(f"{EXECUTIONS}/{identifier}/response/").removesuffix("/json")
    return verdict, json.loads(answer.payload)


async def test_from_start_to_success(cloud: Bench, clock: Clock) -> None:
    create(cloud)
    peer = await device(cloud)
    identifier = start(cloud)
    request = await peer.message()
    assert (request.topic, request.payload) == (f"{EXECUTIONS}/{identifier}/request/json", b'{"times":3}')
    assert execution(cloud, identifier)["status"] == "CREATED"
    clock.now_s += 2
    reason = {"reasonCode": "200", "reasonDescription": "Execution_in_progress"}
    said: dict[str, Any] = {"status": "IN_PROGRESS", "statusReason": reason}
    assert await say(peer, identifier, said) == ("accepted", {"executionId": identifier})
    assert execution(cloud, identifier)["statusReason"] == reason
    clock.now_s += 3
    said = {
        "status": "SUCCEEDED",
        "result": {"beeps": {"s": "3"}, "loud": {"b": True}, "raw": {"bin": "AA=="}},
    }
    assert await say(peer, identifier, said) == ("accepted", {"executionId": identifier})
    assert execution(cloud, identifier) == {
        "executionId": identifier,
        "commandArn": arn(cloud, "command/beep"),
        "targetArn": arn(cloud, "thing/lamp"),
        "status": "SUCCEEDED",
        "result": {"beeps": {"S": "3"}, "loud": {"B": True}, "raw": {"BIN": b"\0"}},
        "executionTimeoutSeconds": 10,
        "createdAt": NOW_S,
        "startedAt": NOW_S,
        "lastUpdatedAt": NOW_S + 5,
        "completedAt": NOW_S + 5,
        "timeToLive": NOW_S + 182 * 86400,
    }
    verdict, answer = await say(peer, identifier, {"status": "FAILED"})
    assert (verdict, answer["error"], answer["executionId"]) == (
        "rejected",
        "TerminalStateReached",
        identifier,
    )
    verdict, answer = await say(peer, identifier, {"status": "IN_PROGRESS"})
    assert (verdict, answer["error"]) == ("rejected", "InvalidStateTransition")
    assert execution(cloud, identifier)["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("application/json", "request/json"),
        ("application/json; charset=utf-8", "request/json"),
        ("application/cbor", "request/cbor"),
        ("text/plain", "request"),
    ],
)
async def test_the_topic_tells_the_content_type(cloud: Bench, kind: str, end: str) -> None:
    create(cloud, content=b"\xff any", kind=kind)
    peer = await device(cloud, "+/request", "+/request/json", "+/request/cbor")
    identifier = start(cloud)
    request = await peer.message()
    assert (request.topic, request.payload) == (f"{EXECUTIONS}/{identifier}/{end}", b"\xff any")
    await peer.nothing_more()


async def test_a_client_that_is_no_thing(cloud: Bench) -> None:
    create(cloud)
    peer = await cloud.client("some/client")
    await peer.subscribe("$aws/commands/clients/some/client/executions/+/request/json")
    await peer.subscribe("$aws/commands/clients/some/client/executions/+/response/accepted/json")
    identifier = start(cloud, target="client/some/client")
    assert (await peer.message()).payload == b'{"times":3}'
    topic = f"$aws/commands/clients/some/client/executions/{identifier}/response/json"
    await peer.publish(topic, b'{"status":"REJECTED"}')
    assert json.loads((await peer.message()).payload) == {"executionId": identifier}
    assert execution(cloud, identifier, "client/some/client")["status"] == "REJECTED"


async def test_a_timeout_of_the_cloud_is_not_final(cloud: Bench, clock: Clock) -> None:
    create(cloud)
    peer = await device(cloud, "+/response/accepted/json", "+/response/rejected/json")
    watcher = await cloud.client("w")
    await watcher.subscribe("$aws/events/commandExecution/+/TIMED_OUT")
    late, silent = start(cloud), start(cloud, executionTimeoutSeconds=20)
    assert (await say(peer, late, {"status": "IN_PROGRESS"}))[0] == "accepted"
    clock.now_s += 9.9
    assert execution(cloud, late)["status"] == "IN_PROGRESS"
    clock.now_s += 0.1
    event = json.loads((await watcher.message()).payload)  # the cloud acts on its own
    assert event == {
        "executionId": late,
        "status": "TIMED_OUT",
        "statusReason": {"reasonCode": "$NO_RESPONSE_FROM_DEVICE"},
        "eventType": "COMMAND_EXECUTION",
        "commandArn": arn(cloud, "command/beep"),
        "targetArn": arn(cloud, "thing/lamp"),
        "timestamp": int((NOW_S + 10) * 1000),
    }
    found = execution(cloud, late)
    assert found["status"] == "TIMED_OUT" and "completedAt" not in found
    assert execution(cloud, silent)["status"] == "CREATED"
    verdict, answer = await say(peer, late, {"status": "IN_PROGRESS"})
    assert (verdict, answer["error"]) == ("rejected", "InvalidStateTransition")
    assert (await say(peer, late, {"status": "SUCCEEDED"}))[0] == "accepted"
    found = execution(cloud, late)
    assert (found["status"], found["completedAt"]) == ("SUCCEEDED", NOW_S + 10)
    assert "statusReason" not in found
    await watcher.nothing_more()


async def test_a_timeout_of_the_device_is_final(cloud: Bench, clock: Clock) -> None:
    create(cloud)
    peer = await device(cloud, "+/response/accepted/json", "+/response/rejected/json")
    identifier = start(cloud)
    clock.now_s += 60
    assert execution(cloud, identifier)["status"] == "TIMED_OUT"
    said = {"status": "TIMED_OUT", "statusReason": {"reasonCode": "MOTOR_STUCK"}}
    assert (await say(peer, identifier, said))[0] == "accepted"
    found = execution(cloud, identifier)
    assert (found["statusReason"], found["completedAt"]) == ({"reasonCode": "MOTOR_STUCK"}, NOW_S + 60)
    verdict, answer = await say(peer, identifier, {"status": "SUCCEEDED"})
    assert (verdict, answer["error"]) == ("rejected", "InvalidStateTransition")


async def test_events_of_each_status(cloud: Bench) -> None:
    create(cloud)
    watcher = await cloud.client("w")
    await watcher.subscribe("$aws/events/commandExecution/+/#")
    peer = await device(cloud, "+/response/accepted/json")
    identifier = start(cloud)
    for status in ("IN_PROGRESS", "IN_PROGRESS", "FAILED"):
        await say(peer, identifier, {"status": status})
    told = [(await watcher.message()).topic.rpartition("/")[2] for _ in range(4)]
    assert told == ["CREATED", "IN_PROGRESS", "IN_PROGRESS", "FAILED"]


@pytest.mark.parametrize(
    "payload", [b"\xff", b"[" * 500, b'{"status":NaN}', b'{"status":1,"status":2}', b"\0" * 131_072, b""]
)
async def test_hostile_words(cloud: Bench, payload: bytes) -> None:
    create(cloud)
    peer = await device(cloud, "+/response/rejected/json")
    identifier = start(cloud)
    verdict, answer = await say(peer, identifier, payload)
    assert (verdict, answer["error"]) == ("rejected", "InvalidJson")
    event = await cloud.event("rejected")
    assert (event.reason, event.client_id) == ("InvalidJson", "lamp")
    assert execution(cloud, identifier)["status"] == "CREATED"


async def test_an_execution_of_another_or_of_nobody(cloud: Bench) -> None:
    create(cloud)
    cloud.cloud.registry.create_thing(thingName="other")
    peer = await device(cloud, "+/response/rejected/json")
    theirs = start(cloud, target="thing/other")
    for identifier in (theirs, "none", "x" * 200, "ü"):
        verdict, answer = await say(peer, identifier, {"status": "SUCCEEDED"})
        assert (verdict, answer["error"]) == ("rejected", "ResourceNotFound")
    assert execution(cloud, theirs, "thing/other")["status"] == "CREATED"


async def test_a_policy_decides_who_answers(cloud: Bench) -> None:
    create(cloud)
    identifier = start(cloud)
    own = policy(
        ("Allow", "iot:Connect", "*"), ("Allow", "iot:Publish", "*:topic/$aws/commands/things/other/*")
    )
    peer = await cloud.client("other", cloud.cloud.create_identity(own))
    peer.send(raw.publish_packet(f"{EXECUTIONS}/{identifier}/response/json", b'{"status":"SUCCEEDED"}', 1))
    assert await peer.closed() == b""
    assert (await cloud.event("disconnected")).reason == "AUTH_ERROR"
    assert execution(cloud, identifier)["status"] == "CREATED"


@pytest.mark.parametrize("end", ["response", "response/cbor", "request/json", "response/accepted/json"])
async def test_topics_that_nobody_serves(cloud: Bench, end: str) -> None:
    peer = await cloud.client("lamp")
    peer.send(raw.publish_packet(f"{EXECUTIONS}/e/{end}", b"{}", 1))
    assert await peer.closed() == b""
    assert "not served here" in (await cloud.event("disconnected")).detail


async def test_a_persistent_session_gets_it_later(cloud: Bench) -> None:
    create(cloud)
    peer = await cloud.client("lamp", clean=False)
    await peer.subscribe(f"{EXECUTIONS}/+/request/json")
    await peer.disconnect()
    identifier = start(cloud)
    peer = await cloud.client("lamp", clean=False)
    assert identifier in (await peer.message()).topic


async def test_a_command_with_parameters(cloud: Bench) -> None:
    """AWS's example: "Dynamic command creation example"."""
    made = cloud.cloud.commands.create_command(
        commandId="power",
        payloadTemplate='{"power":"${aws:iot:commandexecution::parameter:power}"}',
        preprocessor={"awsJsonSubstitution": {"outputFormat": "JSON"}},
        mandatoryParameters=[
            {
                "name": "power",
                "defaultValue": {"S": "OFF"},
                "valueConditions": [{"comparisonOperator": "IN_SET", "operand": {"strings": ["ON", "OFF"]}}],
            }
        ],
    )
    checked("iot", "CreateCommand", made)
    checked("iot", "GetCommand", cloud.cloud.commands.get_command(commandId="power"))
    peer = await device(cloud, "+/request/json")
    identifier = start(cloud, "power", parameters={"power": {"S": "ON"}})
    assert (await peer.message()).payload == b'{"power":"ON"}'
    assert execution(cloud, identifier)["parameters"] == {"power": {"S": "ON"}}
    start(cloud, "power")
    assert (await peer.message()).payload == b'{"power":"OFF"}'
    with pytest.raises(ValidationException, match="IN_SET"):
        start(cloud, "power", parameters={"power": {"S": "on"}})
    await peer.nothing_more()


async def test_a_client_token_starts_once(cloud: Bench) -> None:
    create(cloud)
    peer = await device(cloud, "+/request/json")
    first = start(cloud, clientToken="t")
    await peer.message()
    assert start(cloud, clientToken="t") == first
    with pytest.raises(ConflictException, match="other arguments"):
        start(cloud, clientToken="t", executionTimeoutSeconds=11)
    await peer.nothing_more()


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"executionTimeoutSeconds": 0}, ValidationException),
        ({"executionTimeoutSeconds": 43201}, ValidationException),
        ({"parameters": {"p": {"S": "x"}}}, ValidationException),
        ({"name": "none"}, ResourceNotFoundException),
        ({"target": "thing/none"}, ResourceNotFoundException),
        ({"target": "thing/a/b"}, AwsError),
        ({"target": "client/a+b"}, ValidationException),
        ({"target": "client/\ud800"}, ValidationException),
        ({"target": "thing/"}, ValidationException),
        ({"target": "cert/lamp"}, ValidationException),
        ({"name": ""}, ValidationException),
        ({"clientToken": ""}, ValidationException),
        ({"clientToken": "ü"}, ValidationException),
    ],
)
async def test_what_cannot_be_started(cloud: Bench, more: dict[str, Any], error: type[AwsError]) -> None:
    create(cloud)
    with pytest.raises(error):
        start(cloud, **more)


async def test_deprecation_and_deletion(cloud: Bench, clock: Clock) -> None:
    """A command goes at once where it was deprecated for longer than any execution lasts; else later."""
    commands = cloud.cloud.commands
    for name in ("a", "b"):
        create(cloud, name)
    clock.now_s += 1
    updated = checked("iot", "UpdateCommand", commands.update_command(commandId="a", deprecated=True))
    assert updated == {"commandId": "a", "deprecated": True, "lastUpdatedAt": NOW_S + 1}
    with pytest.raises(ValidationException, match="deprecated"):
        start(cloud, "a")
    commands.update_command(commandId="a", deprecated=False, displayName="A")
    start(cloud, "a")
    commands.update_command(commandId="a", deprecated=True)
    clock.now_s += 12 * 3600
    assert checked("iot", "DeleteCommand", commands.delete_command(commandId="a")) == {"statusCode": 204}
    assert commands.delete_command(commandId="b") == {"statusCode": 202}
    assert commands.get_command(commandId="b")["pendingDeletion"]
    assert checked("iot", "ListCommands", commands.list_commands())["commands"] == []
    with pytest.raises(ConflictException, match="deleted"):
        commands.update_command(commandId="b", deprecated=False)
    with pytest.raises(ValidationException):
        start(cloud, "b")
    clock.now_s += 12 * 3600
    for name in ("a", "b", "none"):
        with pytest.raises(ResourceNotFoundException):
            commands.get_command(commandId=name)
        assert commands.delete_command(commandId=name) == {"statusCode": 204}


async def test_commands_are_listed(cloud: Bench, clock: Clock) -> None:
    commands = cloud.cloud.commands
    for name in ("c", "a", "b"):
        create(cloud, name)
        clock.now_s += 1
    listed = checked("iot", "ListCommands", commands.list_commands(maxResults=2, sortOrder="ASCENDING"))
    assert [command["commandId"] for command in listed["commands"]] == ["c", "a"]
    listed = commands.list_commands(maxResults=2, sortOrder="ASCENDING", nextToken=listed["nextToken"])
    assert [command["commandId"] for command in listed["commands"]] == ["b"] and "nextToken" not in listed
    assert [command["commandId"] for command in commands.list_commands()["commands"]] == ["b", "a", "c"]
    assert commands.list_commands(commandParameterName="p")["commands"] == []
    with pytest.raises(ConflictException):
        create(cloud, "a")
    for wrong in ({"maxResults": 0}, {"maxResults": 101}, {"nextToken": "x"}, {"sortOrder": "up"}):
        with pytest.raises(ValidationException):
            commands.list_commands(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"commandId": "a b"},
        {"commandId": ""},
        {"commandId": "a" * 65},
        {"payload": None},
        {"payload": {"content": b"", "contentType": "a/b"}},
        {"payload": {"content": b"x" * 32769, "contentType": "a/b"}},
        {"payload": {"content": b"x", "contentType": "json"}},
        {"payload": {"content": "text", "contentType": "a/b"}},
        {"payloadTemplate": "{}"},
        {"payload": None, "payloadTemplate": '{"a":"${aws:iot:commandexecution::executionTimeoutSec}"}'},
        {"namespace": "AWS-IoT-FleetWise"},
        {"displayName": "a\nb"},
        {"displayName": "x" * 65},
        {"description": "\ud800"},
        {"mandatoryParameters": [{}]},
    ],
)
async def test_commands_that_cannot_be(cloud: Bench, wrong: dict[str, Any]) -> None:
    right = {"commandId": "c", "payload": {"content": b"x", "contentType": "text/plain"}}
    with pytest.raises(ValidationException):
        cloud.cloud.commands.create_command(**right | wrong)


async def test_executions_are_listed_and_deleted(cloud: Bench, clock: Clock) -> None:
    commands = cloud.cloud.commands
    for name in ("a", "b"):
        create(cloud, name)
    peer = await device(cloud, "+/response/accepted/json")
    made = []
    for name in ("a", "b", "a"):
        made.append(start(cloud, name, executionTimeoutSeconds=600))
        clock.now_s += 60
    await say(peer, made[0], {"status": "SUCCEEDED"})

    def listed(**filters: Any) -> list[int]:
        found = checked("iot", "ListCommandExecutions", commands.list_command_executions(**filters))
        return [made.index(one["executionId"]) for one in found["commandExecutions"]]

    lamp, a = {"targetArn": arn(cloud, "thing/lamp")}, {"commandArn": arn(cloud, "command/a")}
    assert listed(**lamp) == [2, 1, 0]
    assert listed(**a, sortOrder="ASCENDING") == [0, 2]
    assert listed(**lamp, status="CREATED") == [2, 1]
    after = dt.datetime.fromtimestamp(NOW_S + 60, dt.UTC).strftime("%Y-%m-%dT%H:%M")
    assert listed(**lamp, startedTimeFilter={"after": after}) == [2, 1]
    assert listed(**lamp, startedTimeFilter={"before": after}) == [0]
    assert listed(**lamp, completedTimeFilter={"after": after}) == [0]
    for wrong in (
        {}, lamp | a, lamp | {"status": "DONE"}, lamp | {"startedTimeFilter": {"after": "yesterday"}},
        lamp | {"startedTimeFilter": {"after": after}, "completedTimeFilter": {"after": after}},
        {"commandArn": "a"}, lamp | {"sortOrder": "up"},
    ):  # fmt: skip
        with pytest.raises(ValidationException):
            commands.list_command_executions(**wrong)
    with pytest.raises(ConflictException, match="CREATED"):
        commands.delete_command_execution(executionId=made[1], **lamp)
    commands.delete_command_execution(executionId=made[0], **lamp)
    commands.delete_command_execution(executionId=made[0], **lamp)
    assert listed(**lamp) == [2, 1]
    with pytest.raises(ResourceNotFoundException):
        execution(cloud, made[0])


async def test_old_executions_are_forgotten(cloud: Bench, clock: Clock) -> None:
    create(cloud)
    identifier = start(cloud)
    clock.now_s += 182 * 86400
    with pytest.raises(ResourceNotFoundException):
        execution(cloud, identifier)


async def test_a_paho_device_and_a_killed_cloud(tmp_path: Path) -> None:
    """What was acknowledged before a kill -9 is there after it: command, execution, status and result."""
    process = Process(tmp_path)
    cloud = Cloud(tmp_path / "state")
    cloud.registry.create_thing(thingName="lamp")
    cloud.commands.create_command(
        commandId="beep", payload={"content": b"{}", "contentType": "application/json"}
    )
    lamp, beep = cloud.registry.arn("thing/lamp"), cloud.registry.arn("command/beep")
    started = cloud.commands.start_command_execution(
        targetArn=lamp, commandArn=beep, executionTimeoutSeconds=3600
    )
    cloud._database.close()
    identifier = started["executionId"]
    async with process.running():
        context = raw.client_context(process._root_ca, process.identities[0], tmp_path)
        topic = f"{EXECUTIONS}/{identifier}/response"
        said = json.dumps({"status": "SUCCEEDED", "result": {"ok": {"b": True}}})
        answer = await asyncio.to_thread(ask_by_paho, process._port, context, topic, said)
        assert json.loads(answer) == {"executionId": identifier}
    cloud = Cloud(tmp_path / "state")
    found = cloud.commands.get_command_execution(executionId=identifier, targetArn=lamp, includeResult=True)
    cloud._database.close()
    assert (found["status"], found["result"]) == ("SUCCEEDED", {"ok": {"B": True}})


def ask_by_paho(port: int, context: ssl.SSLContext, topic: str, payload: str) -> bytes:
    """The answer on `…/accepted/json`."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "lamp")
    client.tls_set_context(context)
    answers: list[bytes] = []
    client.on_message = lambda client, data, message: answers.append(message.payload)
    client.on_connect = lambda client, *_: client.subscribe(f"{topic}/accepted/json", 1)
    client.on_subscribe = lambda client, *_: client.publish(f"{topic}/json", payload, 1)
    client.connect("localhost", port)
    until = time.monotonic() + raw.DEADLINE_S
    while not answers and time.monotonic() < until:
        client.loop(0.1)
    client.disconnect()
    return answers[0]
