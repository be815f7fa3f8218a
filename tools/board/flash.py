"""`python3 -m tools flash`: writes an image to a board, MicroPython or more, and reads it back."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from esp_pylib.logger import EspLog, EspLogBase
from esptool.cmds import attach_flash, detect_chip, detect_flash_size, reset_chip, run_stub, write_flash
from esptool.loader import ESPLoader
from esptool.logger import log
from esptool.util import FatalError, flash_size_bytes

from tools.stdin import answer

from . import images
from .errors import BoardError, run_verb
from .ports import PORT_HELP, chosen_port, close_port, open_port
from .progress import Progress, bar

EXAMPLES = """examples:
  python3 -m tools flash /dev/ttyUSB0 ESP32_GENERIC-OTA-20250415-v1.25.0.bin
  python3 -m tools flash ESP32_GENERIC-OTA-20250415-v1.25.0.bin      the only board that is plugged in
  python3 -m tools flash COM3 ESP32_GENERIC-20250415-v1.25.0.bin --yes

The image comes from the page of your board on micropython.org, and the next step is: python3 -m tools deploy
PORT. Or `python3 -m tools image` has put this firmware into it: then that is done. Flashing erases the whole
board, with its configuration and its certificate.

exit status: 0 when the image is on the board, 1 if not, 2 for wrong arguments"""
BAUDRATE = 460_800  # what USB chips of every make manage, and MicroPython's own pages tell
SLOTS = {1: "one slot: MicroPython itself can be updated over the cable only"}
TWO_SLOTS = "two slots: MicroPython itself can be updated over the air, too"
DOWNLOAD_MODE = (
    "Hold the board's BOOT button, press and release EN (or RST), release BOOT, and try again. "
    "The cable must carry data, not only power."
)
WIRING = "Disconnect what is wired to the board (GPIO 6 to 11 are its flash's), and try again."
AGAIN = "The board holds no whole image now: try again, with a shorter cable or --baudrate 115200."


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
        0, or 1 if the user does not want to.

    Raises:
        BoardError: the image does not fit the board, or the board does not answer, or not as it should.
    """
    say = partial(print, file=sys.stderr if as_json else sys.stdout, flush=True)
    image = images.read(path)
    board = f", {image.board}" if image.board else ""
    say(f"image  MicroPython {image.version}{board}, for {images.megabytes(image.flash_bytes)} of flash")
    say(f"       {SLOTS.get(image.slots, TWO_SLOTS)}")
    if image.firmware:
        say(f"       with {image.firmware}: no deployment is needed")
    if not (yes or sys.stdin.isatty()):
        raise BoardError("it erases the whole board, and nobody is here to be asked", "Say --yes.")
    with _Log() as esptool, _connected(port, baudrate, image) as chip:
        board, revision, flash_bytes = _look_at(chip)
        say(f"board  {board}, {images.megabytes(flash_bytes)} of flash")
        image.check_board(revision, flash_bytes)
        if not (yes or _agreed(say)):
            raise BoardError("nothing was changed", "It needs a y, or --yes.")
        started = time.monotonic()
        with bar() as esptool.show, _explained("the image was not written", AGAIN):
            esptool.show("erasing", 0, 0)
            write_flash(chip, [(image.offset, image.data)], erase_all=True)
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


def _agreed(say: Callable[..., None]) -> bool:
    question = "Everything on the board will be erased, configuration and certificate included. Go on? [y/N] "
    say(question, end="")
    return answer().strip().lower() in ("y", "yes")


class _Log(EspLogBase):
    """esptool's log, as a context: its words stay unsaid, and how far it has written goes to `show`."""

    def __init__(self) -> None:
        self.show: Progress = lambda what, done, total: None

    def __enter__(self) -> "_Log":
        log.set_verbosity("silent")  # a few of the words take no way around by `instance`
        self._before, EspLog.instance = EspLog.instance, self
        return self

    def __exit__(self, *_: object) -> None:
        EspLog.instance = self._before
        log.set_verbosity("auto")

    def progress_bar(
        self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
    ) -> None:
        self.show("writing", cur_iter, total_iters)
        if cur_iter == total_iters:
            self.show("verifying", 0, 0)

    def _unsaid(self, *args: Any, **options: Any) -> None:
        pass

    print = err = warn = note = hint = debug = set_verbosity = _unsaid


@contextlib.contextmanager
def _connected(port: str, baudrate: int, image: images.Image) -> Iterator[ESPLoader]:
    """The chip in download mode, with esptool's own loader running in its RAM; reset in the end."""
    device = open_port(port)
    try:
        with bar() as progress, _explained(f"{port}: no chip answers in download mode", DOWNLOAD_MODE):
            progress("connecting", 0, 0)
            chip = detect_chip(device)
        try:
            image.check_chip(chip.CHIP_NAME)
            with _explained(f"{port}: the {chip.CHIP_NAME} does not take esptool's loader", DOWNLOAD_MODE):
                chip = run_stub(chip)
                if not port.startswith("socket:"):  # its far end would not follow
                    chip.change_baud(baudrate)
            yield chip
        finally:
            with contextlib.suppress(FatalError, OSError):  # what went wrong before is what counts
                reset_chip(chip)
    finally:
        close_port(device)


def _look_at(chip: ESPLoader) -> tuple[str, int, int]:
    """The board in words, its chip's revision (times 100), and the bytes of its flash."""
    with _explained("the board no longer answers", DOWNLOAD_MODE):
        mac = ":".join(f"{byte:02x}" for byte in chip.read_mac())
        board = f"{chip.get_chip_description()}, MAC {mac}"
        revision = chip.get_chip_revision()
        attach_flash(chip)
        size = flash_size_bytes(detect_flash_size(chip))
    if not size:
        raise BoardError("the chip does not reach its flash", WIRING)
    return board, revision, size


@contextlib.contextmanager
def _explained(what: str, remedy: str) -> Iterator[None]:
    """Turn esptool's errors, and the port's, into ours; of esptool's words the first line."""
    try:
        yield
    except (FatalError, OSError) as error:
        reason = str(error).partition("\n")[0].removeprefix("Failed to connect to Espressif device: ")
        raise BoardError(f"{what}: {reason}", remedy) from None
