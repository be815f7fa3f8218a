"""A simulated device at a local cloud, both for as long as a measurement takes."""

import asyncio
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.cloud import Cloud
from tools.cloud.limits import Limits
from tools.sim import Device, World

START_S = 60
_WIFI = {"ssid": "Home", "password": "correct horse"}
_LOOK_S = 0.002


@dataclass
class Scene:
    """A device that has provisioned itself, and is on."""

    cloud: Cloud
    device: Device
    name: str


@asynccontextmanager
async def scene(app: str, micropython: str | None, **settings: object) -> AsyncIterator[Scene]:
    """A device with this application and these settings beside the product's, and its cloud.

    micropython: runs the device on this unix binary in place of CPython.
    """
    with tempfile.TemporaryDirectory() as folder:
        # A device sends as fast as it can here, and for that AWS would throttle it.
        cloud = Cloud(Path(folder) / "cloud", limits=Limits.unthrottled())
        async with cloud, World({_WIFI["ssid"]: _WIFI["password"]}) as world:
            device = Device(Path(folder) / "device", world, micropython=micropython, speed=1)
            device.install()
            (device.files / "firmware/app.py").write_text(textwrap.dedent(app))
            settle(device, CONFIG=cloud.device_configuration([_WIFI]), **settings)
            async with device:
                name = (await device.expect(r'this is thing "(.*)"', START_S))[1]
                await device.expect(r"cloud: connected", START_S)
                yield Scene(cloud, device, name)


def settle(device: Device, **settings: object) -> None:
    """Give it other settings, from its next start on."""
    device.add("firmware/settings.py", "".join(f"{name} = {value!r}\n" for name, value in settings.items()))


async def seconds_until(condition: Callable[[], bool], what: str) -> float:
    """How long it takes until that is so; TimeoutError."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(START_S):
            while not condition():
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {START_S} s") from None
    return time.monotonic() - began
