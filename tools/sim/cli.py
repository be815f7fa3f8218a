"""`python -m tools sim`: one simulated ESP32 with its console on this terminal, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import os
import sys
from pathlib import Path

from tools.sim.device import Device
from tools.sim.world import World

DESCRIPTION = "Runs a simulated ESP32. What is typed goes to its console; Ctrl-C takes its power away."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "--folder", type=Path, default=Path("state/device"), help="its flash; default: %(default)s"
    )
    parser.add_argument("--ssid", default="Home", help="the access point's name; default: %(default)s")
    parser.add_argument("--password", default="correct horse", help="its password; default: %(default)s")
    parser.add_argument(
        "--micropython",
        type=Path,
        default=os.environ.get("MICROPYTHON") or None,
        metavar="PATH",
        help="a MicroPython unix binary to run it; default: $MICROPYTHON, else CPython",
    )


def main(args: argparse.Namespace) -> int:
    """Run it; 0 after Ctrl-C, 1 where the folder cannot be written."""
    try:
        asyncio.run(_run(args))
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("power off")
    return 0


async def _run(args: argparse.Namespace) -> None:
    async with World({args.ssid: args.password}) as world:
        device = Device(args.folder, world, micropython=args.micropython, on_line=print)
        device.install()
        async with device:
            await _type(device)
            await asyncio.Event().wait()  # the terminal is gone, the device goes on


async def _type(device: Device) -> None:
    """Send every line typed here to the device."""
    loop = asyncio.get_running_loop()
    typed = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(typed), sys.stdin)
    while line := await typed.readline():
        with contextlib.suppress(RuntimeError, ConnectionError):  # nobody is there to read it
            await device.send(line.decode(errors="replace").rstrip("\r\n"))
