"""A cloud that misbehaves when told to: each way is seen by a client."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.support import Bench, Peer, bench, subscribe_packet
from tests.patience import PATIENCE_S
from tools.cloud.misbehaviour import (
    FILE_KINDS,
    KINDS,
    PACKET_KINDS,
    PACKETS,
    SERVICES,
    Misbehaviour,
    _refused,
)

CREATE = "$aws/certificates/create/json"
RESPONSES = "$aws/commands/things/lamp/executions"
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        running.cloud.registry.create_thing(thingName="lamp")
        payload = {"content": b"{}", "contentType": "application/json"}
        running.cloud.commands.create_command(commandId="beep", payload=payload)
        yield running


def start(cloud: Bench) -> str:
    arn = cloud.cloud.registry.arn
    started = cloud.cloud.commands.start_command_execution(
        targetArn=arn("thing/lamp"), commandArn=arn("command/beep"), executionTimeoutSeconds=3600
    )
    return started["executionId"]


def status(cloud: Bench, identifier: str) -> str:
    found = cloud.cloud.commands.get_command_execution(
        executionId=identifier, targetArn=cloud.cloud.registry.arn("thing/lamp")
    )
    return found["status"]


async def device(cloud: Bench) -> Peer:
    peer = await cloud.client("lamp")
    for topic_filter in (
        f"{RESPONSES}/+/response/+/json",
        f"{RESPONSES}/+/request/json",
        "$aws/certificates/create/json/accepted",
        "$aws/certificates/create/json/rejected",
        "$aws/things/lamp/defender/metrics/json/rejected",
    ):
        await peer.subscribe(topic_filter)
    return peer


async def succeed(peer: Peer, identifier: str) -> None:
    await peer.publish(f"{RESPONSES}/{identifier}/response/json", b'{"status":"SUCCEEDED"}')


def misbehave(cloud: Bench, text: str) -> None:
    cloud.cloud.gate.rules.append(Misbehaviour.of(text))


async def test_never(cloud: Bench) -> None:
    """What was asked is done, nothing is said of it; and after the given times all is as ever."""
    peer, first, second = await device(cloud), start(cloud), start(cloud)
    await peer.message()
    await peer.message()
    misbehave(cloud, "never=1@commands")
    await succeed(peer, first)
    await peer.nothing_more()
    assert status(cloud, first) == "SUCCEEDED"
    told = await cloud.event("misbehaved")
    assert (told.reason, told.detail) == ("never", f"{RESPONSES}/{first}/response/accepted/json")
    await succeed(peer, second)
    assert json.loads((await peer.message()).payload) == {"executionId": second}


async def test_never_an_answer_that_is_one_client_s(cloud: Bench) -> None:
    peer = await device(cloud)
    misbehave(cloud, "never@provisioning")
    await peer.publish(CREATE, b"{}")
    await peer.nothing_more()
    assert len(cloud.cloud.registry.list_certificates()["certificates"]) == 2
    cloud.cloud.gate.rules.clear()
    await peer.publish(CREATE, b"{}")
    assert (await peer.message()).topic == f"{CREATE}/accepted"


async def test_twice(cloud: Bench) -> None:
    peer = await device(cloud)
    misbehave(cloud, "twice=1@provisioning")
    await peer.publish(CREATE, b"{}")
    first, second = await peer.message(), await peer.message()
    assert (
        (first.topic, first.payload)
        == (second.topic, second.payload)
        == (f"{CREATE}/accepted", first.payload)
    )
    await peer.publish(CREATE, b"{}")
    assert (await peer.message()).payload != first.payload
    await peer.nothing_more()


async def test_late(cloud: Bench) -> None:
    peer = await device(cloud)
    misbehave(cloud, "late=0.4@provisioning")
    began = time.monotonic()
    await peer.publish(CREATE, b"{}")
    assert (await peer.message()).topic == f"{CREATE}/accepted"
    assert time.monotonic() - began >= 0.4


async def test_late_for_who_has_gone(cloud: Bench) -> None:
    peer = await device(cloud)
    misbehave(cloud, "late=0.1@provisioning")
    await peer.publish(CREATE, b"{}")
    await peer.disconnect()
    await cloud.event("misbehaved")
    watcher = await cloud.client("w")
    identifier = start(cloud)  # not touched: it is no provisioning
    await watcher.subscribe(f"{RESPONSES}/+/response/accepted/json")
    await watcher.publish(f"{RESPONSES}/{identifier}/response/json", b'{"status":"SUCCEEDED"}')
    assert (await watcher.message()).payload == json.dumps({"executionId": identifier}).encode()


async def test_out_of_order(cloud: Bench) -> None:
    peer = await device(cloud)
    misbehave(cloud, "out-of-order=3600@$aws/commands/+/+/executions/+/request/json")
    made = [start(cloud) for _ in range(4)]
    came = [(await peer.message()).topic.split("/")[5] for _ in range(4)]
    assert came == [made[1], made[0], made[3], made[2]]


async def test_out_of_order_holds_none_for_ever(cloud: Bench) -> None:
    peer = await device(cloud)
    misbehave(cloud, "out-of-order=0.2@commands")
    identifier = start(cloud)
    assert identifier in (await peer.message()).topic


@pytest.mark.parametrize(
    ("kind", "code", "provisioning", "defender"),
    [
        ("refusing", "InternalError", (500, "InternalFailure"), "InternalFailure"),
        ("throttling", "RequestThrottled", (429, "Throttling"), "Throttled"),
    ],
)
async def test_refusals(
    cloud: Bench, kind: str, code: str, provisioning: tuple[int, str], defender: str
) -> None:
    """Nothing is done; the answer is the service's own form of a rejection."""
    peer, identifier = await device(cloud), start(cloud)
    await peer.message()
    misbehave(cloud, kind)
    await succeed(peer, identifier)
    answer = await peer.message()
    assert answer.topic == f"{RESPONSES}/{identifier}/response/rejected/json"
    said = json.loads(answer.payload)
    assert (said["error"], said["executionId"]) == (code, identifier)
    assert status(cloud, identifier) == "CREATED"
    before = len(cloud.cloud.registry.list_certificates()["certificates"])
    await peer.publish(CREATE, b"{}")
    answer = await peer.message()
    assert answer.topic == f"{CREATE}/rejected"
    said = json.loads(answer.payload)
    assert (said["statusCode"], said["errorCode"]) == provisioning and said["errorMessage"]
    assert len(cloud.cloud.registry.list_certificates()["certificates"]) == before
    await peer.publish("$aws/things/lamp/defender/metrics/json", b"\xff")
    said = json.loads((await peer.message()).payload)
    assert (said["status"], said["statusDetails"]["ErrorCode"]) == ("REJECTED", defender)


