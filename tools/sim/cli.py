"""`python3 -m tools sim`: one simulated ESP32 with its console on this terminal, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import os
import sys
from pathlib import Path

from tools.sim import files_cli
from tools.sim.device import FLASH_KINDS, Device
from tools.sim.world import World

DESCRIPTION = "Runs a simulated ESP32. What is typed goes to its console; Ctrl-C takes its power away."
EXAMPLES = """\
examples:
  python3 -m tools sim
      the device of state/device, on CPython, in reach of the access point "Home"
  python3 -m tools sim --folder /tmp/other --micropython /usr/bin/micropython
  python3 -m tools sim files --help
      what is in its flash, and copies from and to it

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
    parser.add_argument(
        "--flash",
        choices=FLASH_KINDS,
        default=os.environ.get("SIM_FLASH") or "littlefs",
        help="how its files are kept: as on a chip, or for debuggers in a folder; default: $SIM_FLASH, else "
        "littlefs",
    )
    parts = parser.add_subparsers(dest="part", metavar="files", help="list or copy the files in its flash")
    files_cli.add_arguments(parts.add_parser("files"))


def main(args: argparse.Namespace) -> int:
    """Run it, or do what `files` asks for; 0 then and after Ctrl-C, 1 where that fails."""
    try:
        if args.part == "files":
            return files_cli.main(args)
        asyncio.run(_run(args))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("power off")
    return 0


async def _run(args: argparse.Namespace) -> None:
    async with World({args.ssid: args.password}) as world:
        device = Device(args.folder, world, micropython=args.micropython, on_line=print, flash=args.flash)
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
