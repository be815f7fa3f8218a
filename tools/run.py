"""`make run`: the whole product on this machine, from an empty device to telemetry over mutual TLS."""

import argparse
import asyncio
import contextlib
import os
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from tools.ble.errors import BleError
from tools.cloud import Cloud, StateError
from tools.cloud.ca import CHAINS
from tools.configure import ConfigureError, configure
from tools.phone.serve import PORT, Page, PageError
from tools.sim import Device, World
from tools.subscriber import Subscriber
from tools.timeline import Timeline

EXAMPLES = """examples:
  python3 -m tools run                   watch one device, until Ctrl-C
  python3 -m tools run --once            end after five acknowledged messages: 0, or 1 and the reason
  python3 -m tools run --mtu 23          the phone and the device speak in frames of 20 bytes
  python3 -m tools run --usb             configure over the console instead of Bluetooth LE
  python3 -m tools run --server-chain rsa
                                        certificates and keys are of RSA, as AWS has them
  python3 -m tools run --devices 20      twenty devices, each with its own name, certificate and policy
  python3 -m tools run --state DIR       keep cloud and flash in DIR, and go on with them the next time"""

MESSAGES = 5
_WIFI = {"ssid": "Home", "password": "correct horse"}
_ANSWER_S = 15
_MTU_LEAST, _MTU_MOST = 23, 517
_ACKNOWLEDGED = re.compile(r" I app: telemetry \d+ acknowledged")


@dataclass
class Unit:
    """One device and what was seen of it."""

    device: Device
    name: str
    acknowledged: int = 0
    received: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, acknowledged: int = 0, received: int = 0) -> None:
        self.acknowledged += acknowledged
        self.received += received
        if min(self.acknowledged, self.received) >= MESSAGES:
            self.enough.set()