async def test_refused_a_number_of_times(cloud: Bench) -> None:
    peer = await device(cloud)
    misbehave(cloud, "throttling=2@provisioning")
    verdicts = []
    for _ in range(3):
        await peer.publish(CREATE, b"{}")
        verdicts.append((await peer.message()).topic.rpartition("/")[2])
    assert verdicts == ["rejected", "rejected", "accepted"]


async def test_a_rule_s_topics_are_no_service_s(tmp_path: Path) -> None:
    """Basic Ingest has no answers: a misbehaviour of everything does not touch it."""
    async with bench(tmp_path, rules={"r": "out"}, misbehave=[Misbehaviour("refusing")]) as cloud:
        peer = await cloud.client("c")
        await peer.subscribe("out")
        await peer.publish("$aws/rules/r/x", b"1")
        assert (await peer.message()).topic == "out"


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("$aws/things/t/shadow/update", b'{"clientToken":"c"}', {"code": 429, "clientToken": "c"}),
        ("$aws/things/t/shadow/name/n/get", b"", {"code": 429}),
        ("$aws/things/t/shadow/get", b"\xff", {"code": 429}),
        ("$aws/things/t/shadow/get", b"[" * 100_000, {"code": 429}),
        (
            "$aws/things/t/jobs/start-next",
            b'{"clientToken":"c"}',
            {"code": "RequestThrottled", "clientToken": "c"},
        ),
        ("$aws/things/t/jobs/j/update", b'{"clientToken":1}', {"code": "RequestThrottled"}),
    ],
)
def test_the_form_of_a_refusal(topic: str, payload: bytes, expected: dict[str, Any]) -> None:
    """AWS: "Device Shadow error messages"; "ErrorResponse" of the jobs' MQTT API."""
    answered, body = _refused(topic, payload, throttled=True)
    said = json.loads(body)
    assert answered == f"{topic}/rejected"
    assert said.pop("timestamp") > 1_700_000_000 and said.pop("message")
    assert said == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slow",
        "late=x",
        "late=-1",
        "late=3601",
        "late=nan",
        "never=0",
        "never=-1",
        "never=1.5",
        "never@x/#",
        "never@CONNECT",
        "deaf@shadows",
        "deaf=x@CONNECT",
        "hang-up@connect",
    ],
)
def test_ways_that_there_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="misbehaviour"):
        Misbehaviour.of(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["", *SERVICES, "$aws/things/+/shadow/#"])
def test_ways_that_there_are(kind: str, where: str) -> None:
    made = Misbehaviour.of(f"{kind}=3" + (f"@{where}" if where else ""))
    assert (made.kind, made.where) == (kind, where)
    assert (made.seconds if kind in ("late", "out-of-order") else made.times) == 3


@pytest.mark.parametrize("kind", PACKET_KINDS)
@pytest.mark.parametrize("where", ["", *PACKETS])
def test_ways_with_packets_that_there_are(kind: str, where: str) -> None:
    made = Misbehaviour.of(f"{kind}=3" + (f"@{where}" if where else ""))
    assert (made.kind, made.where, made.times) == (kind, where, 3)


async def test_deaf_to_a_packet(cloud: Bench) -> None:
    """It has no effect and no answer, and the connection goes on."""
    peer = await cloud.client("c")
    misbehave(cloud, "deaf=1@SUBSCRIBE")
    peer.send(subscribe_packet(7, ("t", 1)))
    await peer.publish("t", b"1")  # has its PUBACK, and nobody had subscribed
    told = await cloud.event("misbehaved")
    assert (told.client_id, told.reason, told.detail) == ("c", "deaf", "SUBSCRIBE")
    await peer.subscribe("t")
    await peer.nothing_more()


async def test_hanging_up_behind_a_packet(cloud: Bench) -> None:
    heard: list[tuple[str, str]] = []
    cloud.cloud.gate.on_packet = lambda client, packet, kind: heard.append((type(packet).__name__, kind))
    misbehave(cloud, "hang-up=1@CONNECT")
    peer = await cloud.client("c")
    assert (await cloud.event("disconnected")).reason == "SERVER_INITIATED_DISCONNECT"
    await peer.closed()
    await cloud.client("c")
    assert heard == [("Connect", "hang-up"), ("Connect", "")]


def test_the_command_line_lists_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools", "cloud"]
    done = subprocess.run(
        [*command, "--help"], cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    for name in (*KINDS, *PACKET_KINDS, *FILE_KINDS, *SERVICES, *PACKETS):
        assert name in done.stdout
    done = subprocess.run(
        [*command, "--state", str(tmp_path), "--misbehave", "slow"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "must be one of late, twice" in done.stderr
