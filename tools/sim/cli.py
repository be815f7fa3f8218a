"""`python3 -m tools sim`: one simulated ESP32, its console on this terminal or on a port, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import math
import os
import re
import sys
from pathlib import Path
from typing import Any

from tools.sim import files_cli
from tools.sim.device import FLASH_KINDS, Device
from tools.sim.port import Port
from tools.sim.running import NotRunning, set_wired
from tools.sim.seldom import Seldom
from tools.sim.wiring import WiringError, check, wire
from tools.sim.world import World
from tools.stdin import is_ours, lines

DESCRIPTION = "Runs a simulated ESP32. What is typed goes to its console; Ctrl-C takes its power away."
EXAMPLES = """\
examples:
  python3 -m tools sim
      the device of state/device, on CPython, in reach of the access point "Home"
  python3 -m tools sim --port
      its console on a pseudo-terminal, which it names: configure, console and qr take that for a board's port
  python3 -m tools sim --sensors sensors.json --set adc.34=1.65
      with sensors: {"dht": {"4": {"temperature": 21.5, "humidity": 40}}}; docs/simulator.md has all names
  python3 -m tools sim --set dht.4.temperature=30 --set adc.34=none
      while it runs, from another terminal: sets a value, takes a sensor away
  python3 -m tools sim --radio tcp:9001
      its Bluetooth LE for other programs too: bumble's transport tcp-client:127.0.0.1:9001
  python3 -m tools sim --folder /tmp/other --mac 24:0a:c4:00:00:02 --micropython /usr/bin/micropython
  python3 -m tools sim files --help
      what is in its flash, and copies from and to it

exit status: 0 after Ctrl-C, 1 if it cannot start, 2 for wrong arguments
"""
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NONE = ("", "none", "null")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--folder", type=Path, default=Path("state/device"), help="its flash; default: %(default)s"
    )
    parser.add_argument(
        "--mac",
        type=_mac,
        default="24:0a:c4:00:00:01",
        help="its address, of which its name is made; default: %(default)s",
    )
    parser.add_argument("--ssid", default="Home", help="the access point's name; default: %(default)s")
    parser.add_argument("--password", default="correct horse", help="its password; default: %(default)s")
    parser.add_argument("--sensors", type=Path, metavar="FILE", help="what is wired to its pins, as JSON")
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a sensor's value, of the device of --folder where it runs already, else of a new one; "
        "VALUE none takes it away",
    )
    parser.add_argument(
        "--port",
        nargs="?",
        const="pty",
        metavar="tcp:PORT",
        help="its console on a pseudo-terminal, or on this TCP port (0: any) of this computer",
    )
    parser.add_argument(
        "--radio",
        type=_tcp,
        metavar="tcp:PORT",
        help="HCI on this TCP port: a controller on its air for others",
    )
    firmware = parser.add_mutually_exclusive_group()
    firmware.add_argument(
        "--no-firmware",
        action="store_true",
        help="leave its flash as it is: empty at first, as after `flash`",
    )
    firmware.add_argument(
        "--packed", action="store_true", help="its modules in one file, as after `deploy`; default: as files"
    )
    parser.add_argument(
        "--micropython",
        type=Path,
        default=os.environ.get("MICROPYTHON") or None,
        metavar="PATH",
        help="a MicroPython unix binary to run it; default: $MICROPYTHON, else CPython",
    )
    parser.add_argument(
        "--flash",
        choices=FLASH_KINDS,
        default=os.environ.get("SIM_FLASH") or "littlefs",
        help="how its files are kept: as on a chip, or for debuggers in a folder; default: $SIM_FLASH, else "
        "littlefs",
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        metavar="N",
        help="how much faster its clock runs while its program waits; default: $SIM_SPEED, else 1",
    )
    parts = parser.add_subparsers(dest="part", metavar="files", help="list or copy the files in its flash")
    files_cli.add_arguments(parts.add_parser("files"))


def _mac(text: str) -> str:
    if not _MAC.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError("an address as 24:0a:c4:00:00:01")
    return text.lower()


def _speed(text: str) -> float:
    speed = float(text)
    if not 1 <= speed < math.inf:
        raise argparse.ArgumentTypeError("1 or more")
    return speed


def _tcp(text: str) -> int:
    match = re.fullmatch(r"tcp:(\d{1,5})", text)
    if not match or int(match[1]) > 65535:
        raise argparse.ArgumentTypeError("tcp:PORT")
    return int(match[1])


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    name = name.strip().lower()
    if not equals:
        raise argparse.ArgumentTypeError("NAME=VALUE, as adc.34=1.65")
    if value.strip().lower() in _NONE:
        return name, None
    try:
        check(name, value)
    except WiringError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name, value


def main(args: argparse.Namespace) -> int:
    """Run it, set what is wired to the one that runs, or do what `files` asks for; the exit status."""
    try:
        if args.part == "files":
            return files_cli.main(args)
        with contextlib.suppress(NotRunning):
            return _set(args)
        asyncio.run(_run(args))
    except (OSError, ValueError) as error:  # WiringError and PortError are
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("power off")
    return 0


def _set(args: argparse.Namespace) -> int:
    complaint = set_wired(args.folder, args.set)
    if not args.set:
        complaint = f"{args.folder}: its device runs already; --set changes what is wired to it"
    if complaint:
        print(f"error: {complaint}", file=sys.stderr)
    return int(bool(complaint))


async def _run(args: argparse.Namespace) -> None:
    async with contextlib.AsyncExitStack() as stack:
        world = await stack.enter_async_context(World({args.ssid: args.password}))
        device = Device(
            args.folder,
            world,
            args.mac,
            args.micropython,
            on_line=print,
            prompt=args.port is not None,
            flash=args.flash,
            speed=args.speed,
        )
        peripherals = device.chip.peripherals
        peripherals.on_io = Seldom(lambda name, text: print(f"[{name} {text}]", flush=True))
        wire(peripherals.wiring, args.sensors, args.set)
        if args.packed:
            device.deploy()
        elif not args.no_firmware:
            device.install()
        if args.radio is not None:
            from tools.sim.ble.hci_port import HciPort  # noqa: PLC0415 - bumble takes its time

            radio = await stack.enter_async_context(HciPort(world.air_ble, args.radio))
            print(f"radio tcp-client:127.0.0.1:{radio.port}", flush=True)
        if args.port is not None:
            port = await stack.enter_async_context(Port(device, args.port))
            print(f"port {port.name}", flush=True)
        await stack.enter_async_context(device)
        await _type(device)
        await asyncio.Event().wait()  # the terminal is gone, the device goes on


async def _type(device: Device) -> None:
    """Send every line typed here to the device."""
    if not is_ours():
        return
    async for line in lines():
        with contextlib.suppress(RuntimeError, ConnectionError):  # nobody is there to read it
            await device.send(line)
