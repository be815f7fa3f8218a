"""A device of `make run`: made, powered on, and configured as a person would do it."""

import argparse
import asyncio
import itertools
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools import application
from tools.ble.errors import BleError
from tools.board import settings
from tools.configure import configure
from tools.sim import Device, World
from tools.sim.seldom import Seldom
from tools.sim.wiring import wire
from tools.timeline import Timeline
from tools.units import Unit
from tools.updates import Product, reports

MESSAGES = 5
WIFI = {"ssid": "Home", "password": "correct horse"}
_TRIES = 3
_TAKEN = re.compile(r"system: restarting: new configuration$")
_ACKNOWLEDGED = re.compile(r" I app: telemetry \d+ acknowledged")


class RunError(Exception):
    """Why there was no telemetry, or less than asked for."""


def make_unit(
    folder: Path,
    world: World,
    number: int,
    micropython: str | None,
    sensors: Path | None,
    timeline: Timeline,
) -> Unit:
    """A device, with what that file says wired to its pins."""
    mac = "24:0a:c4:00:{:02x}:{:02x}".format(*divmod(number + 1, 256))
    name = settings.device_name(mac)

    def on_line(line: str) -> None:
        unit.on_line(line)
        if not application.is_own() and _ACKNOWLEDGED.search(line):
            unit.count(acknowledged=1)
        timeline.device_line(name, line)

    device = Device(folder / name, world, mac, micropython, on_line=on_line)
    peripherals = device.chip.peripherals
    wire(peripherals.wiring, sensors)
    peripherals.on_io = Seldom(lambda what, text: timeline.say(name, "pins", f"{what} {text}", "dim"))
    unit = Unit(device, name, MESSAGES)
    return unit


async def start(
    unit: Unit,
    document: Callable[[], dict[str, Any]],
    world: World,
    product: Product | None,
    args: argparse.Namespace,
    timeline: Timeline,
) -> None:
    """Power the device on, and have it configured with `document()` where it has no configuration yet."""
    device = unit.device
    if product:
        await asyncio.to_thread(device.deploy, product.texts())
    else:
        await asyncio.to_thread(device.deploy if args.packed else device.install)
        if not (args.once or args.packed or args.cloud):  # REPORTS are AWS's
            device.add("firmware/settings.py", f"\nREPORTS = {reports()!r}\n")
    await device.power_on()
    mode = (await device.expect(r"system: mode (\w+)$", args.timeout))[1]
    if mode == "CONFIG":
        configured = configure_by_usb if args.usb else configure_by_phone
        await configured(unit, world, document(), args, timeline)


async def configure_by_usb(
    unit: Unit, world: World, document: dict[str, Any], args: argparse.Namespace, timeline: Timeline
) -> None:
    """Type the configuration on the device's console."""
    device = unit.device

    async def ask(line: str) -> str:
        await device.send(line)
        return (await device.expect(r"^= (.*)$", args.timeout))[1]

    timeline.say(unit.name, "usb", "configuring: Wi-Fi and cloud")
    await configure(ask, document, now_s=time.time())


async def configure_by_phone(
    unit: Unit, world: World, document: dict[str, Any], args: argparse.Namespace, timeline: Timeline
) -> None:
    """Have a simulated phone do what a person does: pick the device, type its code, configure."""
    from tools.ble.phone import set_up  # noqa: PLC0415 - bumble takes its time

    code = (await unit.device.expect(r"ble: code (\S+)$", args.timeout))[1]
    told: list[str] = []

    def progress(what: str, done: int, total: int) -> None:
        if what not in told:
            told.append(what)
            timeline.say(unit.name, "phone", what if not total else f"{what} {total} bytes")

    for left in reversed(range(_TRIES)):
        try:
            report = await set_up(world, unit.name, code, document, args.mtu, progress)
            break
        except BleError as error:  # a busy machine is bad air: people try again, too
            if any(_TAKEN.search(line) for line in unit.device.lines):
                return
            if not left or error.name != "TIMEOUT":
                raise
            timeline.say(unit.name, "phone", f"again: {error}", "yellow")
            told.clear()
    frames = f"{report.sent} frames sent, {report.received} received"
    timeline.say(unit.name, "phone", f"done in {report.seconds:.1f} s: {frames}, MTU {args.mtu}")


def last_lines(units: list[Unit]) -> str:
    """What the first devices said last: for want of anything newer."""
    said = (
        f"{unit.name} said last: {unit.device.lines[-1] if unit.device.lines else 'nothing'}"
        for unit in units
    )
    return "; ".join(itertools.islice(said, 3))
