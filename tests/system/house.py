"""A cloud, a world and devices, as the system tests use them."""

import binascii
import copy
import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.patience import PATIENCE_S
from tools.cloud import Cloud
from tools.cloud.ca import CHAINS, ServerChain
from tools.configure import configure
from tools.sim import Device, World
from tools.sim.device import ROOT
from tools.subscriber import Subscriber

WIFI = {"ssid": "Home", "password": "correct horse"}
HOST = "iot.example.com"  # how devices name the cloud; the world leads them to the true place
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
START_S = PATIENCE_S
ANSWER_S = PATIENCE_S  # a connection in the making lets a command wait
# What `status` tells, whatever the mode.
STATUS = {
    "mode", "version", "id", "thing", "uptime_s", "reset_cause", "wifi", "ip", "rssi", "networks", "clock",
    "cloud", "unreached", "certificate_ends", "queued", "dropped", "heap_total", "heap_used", "heap_free",
    "heap_piece", "idf_free", "idf_largest", "idf_lowest", "starved", "starved_reason", "slots",
}  # fmt: skip


#: For a test that is worth it with the local cloud's own chain and with one as Amazon's.
both_chains = pytest.mark.parametrize("server_chain", CHAINS)


class DeviceSide(Protocol):
    """What devices and an independent client need of a cloud, whoever wrote it."""

    port: int

    @property
    def root_ca(self) -> str: ...

    def create_identity(self, policy_document: dict[str, Any]) -> tuple[str, str]: ...

    def device_configuration(self, wifi: list[dict[str, str]], endpoint: str) -> dict[str, Any]: ...


@dataclass
class Site:
    """What a test needs to bring devices to life."""

    folder: Path
    cloud: DeviceSide
    world: World
    micropython: str | None = None
    server_chain: ServerChain = "p256"
    devices: list[Device] = field(default_factory=list)
    first: int = 1  # the number of its first device, where a cloud outlives a site

    def device(self, app: str | None = None, packed: bool = False, **settings: object) -> Device:
        """A device with the product in its flash, and another application or other settings where given.

        packed: as a deployment leaves it, all modules in one file; otherwise as single files.
        """
        number = self.first + len(self.devices)
        device = Device(
            self.folder / f"device{number}", self.world, f"24:0a:c4:00:00:{number:02x}", self.micropython
        )
        if packed:
            device.deploy(changes(app, **settings))
        else:
            install(device, app, **settings)
        if self.server_chain == "rsa":
            device.chip.memory.tls, device.chip.memory.handshake = 35_000, 7_000
        self.devices.append(device)
        return device

    def configuration(self, **aws: object) -> dict[str, Any]:
        """A configuration for this cloud; `aws` replaces members of that section."""
        document = self.cloud.device_configuration([WIFI], endpoint=HOST)
        document["aws"].update(aws)
        return copy.deepcopy(document)

    async def normal(self, device: Device, document: dict[str, Any] | None = None) -> None:
        """Power the device on, configure it, and return when it is in NORMAL mode."""
        await device.power_on()
        await device.expect(r"system: mode CONFIG", START_S)
        await send_configuration(device, document or self.configuration())
        await device.expect(r"system: mode NORMAL", START_S)

    async def telemetry(self, device: Device, document: dict[str, Any] | None = None) -> None:
        """From nothing to a message that the cloud acknowledged."""
        await self.normal(device, document)
        await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)

    def subscriber(self, on_message: Callable[[str, bytes], None], topic_filter: str = "#") -> Subscriber:
        """An independent client with a certificate of its own."""
        certificate, key = self.cloud.create_identity(ALL)
        return Subscriber(
            self.folder,
            "localhost",
            self.cloud.port,
            self.cloud.root_ca,
            certificate,
            key,
            topic_filter,
            on_message,
        )


@dataclass
class House(Site):
    """A site whose cloud is the local one, in this process."""

    cloud: Cloud


def install(device: Device, app: str | None, **settings: object) -> None:
    device.install()
    if app is not None:
        (device.files / "firmware/app.py").write_text(textwrap.dedent(app))
    settle(device, **settings)


def changes(app: str | None = None, **settings: object) -> dict[str, str]:
    """What makes a pack with another application, and other settings, of the product's."""
    text = (ROOT / "firmware/settings.py").read_text() + _lines(settings)
    return {"firmware/settings.py": text} | (
        {"firmware/app.py": textwrap.dedent(app)} if app is not None else {}
    )


def put_in_slot(device: Device, slot: str, version: str, pack: bytes) -> None:
    """As an update that was kept: the slot is sealed (iot.ota.slots), and its number is what counts."""
    manifest = f"iot-update 1\nversion {version}\nsize {len(pack)}\n".encode()
    folder = device.files / slot
    folder.mkdir()
    (folder / "firmware.pack").write_bytes(pack)
    (folder / "manifest").write_bytes(manifest + b"crc %08x\n" % binascii.crc32(manifest))
    nvs = device.folder / "nvs/iot"
    nvs.mkdir(parents=True, exist_ok=True)
    (nvs / "boot0").write_bytes(b"\0" + (0x400 | "ab".index(slot) + 1).to_bytes(4, "little"))


def settle(device: Device, **settings: object) -> None:
    """Give it other settings, from its next start on: a limit that is to pass is not in the way before."""
    device.add("firmware/settings.py", _lines(settings))


def _lines(settings: dict[str, object]) -> str:
    return "".join(f"{name} = {value!r}\n" for name, value in settings.items())


async def ask(device: Device, line: str) -> str:
    """The device's answer to a line command, with its `ok` or `error`."""
    await device.send(line)
    return (await device.expect(r"^= (.*)$", ANSWER_S))[1]


async def send_configuration(device: Device, document: dict[str, Any]) -> None:
    await configure(lambda line: ask(device, line), document)


async def status(device: Device) -> dict[str, Any]:
    answer = await ask(device, "status")
    assert answer.startswith("ok "), answer
    return json.loads(answer[3:])


def seen(device: Device, pattern: str) -> int:
    """How many of the device's lines so far match."""
    return sum(1 for line in device.lines if re.search(pattern, line))
