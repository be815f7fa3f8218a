"""`python3 -m tools flash`: writes an image to a board, MicroPython or more, and reads it back."""

import argparse
import contextlib
import json
import sys
import time
from functools import partial
from pathlib import Path

from . import images
from .chip import BAUDRATE, connected
from .consent import ask, check_somebody
from .errors import run_verb
from .ports import PORT_HELP, chosen_port
from .progress import bar

EXAMPLES = """examples:
  python3 -m tools flash /dev/ttyUSB0 ESP32_GENERIC-OTA-20250415-v1.25.0.bin
  python3 -m tools flash ESP32_GENERIC-OTA-20250415-v1.25.0.bin      the only board that is plugged in
  python3 -m tools flash COM3 ESP32_GENERIC-20250415-v1.25.0.bin --yes

The image comes from the page of your board on micropython.org, and the next step is: python3 -m tools deploy
PORT. Or `python3 -m tools image` has put this firmware into it: then that is done. Flashing erases the whole
board, with its configuration and its certificate.

exit status: 0 when the image is on the board, 1 if not, 2 for wrong arguments"""
SLOTS = {1: "one slot: MicroPython itself can be updated over the cable only"}
TWO_SLOTS = "two slots: MicroPython itself can be updated over the air, too"
_QUESTION = "Everything on the board will be erased, configuration and certificate included."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("port", metavar="PORT", nargs="?", help=PORT_HELP)
    parser.add_argument(
        "image", metavar="IMAGE", type=Path, help="the .bin file of MicroPython for the board, or of `image`"
    )
    parser.add_argument("--yes", action="store_true", help="erase without asking")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.add_argument("--baudrate", type=int, default=BAUDRATE, help="while writing; default: %(default)s")


def main(args: argparse.Namespace) -> int:
    """Flash; returns the exit status."""
    return run_verb(
        "flash",
        lambda: flash(chosen_port(args.port), args.image, args.yes, args.baudrate, args.json),
        args.json,
    )


def flash(port: str, path: Path, yes: bool, baudrate: int = BAUDRATE, as_json: bool = False) -> int:
    """Erase the board, write the image, and compare it with what is in the flash then.

    Args:
        port: as for open_port().
        path: the image.
        yes: erase without asking.
        baudrate: bits per second while writing; the chip's own loader always starts with 115200.
        as_json: what was done is an object on stdout; the words go to stderr.

    Returns:
        0.

    Raises:
        BoardError: the image does not fit the board, the board does not answer, or not as it should, or
            the user does not want to.
    """
    say = partial(print, file=sys.stderr if as_json else sys.stdout, flush=True)
    image = images.read(path)
    board = f", {image.board}" if image.board else ""
    say(f"image  MicroPython {image.version}{board}, for {images.megabytes(image.flash_bytes)} of flash")
    say(f"       {SLOTS.get(image.slots, TWO_SLOTS)}")
    if image.firmware:
        say(f"       with {image.firmware}: no deployment is needed")
    if not yes:
        check_somebody("it erases the whole board")
    with contextlib.ExitStack() as stack:
        with bar() as show:
            chip = stack.enter_context(connected(port, show))
            image.check_chip(chip.name)
            chip.take_loader(baudrate)
        found = chip.look()
        board = str(found)
        say(f"board  {board}, {images.megabytes(found.flash_bytes)} of flash")
        image.check_board(found.revision, found.flash_bytes)
        if not yes:
            ask(_QUESTION, as_json)
        started = time.monotonic()
        with bar() as show:
            chip.write(image, show)
    seconds = time.monotonic() - started
    size = len(image.data)
    say(f"done   {size:,} bytes at {image.offset:#x}, written and verified in {seconds:.0f} s")
    if port.startswith("socket:"):
        say("start  press EN (or RST) on the board: there is no line for a reset in a socket")
    step = f"configure {port} FILE, or set it up by phone" if image.firmware else f"deploy {port}"
    say(f"next   python3 -m tools {step}")
    if as_json:
        value = {
            "port": port,
            "board": board,
            "version": str(image.version),
            "firmware": image.firmware,
            "bytes": size,
            "seconds": round(seconds, 1),
        }
        print(json.dumps({"ok": True, "value": value}))
    return 0
