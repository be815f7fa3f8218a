"""Simulated devices at a local cloud, all for as long as a measurement takes."""

import asyncio
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
    """Devices that have provisioned themselves, and are on; `name`: of the first one's thing."""

    cloud: Cloud
    devices: list[Device]
    names: list[str]

    @property
    def name(self) -> str:
        return self.names[0]


@asynccontextmanager
async def scene(
    app: str, micropython: str | None, settings: Sequence[Mapping[str, object]] = ({},)
) -> AsyncIterator[Scene]:
    """Devices that run this application, and their cloud.

    Args:
        app: the application's source.
        micropython: runs them on this unix binary in place of CPython.
        settings: of each device, beside the product's.
    """
    with tempfile.TemporaryDirectory() as folder:
        # They send as fast as they can here, and for that AWS would throttle them.
        cloud = Cloud(Path(folder) / "cloud", limits=Limits.unthrottled())
        async with (
            cloud,
            World({_WIFI["ssid"]: _WIFI["password"]}) as world,
            AsyncExitStack() as on,
        ):
            document = cloud.device_configuration([_WIFI])
            there = Scene(cloud, [], [])
            for number, own in enumerate(settings, 1):
                mac = f"24:0a:c4:00:00:{number:02x}"
                device = Device(Path(folder) / f"device{number}", world, mac, micropython, speed=1)
                device.install()
                (device.files / "firmware/app.py").write_text(textwrap.dedent(app))
                lines = [f"{name} = {value!r}\n" for name, value in {"CONFIG": document, **own}.items()]
                device.add("firmware/settings.py", "".join(lines))
                await on.enter_async_context(device)
                there.devices.append(device)
                there.names.append((await device.expect(r'this is thing "(.*)"', START_S))[1])
                await device.expect(r"cloud: connected", START_S)
            yield there


async def seconds_until(condition: Callable[[], bool], what: str) -> float:
    """How long it takes until that is so; TimeoutError."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(START_S):
            while not condition():  # noqa: ASYNC110 - the cloud tells nobody
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {START_S} s") from None
    return time.monotonic() - began
