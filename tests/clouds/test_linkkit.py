"""The stand-in for Alibaba's IoT Platform, judged by Alibaba's own link kit for Python."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S, until
from tools.cloud import Event
from tools.clouds.alibaba import Alibaba, Device

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".alibaba/bin/python"
MODEL = {
    "events": [
        {"identifier": "post", "outputData": [{"identifier": "temperature"}]},
        {"identifier": "alarm", "outputData": [{"identifier": "level"}]},
    ],
    "services": [
        {"identifier": "set", "inputData": [{"identifier": "led"}]},
        {"identifier": "beep", "inputData": [{"identifier": "times"}]},
    ],
}


class Kit:
    """The process of tests/clouds/linkkit_device.py."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def call(self, method: str, *arguments: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([method, *arguments]).encode() + b"\n")

    async def told(self, callback: str) -> list[Any]:
        """What the kit tells its next callback of this name."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                name, *told = json.loads(line)
                if name == callback:
                    return told
        raise AssertionError(f"{callback}: the kit ended, status {await self.process.wait()}")


@contextlib.asynccontextmanager
async def linkkit(cloud: Alibaba, device: Device, folder: Path, secret: str = "") -> AsyncIterator[Kit]:
    if not PYTHON.exists():
        raise FileNotFoundError(f"{PYTHON} is missing: make .alibaba/ready")
    (folder / "model.json").write_text(json.dumps(MODEL))
    asked = {
        "port": cloud.port,
        "cadata": cloud.root_pem,
        "product": device.product,
        "device": device.name,
        "secret": secret or device.secret,
        "model": str(folder / "model.json"),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        PYTHON, HERE / "linkkit_device.py", json.dumps(asked), stdin=pipe, stdout=pipe, cwd=folder
    )
    try:
        yield Kit(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Alibaba]:
    async with Alibaba(tmp_path / "state") as running:
        yield running


async def test_the_kit_lives_a_devices_whole_life(cloud: Alibaba, tmp_path: Path) -> None:
    device = cloud.create_device("pk", "lamp")
    async with linkkit(cloud, device, tmp_path) as kit:
        kit.call("connect_async")
        assert await kit.told("on_connect") == [0, 0]
        await kit.told("on_thing_enable")  # before that it sends nothing, and does not say so
        kit.call("thing_post_property", {"temperature": 21.5})
        assert (await kit.told("on_thing_prop_post"))[1:] == [200, {}, "success"]
        assert device.properties == {"temperature": 21.5}
        kit.call("thing_trigger_event", ["alarm", {"level": 3}])
        assert (await kit.told("on_thing_event_post"))[0] == "alarm"
        assert list(device.events) == [("alarm", {"level": 3})]
        answer = await cloud.set_property(device, {"led": True}, PATIENCE_S)
        assert answer["code"] == 200 and await kit.told("on_thing_prop_changed") == [{"led": True}]
        answer = await cloud.invoke(device, "beep", {"times": 2}, PATIENCE_S)
        assert answer["data"] == {"times": 2}
        kit.call("subscribe_topic", f"{device.own}get")
        await kit.told("on_subscribe_topic")
        cloud.send(device, "get", b"hello")
        assert (await kit.told("on_topic_message"))[:2] == [f"{device.own}get", "hello"]
        kit.call("publish_topic", f"{device.own}update", "up")
        await kit.told("on_publish_topic")
        assert list(device.messages) == [("update", b"up")]


async def test_the_kit_is_refused_with_another_secret(cloud: Alibaba, tmp_path: Path) -> None:
    """It tells nobody: its on_connect is called for a success alone, and it tries again."""
    events: list[Event] = []
    cloud.front.tell = events.append
    async with linkkit(cloud, cloud.create_device("pk", "lamp"), tmp_path, "another secret") as kit:
        kit.call("connect_async")
        await until(lambda: events, "the refusal")
    assert events[0].kind == "refused" and "another secret" not in str(events[0])
    assert events[0].detail == "password: not what the device's secret signs"
