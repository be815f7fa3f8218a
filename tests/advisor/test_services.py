"""Device Advisor's cases of shadows, jobs and policies, and its long duration test."""

import json
import random
import re
import socket
from typing import Any

import pytest

from tests.advisor.advisor import COMMANDS, NAME, TELEMETRY, Advisor
from tests.advisor.backoff import kind_of_backoff
from tests.advisor.test_mqtt import (
    asked_again,
    keep_alive,
    persistent_session,
    retries_without_connack,
    subscribed,
)
from tests.patience import until
from tests.system.house import HOST, START_S
from tests.system.test_jobs import create, reaches
from tests.system.test_shadow import reported
from tools.cloud import fleet
from tools.cloud import packet as mqtt
from tools.cloud.policy import Policy, is_allowed

SHADOW_UPDATE = f"$aws/things/{NAME}/shadow/update"
JOB_UPDATE = f"$aws/things/{NAME}/jobs/one/update"
REPORTS = """
    import asyncio

    async def main(thing):
        thing.shadow.on("led", lambda value: value)
        thing.shadow.report({"led": 0, "name": "lamp"})
        await asyncio.sleep(3600)
"""
STABLE_S = 30  # then the device's backoff starts anew
LONG_DISCONNECT_S = 30 * 60  # "This value is configurable from 30 to 120 minutes"
FULL_BACKOFF_S = 3 * 60  # after two minutes at most the pauses are as long as they get


async def test_shadow_publish_reported_state(advisor: Advisor) -> None:
    await advisor.start(REPORTS)
    (first, *_) = await advisor.hears(mqtt.Publish, topic=SHADOW_UPDATE)
    assert json.loads(first.packet.payload)["state"]["reported"] == {"led": 0, "name": "lamp"}
    await until(lambda: reported(advisor) == {"led": 0, "name": "lamp"})


async def test_shadow_update_reported_state(advisor: Advisor) -> None:
    """The example application follows what is desired, and says so."""
    device = await advisor.start(None)
    state = {"state": {"desired": {"led": 1}}, "clientToken": "DeviceAdvisorShadowTestCaseSetup"}
    advisor.cloud.shadows.update_thing_shadow(thingName=NAME, payload=json.dumps(state).encode())
    await until(lambda: reported(advisor).get("led") == 1)
    assert device.chip.pins.get(2) == 1
    said = [json.loads(one.packet.payload)["state"] for one in advisor.of(mqtt.Publish, topic=SHADOW_UPDATE)]
    assert {"reported": {"led": 1}} in said


async def test_job_execution(advisor: Advisor) -> None:
    """It takes the job, tells how it goes, and publishes that it has succeeded."""
    await advisor.start(None)
    create(advisor, "one", {"action": "blink", "times": 2})
    await reaches(advisor, "one", "SUCCEEDED")
    said = [json.loads(one.packet.payload) for one in advisor.of(mqtt.Publish, topic=JOB_UPDATE)]
    assert said[-1]["status"] == "SUCCEEDED" and "IN_PROGRESS" in {one["status"] for one in said}


def _statements(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (statement["Action"], resource)
        for statement in document["Statement"]
        for resource in statement["Resource"]
    ]