class RunError(Exception):
    """Why there was no telemetry."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help=f"end after {MESSAGES} messages of each device")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="how many devices (default 1)")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep cloud and flash here (default: nowhere)"
    )
    parser.add_argument(
        "--server-chain",
        choices=CHAINS,
        default="p256",
        help="rsa: the cloud shows a chain of three, as AWS, and makes RSA keys (default p256)",
    )
    parser.add_argument("--usb", action="store_true", help="configure over the console, not Bluetooth LE")
    parser.add_argument(
        "--mtu", type=int, default=247, metavar="N", help="ATT MTU that the phone asks for (default 247)"
    )
    parser.add_argument("--timeout", type=float, default=60, metavar="S", help="for --once (default 60 s)")
    parser.add_argument(
        "--micropython",
        default=os.environ.get("MICROPYTHON") or None,
        metavar="PATH",
        help="run the devices on this MicroPython unix binary (default: $MICROPYTHON, else CPython)",
    )


def main(args: argparse.Namespace) -> int:
    console = Console()
    if not 1 <= args.devices <= 200:
        console.print("--devices: 1 to 200")
        return 2
    if not _MTU_LEAST <= args.mtu <= _MTU_MOST:
        console.print(f"--mtu: {_MTU_LEAST} to {_MTU_MOST}")
        return 2
    try:
        asyncio.run(run(args, Timeline(console)))
    except (RunError, StateError, BleError, ConfigureError, OSError) as error:
        console.print(f"run: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


async def run(args: argparse.Namespace, timeline: Timeline) -> None:
    """Start everything, configure the devices, and watch; RunError where --once does not get its messages."""
    async with contextlib.AsyncExitStack() as stack:
        folder = args.state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="esp32-aws-iot-")))
        cloud = await stack.enter_async_context(Cloud(folder / "cloud", server_chain=args.server_chain))
        chain = "; it shows a chain of RSA" if args.server_chain == "rsa" else ""
        timeline.say("cloud", "", f"AWS IoT Core on this machine, at localhost:{cloud.port}{chain}")
        page = await serve_page(stack, cloud)
        timeline.say("page", "", f"sets a device up from a browser with Web Bluetooth: {page.url}")
        world = await stack.enter_async_context(World({_WIFI["ssid"]: _WIFI["password"]}))
        units = [
            make_unit(folder, world, number, args.micropython, timeline) for number in range(args.devices)
        ]
        await watch_cloud(stack, cloud, folder, units, timeline)
        for unit in units:
            stack.push_async_callback(unit.device.power_off)
        await asyncio.gather(*(start(unit, cloud, world, args, timeline) for unit in units))
        if not args.once:
            await asyncio.Event().wait()
        await until_enough(units, args.timeout)
        cloud.on_event = None  # what follows is only the end
        total = sum(unit.received for unit in units)
        timeline.say("", "", f"done: {total} messages acknowledged and received", "bold green")


def make_unit(folder: Path, world: World, number: int, micropython: str | None, timeline: Timeline) -> Unit:
    """A device with the unmodified device code in its flash."""
    mac = "24:0a:c4:00:{:02x}:{:02x}".format(*divmod(number + 1, 256))
    name = "esp32-" + mac.replace(":", "")

    def on_line(line: str) -> None:
        if _ACKNOWLEDGED.search(line):
            unit.count(acknowledged=1)
        timeline.device_line(name, line)

    device = Device(folder / name, world, mac, micropython, on_line=on_line)
    device.install()
    unit = Unit(device, name)
    return unit


async def serve_page(stack: contextlib.AsyncExitStack, cloud: Cloud) -> Page:
    """The phone's page with this cloud's endpoint and a claim certificate, at its usual port or any other."""
    product = cloud.device_configuration([])
    del product["wifi"]
    try:
        return await stack.enter_async_context(Page(PORT, product))
    except PageError:  # taken, by another make run, say
        return await stack.enter_async_context(Page(0, product))


async def watch_cloud(
    stack: contextlib.AsyncExitStack, cloud: Cloud, folder: Path, units: list[Unit], timeline: Timeline
) -> None:
    """Have the cloud tell who comes and goes, and an independent subscriber what arrives."""
    by_topic = {f"telemetry/{unit.name}": unit for unit in units}

    def on_message(topic: str, payload: bytes) -> None:
        timeline.say("subscriber", "", f"{topic} {payload.decode(errors='replace')}", "green")
        if topic in by_topic:
            by_topic[topic].count(received=1)

    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}],
    }
    certificate, key = cloud.create_identity(policy)
    identity = (cloud.root_ca, certificate, key)
    subscriber = Subscriber(folder, "localhost", cloud.port, *identity, "telemetry/#", on_message)
    await stack.enter_async_context(subscriber)
    cloud.on_event = lambda event: timeline.say("cloud", "", str(event), "dim")


async def start(unit: Unit, cloud: Cloud, world: World, args: argparse.Namespace, timeline: Timeline) -> None:
    """Power the device on, and have it configured where it has no configuration yet."""
    device = unit.device
    await device.power_on()
    mode = (await device.expect(r"system: mode (\w+)$", _ANSWER_S))[1]
    if mode == "CONFIG":
        document = cloud.device_configuration([_WIFI])
        await (configure_by_usb if args.usb else configure_by_phone)(unit, world, document, args, timeline)


async def configure_by_usb(
    unit: Unit, world: World, document: dict[str, Any], args: argparse.Namespace, timeline: Timeline
) -> None:
    """Type the configuration on the device's console."""
    device = unit.device

    async def ask(line: str) -> str:
        await device.send(line)
        return (await device.expect(r"^= (.*)$", _ANSWER_S))[1]

    timeline.say(unit.name, "usb", "configuring: Wi-Fi, endpoint and claim certificate")
    await configure(ask, document, now_s=time.time())


async def configure_by_phone(
    unit: Unit, world: World, document: dict[str, Any], args: argparse.Namespace, timeline: Timeline
) -> None:
    """Have a simulated phone do what a person does: pick the device, type its code, configure."""
    from tools.ble.phone import set_up  # noqa: PLC0415 - bumble takes its time

    code = (await unit.device.expect(r"ble: code (\S+)$", _ANSWER_S))[1]
    told: list[str] = []

    def progress(what: str, done: int, total: int) -> None:
        if what not in told:
            told.append(what)
            timeline.say(unit.name, "phone", what if not total else f"{what} {total} bytes")

    report = await set_up(world, unit.name, code, document, args.mtu, progress)
    frames = f"{report.sent} frames sent, {report.received} received"
    timeline.say(unit.name, "phone", f"done in {report.seconds:.1f} s: {frames}, MTU {args.mtu}")


async def until_enough(units: list[Unit], timeout_s: float) -> None:
    """Return when every device has had MESSAGES acknowledged and received."""
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*(unit.enough.wait() for unit in units))
    except TimeoutError:
        late = [unit for unit in units if not unit.enough.is_set()]
        report = "\n".join(
            f"{unit.name}: {unit.acknowledged} acknowledged, {unit.received} received; last line: "
            + (unit.device.lines[-1] if unit.device.lines else "none")
            for unit in late
        )
        raise RunError(f"not {MESSAGES} messages within {timeout_s:g} s\n{report}") from None
