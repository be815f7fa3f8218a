"""How long a simulated device takes from a desired value to its report, as the cloud sees it."""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from tools.cloud import Cloud
from tools.configure import configure
from tools.sim import Device, World

_WIFI = {"ssid": "Home", "password": "correct horse"}
_APP = """
async def main(thing):
    thing.shadow.on("led", lambda value: None)
"""
_START_S = 60
_LOOK_S = 0.002


async def measure(runs: int, micropython: str | None = None) -> dict[str, float]:
    """`report_s`: the median; `longest_s`: of so many values, each desired once the last was reported."""
    with tempfile.TemporaryDirectory() as folder:
        async with Cloud(Path(folder) / "cloud") as cloud, World({_WIFI["ssid"]: _WIFI["password"]}) as world:
            device = Device(Path(folder) / "device", world, micropython=micropython)
            device.install()
            (device.files / "firmware/app.py").write_text(_APP)
            async with device:
                name = await _begin(cloud, device)
                await _report(cloud, name, 0)
                found = [await _report(cloud, name, value) for value in range(1, runs + 1)]
    return {"report_s": statistics.median(found), "longest_s": max(found)}


async def _begin(cloud: Cloud, device: Device) -> str:
    """Bring the device to its cloud; returns the thing's name."""

    async def ask(line: str) -> str:
        await device.send(line)
        return (await device.expect(r"^= (.*)$", _START_S))[1]

    await device.expect(r"system: mode CONFIG", _START_S)
    await configure(ask, cloud.device_configuration([_WIFI]))
    await device.expect(r"cloud: connected", _START_S)
    return str(json.loads((await ask("status"))[3:])["thing"])


async def _report(cloud: Cloud, name: str, value: int) -> float:
    began = time.monotonic()
    payload = json.dumps({"state": {"desired": {"led": value}}}).encode()
    cloud.shadows.update_thing_shadow(thingName=name, payload=payload)
    async with asyncio.timeout(_START_S):
        while True:
            answer = cloud.shadows.get_thing_shadow(thingName=name)
            if json.loads(answer["payload"])["state"].get("reported") == {"led": value}:
                return time.monotonic() - began
            await asyncio.sleep(_LOOK_S)
