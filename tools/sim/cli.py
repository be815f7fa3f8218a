"""`python3 -m tools sim`: one simulated ESP32 with its console on this terminal, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import os
import sys
from pathlib import Path

from tools.sim.device import Device
from tools.sim.world import World

DESCRIPTION = "Runs a simulated ESP32. What is typed goes to its console; Ctrl-C takes its power away."
EXAMPLES = """\
examples:
  python3 -m tools sim
      the device of state/device, on CPython, in reach of the access point "Home"
  python3 -m tools sim --folder /tmp/other --micropython /usr/bin/micropython

exit status: 0 after Ctrl-C, 1 if it cannot start, 2 for wrong arguments
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
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
    stdin = sys.stdin.fileno()

    def read() -> None:
        if data := os.read(stdin, 4096):
            typed.feed_data(data)
        else:
            loop.remove_reader(stdin)
            typed.feed_eof()

    try:
        loop.add_reader(stdin, read)
    except PermissionError:
        return  # /dev/null or a file: nobody types
    while line := await typed.readline():
        with contextlib.suppress(RuntimeError, ConnectionError):  # nobody is there to read it
            await device.send(line.decode(errors="replace").rstrip("\r\n"))
