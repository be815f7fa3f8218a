"""A simulated device, an IoT Hub with its DPS, and what is around them."""

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tests.clouds.azure_certificates import Certified
from tests.signers import Signer
from tests.system.house import START_S, WIFI, Site, changes
from tools import umqtt
from tools.clouds.azure import Azure
from tools.clouds.files import Files
from tools.release import job, signatures
from tools.release.manifest import APP, Manifest
from tools.sim import Device, World
from tools.sim.packed import deployed

HUB, DPS, FILES = "hub.example.net", "global.azure-devices-provisioning.net", "files.example.net"
NAME = "esp32-240ac4000001"
FAR = datetime(2040, 1, 1, tzinfo=UTC)


class Clock:
    """The stand-in's, which a test sets."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self._start_s + self.ahead_s

    def __init__(self, now_s: float) -> None:
        self._start_s = now_s - asyncio.get_running_loop().time()


class Home(Site):
    """A device's; `azure` is its cloud, `files` any web server."""

    azure: Azure
    files: Files
    clock: Clock

    def section(self, **members: Any) -> dict[str, Any]:
        """A configuration's, for this hub or with `id_scope` for its DPS; a certificate is `own`."""
        own = members.pop("own", None)
        if isinstance(own, Certified):
            members |= {"certificate": own.pem, "key": Path(own.key_path).read_text()}
        where = {} if "id_scope" in members else {"endpoint": HUB}
        return {"root_ca": self.azure.root_pem, **where, **members}

    async def start(self, app: str | None, others: dict[str, str] | None = None, **members: Any) -> Device:
        """A device with this application, or the example, that was configured; it has begun NORMAL.

        others: modules of the library that are other than they should be, by their paths.
        """
        device = self.device(packed=True)
        device.deploy(changes(app, REFUSALS_FOR_GOOD=2) | (others or {}))
        await self.normal(device, {"wifi": [WIFI], "azure": self.section(**members)})
        return device

    def update(self, app: str, version: str, signer: Signer, others: dict[str, str]) -> dict[str, Any]:
        """The document of a job that brings this version of the product's, signed."""
        pack = deployed(changes(app, VERSION=version) | others)["/firmware.pack"]
        manifest = Manifest(
            "esp32-iot", APP, version, 0, FAR, "ESP32", (), len(pack),
            hashlib.sha256(pack).hexdigest(), "1.25.0", "6",
        )  # fmt: skip
        url = self.files.put(version, pack)
        text = manifest.text()
        signed = signatures.read([signer.sign(text.decode())])
        return {**json.loads(job.document(text, signed, url)), "url": url}

    async def connected(self, app: str, others: dict[str, str] | None = None) -> Device:
        """The same, and it is connected by the key of a new device in the hub."""
        key = self.azure.hub.create_device(NAME).keys[0]
        device = await self.start(app, others, shared_access_key=key)
        await device.expect("cloud: connected", START_S)
        return device


@asynccontextmanager
async def home(folder: Path, now_s: float) -> AsyncIterator[Home]:
    """One with an empty hub."""
    umqtt.freeze()
    clock = Clock(now_s)
    azure = Azure(folder / "azure", (HUB, "localhost"), clock=clock)
    azure.dps.retry_after_s = 1
    port = await azure.start()
    try:
        async with (
            World({WIFI["ssid"]: WIFI["password"]}) as world,
            Files(folder / "azure", (FILES, "localhost")) as files,
        ):
            for host in (HUB, DPS):
                world.hosts[host] = ("127.0.0.1", port)
            world.hosts[FILES] = ("127.0.0.1", files._port)
            found = Home(folder, cast(Any, azure), world, os.environ.get("MICROPYTHON"))
            found.azure, found.files, found.clock = azure, files, clock
            try:
                yield found
            finally:
                for device in found.devices:
                    await device.power_off()
    finally:
        await azure.stop()


def secrets_in(device: Device, *keys: str) -> list[str]:
    """Lines that tell a key, in whatever form, or a token's signature."""
    told = [form for key in keys for form in (key, base64.b64decode(key).hex(), repr(base64.b64decode(key)))]
    return [line for line in device.lines if "sig=" in line or any(form in line for form in told)]
