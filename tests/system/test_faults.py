"""Networks that go and come, brokers that die, and power that is cut at the wrong moment."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from firmware.settings import WINDOW
from tests.patience import until
from tests.system.house import ALL, HOST, START_S, WIFI, House, ask
from tools.cloud import Cloud
from tools.configure import configure
from tools.sim import Device, World
from tools.subscriber import Subscriber

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
LOG_CONFIG = """
    async def main(thing):
        thing.log.info("app", "configuration {}", thing.config["n"])
"""
MESSAGES = 500
PUBLISH_500 = f"""
    import asyncio

    async def main(thing):
        await thing.wait("cloud_up")
        for number in range({MESSAGES}):
            while not thing.publish("telemetry/" + thing.name, {{"count": number}}, qos=1):
                await asyncio.sleep_ms(10)
            if number == 150:
                thing.log.info("app", "under way")
        thing.log.info("app", "all accepted")
"""


@pytest.mark.slow
async def test_wifi_lost_for_a_while_loses_no_message(house: House) -> None:
    device = house.device()
    counts: list[int] = []
    async with house.subscriber(
        lambda _, payload: counts.append(json.loads(payload)["count"]), "telemetry/#"
    ):
        await house.telemetry(device)
        house.world.wifi_lost(True)
        await device.expect(r"wifi: lost", START_S)
        await device.chip.clock.sleep(11)  # at least two messages are made meanwhile
        house.world.wifi_lost(False)
        await device.expect(r"wifi: connected")
        last = max(counts, default=0)
        await until(lambda: max(counts, default=0) >= last + 4, "messages from behind the gap")
    assert sorted(set(counts)) == list(range(1, max(counts) + 1))


async def test_a_wrong_password_is_reported_and_tried_again(house: House) -> None:
    house.world.access_points["Home"] = "another password"
    device = house.device()
    await house.normal(device)
    await device.expect(r'W wifi: network "Home": it does not accept the password', START_S)
    house.world.access_points["Home"] = WIFI["password"]
    await device.expect(r"wifi: connected")


async def test_the_second_network_serves_where_the_first_is_gone(house: House) -> None:
    device = house.device()
    document = house.configuration()
    document["wifi"] = [{"ssid": "Elsewhere", "password": "not here, sorry"}, {"ssid": "Open"}]
    await house.telemetry(device, document)
    assert any('connected to "Open"' in line for line in device.lines)


@pytest.mark.parametrize(
    "step", ["making a key", "connecting with the claim", "asking for a certificate", "this is thing"]
)
async def test_provisioning_broken_off_at_a_step_starts_over(house: House, step: str) -> None:
    device = house.device()
    await house.normal(device)
    await device.expect(rf"provisioning: {step}", START_S)
    await device.power_off()
    await device.power_on()
    await device.expect(ACKNOWLEDGED, START_S)
    assert [thing["thingName"] for thing in house.cloud.registry.list_things()["things"]] == [
        "esp32-240ac4000001"
    ]


ASKING = "asking for a certificate"
#: The first write that is cut, before some of those that follow; tests/host/test_power_cuts.py cuts at each.
FROM = [(1, "before"), (2, "torn"), (3, "after")]


@pytest.mark.parametrize(("first", "outcome"), FROM)
async def test_power_cut_at_writes_of_the_earned_certificate(house: House, first: int, outcome: str) -> None:
    device = house.device()
    await device.power_on()
    await device.expect(r"system: mode CONFIG", START_S)
    await configured(device, house.configuration())
    for write in range(first, 99, 3):
        await device.expect(r"provisioning: asking for a certificate", START_S)
        device.cut_at_write(write, outcome)
        if not await cut(device, ACKNOWLEDGED):
            break
        begin_anew(device)
        await device.power_on()
        if (await device.expect(ASKING + "|" + ACKNOWLEDGED, START_S))[0] != ASKING:
            break  # the cut came after the last write that counts
        await device.power_off()
        begin_anew(device)
        await device.power_on()
    assert write > 3


def begin_anew(device: Device) -> None:
    """It forgets how many certificates it has asked for: the next one would have to wait."""
    (device.files / "certs/renewal").unlink(missing_ok=True)


@pytest.mark.parametrize(("first", "outcome"), FROM)
async def test_power_cut_at_writes_of_a_configuration(house: House, first: int, outcome: str) -> None:
    device = house.device(LOG_CONFIG)
    number = 0
    await house.normal(device, numbered(house, number))
    await device.expect(r"app: configuration 0", START_S)
    house.world.wifi_lost(True)  # from here on nothing else is written
    for write in range(first, 400, 9):  # each piece of the document is some, too
        device.cut_at_write(write, outcome)
        done = await configured(device, numbered(house, number + 1))
        if not done:
            await device.power_on()
        found = int((await device.expect(r"app: configuration (\d+)", START_S))[1])
        assert found in (number, number + 1), f"write {write}"
        number = found
        if done:
            break
    assert done and write > 3 and found == number


def numbered(house: House, number: int) -> dict:
    document = house.configuration()
    document["app"] = {"n": number}
    return document


async def cut(device: Device, otherwise: str) -> bool:
    """Wait until the power is cut (True), or a line with `otherwise` shows that it will not be (False)."""
    tasks = [
        asyncio.create_task(device.power_lost(START_S)),
        asyncio.create_task(device.expect(otherwise, START_S)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await done.pop()
        if device.powered and not device.chip.spare():  # at a write just behind that line
            await device.power_lost(START_S)
        return not device.powered
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def configured(device: Device, document: dict) -> bool:
    """Configure it; False where the power was cut meanwhile."""
    sending = asyncio.create_task(configure(lambda line: ask(device, line), document))
    lost = asyncio.create_task(device.power_lost(START_S))
    try:
        await asyncio.wait((sending, lost), return_when=asyncio.FIRST_COMPLETED)
        if not lost.done():
            await sending
        return not lost.done()
    finally:
        for task in (sending, lost):
            task.cancel()
        await asyncio.gather(sending, lost, return_exceptions=True)


@asynccontextmanager
async def cloud_process(state: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The local cloud as a process of its own, killed in the end if not before.

    Unthrottled: AWS discards what exceeds 100 messages a second, and this is not about that.
    """
    command = [sys.executable, "-m", "tools", "cloud", "--port", str(port), "--state", str(state)]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--unthrottled",
        "--host",
        "localhost",
        HOST,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    output = b""
    try:
        async with asyncio.timeout(START_S):
            while b"listens on" not in output:
                line = await process.stdout.readline()
                assert line, f"the cloud ended: {output.decode()}"
                output += line.lower()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_cloud_is_killed_in_the_middle_of_500_messages(tmp_path: Path) -> None:
    state = tmp_path / "cloud"
    async with Cloud(state, hosts=("localhost", HOST)) as cloud:
        port, root_ca = cloud.port, cloud.root_ca
        certificate, key = cloud.create_identity(ALL)
        document = cloud.device_configuration([WIFI], endpoint=HOST)
    received: list[int] = []
    subscriber = Subscriber(
        tmp_path, "localhost", port, root_ca, certificate, key, "telemetry/#",
        lambda _, payload: received.append(json.loads(payload)["count"]), clean_session=False,
    )  # fmt: skip
    async with World({WIFI["ssid"]: WIFI["password"]}) as world:
        world.hosts[HOST] = ("127.0.0.1", port)
        house = House(tmp_path, cloud, world)
        device = house.device(PUBLISH_500)
        try:
            async with cloud_process(state, port) as first, subscriber:
                await house.normal(device, document)
                await device.expect(r"app: under way", START_S)
                first.kill()
                await first.wait()
                async with cloud_process(state, port):
                    await device.expect(r"app: all accepted")
                    await until(lambda: len(set(received)) == MESSAGES, "all messages")
        finally:
            await device.power_off()
    duplicates = len(received) - subscriber.redelivered - MESSAGES
    assert duplicates <= WINDOW, "the device sent more again than was in flight"
