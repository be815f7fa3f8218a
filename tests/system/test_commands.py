"""Commands from the cloud's control plane to the application, and its answers."""

import asyncio
import json
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tests.system.house import START_S, House, seen, status
from tools.cloud.misbehaviour import Misbehaviour
from tools.sim import Device

NAME = "esp32-240ac4000001"
APP = """
    import asyncio

    async def main(thing):
        async def beep(payload):
            thing.log.info("app", "beeps")
            await asyncio.sleep_ms(10)
            return {"times": payload.get("times"), "loud": True}

        def fails(payload):
            raise KeyError("pear\\n\\0")

        async def slow(payload):
            try:
                await asyncio.sleep(3600)
            finally:
                thing.log.info("app", "cleaned up")

        for handler, name in ((beep, "beep"), (fails, "fails"), (slow, "slow")):
            thing.commands.on(name, handler, 60 if name == "slow" else 10)
"""


def start(house: House, payload: Any) -> str:
    """Start a command with that payload; returns the execution's id."""
    commands, registry = house.cloud.commands, house.cloud.registry
    name = f"c{len(commands.list_commands()['commands'])}"
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    commands.create_command(commandId=name, payload={"content": content, "contentType": "application/json"})
    started = commands.start_command_execution(
        targetArn=registry.arn(f"thing/{NAME}"),
        commandArn=registry.arn(f"command/{name}"),
        executionTimeoutSeconds=600,
    )
    return started["executionId"]


async def outcome(house: House, execution_id: str) -> dict[str, Any]:
    """The execution, once it has ended."""
    target = house.cloud.registry.arn(f"thing/{NAME}")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = house.cloud.commands.get_command_execution(
                executionId=execution_id, targetArn=target, includeResult=True
            )
            if found["status"] not in ("CREATED", "IN_PROGRESS"):
                return found
            await asyncio.sleep(0.02)


async def connected(house: House) -> Device:
    device = house.device(APP)
    await house.normal(device)
    await device.expect(r"cloud: connected", START_S)
    async with asyncio.timeout(PATIENCE_S):
        while not is_ready(house):
            await asyncio.sleep(0.02)
    return device


def is_ready(house: House) -> bool:
    """Whether the broker has the device's subscriptions: commands wait for nobody."""
    found = house.cloud.connections.list_subscriptions(clientId=NAME)["subscriptions"]
    return any(one["topicFilter"].endswith("/request/json") for one in found)


async def test_commands_with_every_outcome(house: House) -> None:
    device = await connected(house)
    found = await outcome(house, start(house, {"action": "beep", "times": 3}))
    assert found["status"] == "SUCCEEDED" and found["result"] == {"times": {"S": "3"}, "loud": {"B": True}}
    for payload, wanted, code in (
        ({"command": "fails"}, "FAILED", "KEYERROR"),
        ({"action": "dance"}, "REJECTED", "UNKNOWN_COMMAND"),
        ({"action": "beep", "x": "x" * 4000}, "REJECTED", "UNREADABLE"),
        (b"nonsense", "REJECTED", "UNREADABLE"),
        ({"action": "slow"}, "TIMED_OUT", "TIMED_OUT"),
    ):
        found = await outcome(house, start(house, payload))
        assert (found["status"], found["statusReason"]["reasonCode"]) == (wanted, code)
    assert seen(device, "app: cleaned up") == 1 and (await status(device))["dropped"] == 0


async def test_four_at_once_and_a_fifth_is_told(house: House) -> None:
    await connected(house)
    started = [start(house, {"action": "slow"}) for _ in range(5)]
    found = [await outcome(house, execution) for execution in started]
    assert [one["statusReason"]["reasonCode"] for one in found] == ["TIMED_OUT"] * 4 + ["BUSY"]


@pytest.mark.parametrize("way", ["twice@commands", "late=1@commands", "refusing=1@commands"])
async def test_a_cloud_that_misbehaves(house: House, way: str) -> None:
    device = await connected(house)
    house.cloud.gate.rules.append(Misbehaviour.of(way))
    refused = start(house, {"action": "beep"})
    if way.startswith("refusing"):
        await device.expect(r"commands: .*" + refused + r".*Internal service failure", START_S)
    else:
        assert (await outcome(house, refused))["status"] == "SUCCEEDED"
    assert (await outcome(house, start(house, {"action": "beep"})))["status"] == "SUCCEEDED"
    assert seen(device, "app: beeps") == 2