async def test_security_device_policies(advisor: Advisor) -> None:
    """What the template gives a thing has no wildcard but behind the thing's own name or the call's.

    So it grants nothing of another thing's, whatever that is called.
    """
    arn = advisor.cloud.registry.arn
    body = json.loads(fleet.template_body(arn, "LocalTemplate"))
    text = body["Resources"]["policy"]["Properties"]["PolicyDocument"]
    own = re.escape("${iot:Connection.Thing.ThingName}")
    calls = r"\$aws/certificates/create-from-csr|\$aws/provisioning-templates/LocalTemplate/provision"
    for action, resource in _statements(json.loads(text)):
        assert re.fullmatch(r"iot:[A-Za-z]+", action)
        head, star, tail = resource.partition("*")
        assert not tail and (not star or re.search(rf"/({own}|{calls})/$", head)), resource
    variables = {"iot:Connection.Thing.ThingName": NAME}
    for action, resource in (
        ("iot:Connect", "client/{}"),
        ("iot:Publish", "topic/telemetry/{}"),
        ("iot:Publish", "topic/$aws/things/{}/shadow/update"),
        ("iot:Subscribe", "topicfilter/cmd/{}"),
        ("iot:Receive", "topic/$aws/things/{}/jobs/notify-next"),
    ):
        allowed = {
            name: is_allowed([Policy(text)], action, arn(resource.format(name)), variables)
            for name in (NAME, NAME + "1", "other", "+", "#", "*")
        }
        assert [name for name, is_so in allowed.items() if is_so] == [NAME], f"{action} {resource}"


@pytest.fixture
def disconnect_s(pytestconfig: pytest.Config) -> int:
    """How long LONG_SERVER_DISCONNECT is: as on AWS where `-m slow` asks for it, as `make test-slow` does."""
    return LONG_DISCONNECT_S if "slow" in pytestconfig.option.markexpr else FULL_BACKOFF_S


@pytest.mark.timeout(1800)  # of a device's time it is up to three quarters of an hour
@pytest.mark.slow
async def test_mqtt_long_duration(advisor: Advisor, disconnect_s: int) -> None:
    """One life: the basic tests and then all scenarios, with a disconnection as long as that."""
    # CONNECT, PUBLISH and SUBSCRIBE with QoS 1 that are asked for again
    advisor.misbehave("deaf@PUBLISH", "deaf@SUBSCRIBE")
    device = await advisor.start()
    clock = device.chip.clock
    await asked_again(advisor, mqtt.Subscribe, filters=((COMMANDS, 1),))
    advisor.misbehave("deaf@PUBLISH")
    await asked_again(advisor, mqtt.Publish, topic=TELEMETRY, payload=b'{"one": 1}')
    await subscribed(advisor)
    # RECONNECT
    advisor.hang_up()
    await advisor.hears(mqtt.Connect, 2)
    await until(lambda: advisor.connected, "the connection")
    # PUBACK_QOS_1 and RECEIVE_LARGE_PAYLOAD
    for payload in (b"small", b"x" * (128 * 1024)):
        since = len(advisor.heard)
        await advisor.publish(payload)
        await advisor.hears(mqtt.Puback, 1, since)
    await persistent_session(advisor, b"what was kept")
    await keep_alive(advisor)
    await until(lambda: advisor.connected, "the connection")
    # INTERMITTENT_CONNECTIVITY
    chance = random.Random(1)
    for _ in range(4):
        await clock.sleep(chance.uniform(1, 10))
        advisor.misbehave("deaf@CONNECT")
        advisor.hang_up()
        await clock.sleep(chance.uniform(1, 20))
        advisor.misbehave()
        await until(lambda: advisor.connected, "the connection")
    # RECONNECT_BACK_OFF, once a connection has lasted
    await clock.sleep(STABLE_S + 1)
    assert kind_of_backoff(await retries_without_connack(advisor)) == "jitter"
    # LONG_SERVER_DISCONNECT
    place = advisor.world.hosts[HOST]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        advisor.world.hosts[HOST] = nobody.getsockname()
        advisor.hang_up()
        await clock.sleep(disconnect_s)
    assert not advisor.connected
    advisor.world.hosts[HOST] = place
    await until(lambda: advisor.connected, "the connection")
    # and what it is for goes on
    since = len(advisor.heard)
    await advisor.hears(mqtt.Publish, 3, since, topic=TELEMETRY, qos=1)
    await advisor.publish(b"after all")
    await device.expect("app: got after all", START_S)
    assert sum("system: mode NORMAL" in line for line in device.lines) == 1
