"""`thing NAME command run`: a device's answer, its reason, its silence."""

import json
from typing import Any

from tests.host.thing.conftest import PATIENCE, Thing
from tests.host.thing.device import Device, register
from tests.peers.cloud_thread import CloudThread


def beep(asked: dict[str, Any]) -> dict[str, Any]:
    return {"status": "SUCCEEDED", "result": {"tone": {"s": asked.get("tone", "low")}, "loud": {"b": True}}}


def refuse(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": "REJECTED",
        "statusReason": {"reasonCode": "UNKNOWN", "reasonDescription": "known: beep"},
    }


def commands(cloud: CloudThread, name: str) -> list[dict[str, Any]]:
    found = cloud.call(lambda it: it.commands.list_commands())["commands"]
    return [it for it in found if it["commandId"].startswith(f"{name}-")]


def test_a_command_and_its_result(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "beeps", register(cloud, "beeps"), commands={"beep": beep}):
        done = thing("beeps", "command", "run", "beep", 'tone="high"', "--timeout", PATIENCE, "--json")
        assert (done.status, done.err) == (0, "")
        assert (done.value["status"], done.value["result"]) == ("SUCCEEDED", {"tone": "high", "loud": True})
        shown = thing("beeps", "command", "run", "beep", 'tone="high"', "--timeout", PATIENCE)
        assert shown.status == 0 and "loud=true" in shown.out and 'tone="high"' in shown.out
        (one,) = commands(cloud, "beep")  # the same content is one command
        command = cloud.call(lambda it: it.commands.get_command(commandId=one["commandId"]))
        assert json.loads(command["payload"]["content"]) == {"action": "beep", "tone": "high"}
        assert thing("beeps", "command", "run", "beep", "--timeout", PATIENCE).status == 0
        assert len(commands(cloud, "beep")) == 2


def test_a_command_that_is_refused(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "refuses", register(cloud, "refuses"), commands={"sing": refuse}):
        done = thing("refuses", "command", "run", "sing", "--timeout", PATIENCE, "--json")
    assert done.status == 1
    assert done.failure["text"] == "command sing: REJECTED: UNKNOWN: known: beep"
    assert "logs" in done.failure["remedy"]


def test_a_command_without_an_answer(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "silent")
    done = thing("silent", "command", "run", "beep.2!", "--timeout", "1", "--json")
    assert done.status == 1
    assert done.failure["text"].startswith("command beep.2!: TIMED_OUT: $NO_RESPONSE_FROM_DEVICE")
    assert "--timeout" in done.failure["remedy"] and "thing silent show" in done.failure["remedy"]
    assert [it["displayName"] for it in commands(cloud, "beep-2-")] == ["beep.2!"]


def test_one_that_is_deprecated(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "old")
    thing("old", "command", "run", "retired", "--timeout", "1")
    (one,) = commands(cloud, "retired")
    cloud.call(lambda it: it.commands.update_command(commandId=one["commandId"], deprecated=True))
    done = thing("old", "command", "run", "retired", "--timeout", "1", "--json")
    assert done.status == 1 and "deprecated" in done.failure["text"]
    assert "--no-deprecated" in done.failure["remedy"]
