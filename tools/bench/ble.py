"""How long a phone takes to set a device up on the simulated air, beside bare writes of as many bytes."""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tools.ble.client import Client
from tools.ble.over_bumble import OverBumble
from tools.ble.protocol import CHANNELS, CONFIG
from tools.cloud import Cloud
from tools.cloud.fleet import MAY_ALL
from tools.sim import Device, World

MTUS = (23, 247)
_WIFI = {"ssid": "Home", "password": "correct horse"}
_START_S = 30
_NO_FRAME = 0x00  # neither the first of a message nor the last: the device passes over it


async def measure(runs: int, micropython: str | None = None) -> dict[int, dict[str, float]]:
    """By MTU: bytes of the document, frames, seconds from connect to CONFIG_DONE and of bare writes."""
    with tempfile.TemporaryDirectory() as folder:
        async with Cloud(Path(folder) / "cloud") as cloud, World({_WIFI["ssid"]: _WIFI["password"]}) as world:
            device = Device(Path(folder) / "device", world, micropython=micropython)
            device.install()
            async with device:
                return {mtu: await _of_mtu(world, device, _document(cloud), mtu, runs) for mtu in MTUS}


def _document(cloud: Cloud) -> dict[str, Any]:
    """A configuration with a certificate and a key of the thing's own."""
    document = cloud.device_configuration([_WIFI])
    certificate, key = cloud.create_identity(MAY_ALL)
    own = {"thing_name": "bench", "certificate": certificate, "key": key}
    root = {name: document["aws"][name] for name in ("endpoint", "port", "root_ca")}
    return {**document, "aws": root | own}


async def _of_mtu(
    world: World, device: Device, document: dict[str, Any], mtu: int, runs: int
) -> dict[str, float]:
    size = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
    found = []
    for _ in range(runs):
        code = (await device.expect(r"ble: code (\S+)$", _START_S))[1]
        bare_s = await _bare(world, device, size, mtu)
        found.append((*await _set_up(world, device, code, document, mtu), bare_s))
        await device.expect(r"system: mode NORMAL", _START_S)
        await device.send("factory-reset --yes")
    ours_s, sent, received, bare_s = (statistics.median(column) for column in zip(*found, strict=True))
    return {
        "bytes": size,
        "sent": sent,
        "received": received,
        "ours_s": ours_s,
        "bare_s": bare_s,
        "ratio": ours_s / bare_s,
    }


async def _set_up(
    world: World, device: Device, code: str, document: dict[str, Any], mtu: int
) -> tuple[float, int, int]:
    """Seconds, frames sent and received: discovery, session, pieces, the trial of the Wi-Fi, storing."""
    phone = await world.phone(mtu)
    try:
        start = time.perf_counter()
        async with Client(OverBumble(phone.device, _name(device), mtu), code) as client:
            await client.configure(document)
            return time.perf_counter() - start, *client.frames
    finally:
        phone.power_off()


async def _bare(world: World, device: Device, size: int, mtu: int) -> float:
    """Seconds for discovery and as many bytes, written with response to the same characteristic."""
    phone = await world.phone(mtu)
    try:
        start = time.perf_counter()
        transport = OverBumble(phone.device, _name(device), mtu)
        await transport.connect()
        room = transport.mtu - 4
        for _ in range(0, size, room):
            await transport.write(CHANNELS[CONFIG], bytes((_NO_FRAME,)) + bytes(room))
        await transport.disconnect()
        return time.perf_counter() - start
    finally:
        phone.power_off()


def _name(device: Device) -> str:
    return "esp32-" + device.chip.mac.replace(":", "")
