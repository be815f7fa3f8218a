"""Messages that the cloud hangs up on, messages that it kept, and messages that nobody asked for."""

import json

import pytest

from tests.patience import PATIENCE_S, until
from tests.system.house import START_S, House, seen, status

FLOWS_S = PATIENCE_S  # all else, beside what the cloud hangs up on
NAME = "esp32-240ac4000001"
# What the device is not allowed goes out before, between and after what it is.
DENIED = """
    import asyncio

    async def tell(thing, receipt, what):
        thing.log.info("app", "{} {}", what, await receipt)

    async def main(thing):
        asyncio.create_task(tell(thing, thing.publish("elsewhere", "no", qos=1), "elsewhere"))
        if %(retained)s:
            asyncio.create_task(
                tell(thing, thing.publish("telemetry/" + thing.name, "no", qos=1, retain=True), "retained")
            )
        count = 0
        while True:
            count += 1
            receipt = thing.publish("telemetry/" + thing.name, {"count": count}, qos=1)
            asyncio.create_task(tell(thing, receipt, "telemetry %%d" %% count))
            await asyncio.sleep(5)
"""
# As an application is that does not know of it: again and again, and whatever it sends is of one QoS.
DENIED_AGAIN_AND_AGAIN = """
    import asyncio

    async def main(thing):
        count = 0
        while True:
            count += 1
            thing.publish("elsewhere", "no", qos=%d)
            thing.publish("telemetry/" + thing.name, {"count": count}, qos=%d)
            await asyncio.sleep(5)
"""
DENIED_SUBSCRIPTION = """
    import asyncio

    async def main(thing):
        denied = thing.subscribe("elsewhere/#")
        allowed = thing.subscribe("cmd/" + thing.name)
        thing.publish("telemetry/" + thing.name, {"count": 1}, qos=1)
        thing.log.info("app", "allowed {}", await allowed.acknowledged(120_000))
        thing.log.info("app", "denied {}", await denied.acknowledged(120_000))
        async for _, payload in allowed:
            thing.log.info("app", "got {}", payload.decode())
"""
# Once the session is there, the application comes to its subscription late.
LATE = """
    import asyncio

    async def main(thing):
        await thing.wait("cloud_up")
        await asyncio.sleep(2)
        async for topic, payload in thing.subscribe("cmd/" + thing.name):
            thing.log.info("app", "got {} on {}", payload.decode(), topic)
"""
INBOX = """
    async def main(thing):
        await thing.wait("cloud_up")
        async for topic, payload in thing.inbox():
            thing.log.info("app", "got {} on {}", payload.decode(), topic)
"""
NO_INBOX = """
    import asyncio

    async def main(thing):
        await asyncio.sleep(3600)
"""


@pytest.mark.slow
async def test_messages_that_the_cloud_hangs_up_on_do_not_silence_the_device(house: House) -> None:
    device = house.device(DENIED % {"retained": True})
    received: list[bytes] = []
    async with house.subscriber(lambda _, payload: received.append(payload), f"telemetry/{NAME}"):
        await house.normal(device)
        await device.expect(r"cloud: connected", START_S)
        await device.expect(r"app: telemetry 1 True", FLOWS_S)
        await device.expect(r"app: telemetry 5 True", FLOWS_S)
        await until(lambda: len(received) >= 5, "telemetry at its subscriber")
        told = await status(device)
    assert any("publish to elsewhere: given up" in line for line in device.lines)
    assert any(f"publish to telemetry/{NAME}: given up" in line for line in device.lines)
    for what in ("elsewhere", "retained"):
        assert any(line.endswith(f"app: {what} False") for line in device.lines)
    assert told["dropped"] == 2 and told["cloud"] is True
    assert b"no" not in received


@pytest.mark.slow
@pytest.mark.parametrize("qos", [0, 1])
async def test_a_topic_that_the_cloud_hangs_up_on_each_time_does_not_silence_the_device(
    house: House, qos: int
) -> None:
    device = house.device(DENIED_AGAIN_AND_AGAIN % (qos, qos))
    received: list[int] = []
    async with house.subscriber(
        lambda _, payload: received.append(json.loads(payload)["count"]), f"telemetry/{NAME}"
    ):
        await house.normal(device)
        await device.expect(r"publish to elsewhere: given up.* nor more sent for 10 min", FLOWS_S)
        before = seen(device, r"cloud: connected")
        first = len(received)
        await until(lambda: len(received) >= first + 12, "telemetry", FLOWS_S)
        told = await status(device)
    assert seen(device, r"cloud: connected") <= before + 1 and told["cloud"] is True
    assert told["dropped"] >= 10
    last = received[-12:]
    assert last == list(range(last[0], last[0] + 12)), "all of them"


async def test_a_subscription_that_the_cloud_hangs_up_on_leaves_the_others(house: House) -> None:
    device = house.device(DENIED_SUBSCRIPTION)
    async with house.subscriber(lambda *_: None) as subscriber:
        await house.normal(device)
        await device.expect(r"cloud: connected", START_S)
        await device.expect(r"app: allowed True", FLOWS_S)
        await device.expect(r"app: denied False", FLOWS_S)
        subscriber.publish(f"cmd/{NAME}", b"hello")
        await device.expect(r"app: got hello", START_S)
        assert (await status(device))["dropped"] == 1
    assert any("subscribe to elsewhere/#: given up" in line for line in device.lines)


@pytest.mark.slow
async def test_what_the_cloud_kept_waits_for_the_application_to_subscribe(house: House) -> None:
    device = house.device(LATE)
    async with house.subscriber(lambda *_: None) as subscriber:
        await house.normal(device)
        await device.expect(r"cloud: connected", START_S)
        subscriber.publish(f"cmd/{NAME}", b"first")
        await device.chip.clock.sleep(5)
        subscriber.publish(f"cmd/{NAME}", b"second")
        await device.expect(r"app: got second", START_S)
        await device.power_off()
        for number in range(3):
            subscriber.publish(f"cmd/{NAME}", b"kept %d" % number)
        await device.power_on()
        await device.expect(r"cloud: connected, session kept: True", START_S)
        for number in range(3):
            await device.expect(rf"app: got kept {number} on cmd/{NAME}", START_S)
        assert (await status(device))["dropped"] == 0


@pytest.mark.parametrize("confirmation", [True, False])
async def test_a_direct_message_comes_to_the_inbox(house: House, confirmation: bool) -> None:
    device = house.device(INBOX)
    await house.normal(device)
    await device.expect(r"cloud: connected", START_S)
    assert await house.cloud.send_direct_message(NAME, f"cmd/{NAME}", b"hello", confirmation, START_S)
    await device.expect(rf"app: got hello on cmd/{NAME}", START_S)
    assert (await status(device))["dropped"] == 0


@pytest.mark.slow
async def test_a_direct_message_that_nobody_takes_is_not_told_delivered(house: House) -> None:
    device = house.device(NO_INBOX)
    await house.normal(device)
    await device.expect(r"cloud: connected", START_S)
    # The device keeps its PUBACK back for 10 s of its clock.
    assert not await house.cloud.send_direct_message(NAME, f"cmd/{NAME}", b"hello", timeout_s=1)
    await device.expect(rf"nobody takes what comes on cmd/{NAME}", START_S)
    assert (await status(device))["dropped"] == 1
