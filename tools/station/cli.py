"""`python3 -m tools station`: takes boards from blank chips to labels, as they are plugged in."""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from tools.ble.qr import page
from tools.board import document, files, images, packages, settings
from tools.board.chip import BAUDRATE
from tools.board.consent import ask, check_somebody
from tools.board.errors import BoardError, run_verb, wrong_arguments
from tools.board.ports import BOARDS
from tools.board.progress import bar
from tools.numbers import count

from .bench import Bench, Plan
from .hardware import Wanted
from .labels import KINDS, Labels
from .ledger import DATABASE, Ledger
from .view import View
from .watch import Watch

EXAMPLES = """examples:
  python3 -m tools station ESP32_GENERIC-OTA.bin --page https://example.com/setup/
      each board that is plugged in: flash, code, test, label, a line in production/boards.csv; next
  python3 -m tools station image.bin --page https://example.com/setup/ --batch production/march \\
      --ssid Works --print "lp -d zebra -o raw"
      a batch of its own, each label printed (ZPL), Wi-Fi tested by the network "Works"
  python3 -m tools station image.bin --page https://example.com/setup/ --configure march.json \\
      --wifi "Shop:correct horse" --no-test
  python3 -m tools station --batch production/march --print "lp -d zebra -o raw" --reprint esp32-240ac4000001

The test: Wi-Fi hears a network well enough; the LED blinks, and whoever sees that presses the button.
Boards may be unplugged, and this be ended, at any moment: plugged in again, a board goes on where it was. It
has one code and one label, by its address. The batch's folder has all codes: keep it, and for yourself.

exit status: 0 after Ctrl-C or --count boards, 1 if it cannot begin, 2 for wrong arguments"""
_RSSI_DBM, _PRESS_S, _AT_ONCE = -70, 60, 4
_QUESTION = "Every board that is plugged in, now or later, is erased, but those that this batch has done."
_PINS = ("LED_PIN", "BUTTON_PIN")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("image", metavar="IMAGE", nargs="?", type=Path, help="the .bin file for the boards")
    parser.add_argument(
        "--page",
        metavar="URL",
        type=page,
        help="where phones open the page: it is on the labels",
    )
    parser.add_argument(
        "--batch", metavar="DIR", type=Path, default=Path("production"), help="default: %(default)s"
    )
    parser.add_argument(
        "--port",
        metavar="PORT",
        action="append",
        help="watch this one; may be repeated; default: all that boards are plugged in to",
    )
    parser.add_argument("--at-once", metavar="N", type=count, default=_AT_ONCE, help="default: %(default)s")
    parser.add_argument("--count", metavar="N", type=count, help="end after so many boards; default: Ctrl-C")
    parser.add_argument("--ssid", metavar="NAME", help="a network that boards must hear; default: any")
    parser.add_argument(
        "--rssi", metavar="DBM", type=int, default=_RSSI_DBM, help="at least so well; default: %(default)s"
    )
    parser.add_argument(
        "--press", metavar="S", type=count, default=_PRESS_S, help="for the button; default: %(default)s s"
    )
    parser.add_argument("--no-button", action="store_true", help="test Wi-Fi alone")
    parser.add_argument("--no-test", action="store_true", help="test nothing but that the firmware starts")
    parser.add_argument("--configure", metavar="FILE", type=Path, help="give each board this configuration")
    document.add_networks(parser)
    packages.add_arguments(parser, "keep the aioble that the image has")
    parser.add_argument(
        "--labels",
        metavar="KIND,…",
        type=_kinds,
        default=KINDS,
        help=f"which files are written; default: {','.join(KINDS)}",
    )
    parser.add_argument("--print", metavar="COMMAND", default="", help="prints the ZPL on its standard input")
    parser.add_argument("--reprint", metavar="NAME", action="append", help="print this label again, and end")
    parser.add_argument("--baudrate", type=int, default=BAUDRATE, help="while writing; default: %(default)s")
    parser.add_argument("--yes", action="store_true", help="begin without asking")
    parser.add_argument("--json", action="store_true", help="print each change as JSON, without codes")


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if args.reprint and not args.print:
        return wrong_arguments("station", "--reprint needs --print COMMAND", args.json)
    missing = [name for name, value in (("IMAGE", args.image), ("--page URL", args.page)) if not value]
    if missing and not args.reprint:
        return wrong_arguments("station", f"{missing[0]} is missing", args.json)
    if args.wifi and not args.configure:
        return wrong_arguments("station", "--wifi goes with --configure FILE", args.json)
    return run_verb("station", lambda: _reprint(args) if args.reprint else _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    plan = _plan(args)
    view = View(args.json)
    if not args.yes:
        check_somebody("it erases every board that is plugged in")
        ask(_QUESTION, args.json)
    ledger = Ledger(args.batch)
    try:
        ledger.agree("page", args.page, "It is on the labels.")
        ledger.write_csv()  # the last board's line may have been cut off
        bench = Bench(plan, ledger, Labels(args.batch, args.page, args.labels, args.print))
        watch = Watch(partial(_ports, args.port), bench.handle, args.at_once, view.tell)
        view.note(f"batch {args.batch}, image MicroPython {plan.image.version}: plug boards in; Ctrl-C ends")
        try:
            with view.shown():
                watch.run(
                    args.count,
                    lambda: view.draw(list(watch.places.values()), watch.finished, watch.failures),
                )
        except KeyboardInterrupt:
            pass
        view.ended(ledger.boards(), watch.finished, watch.failures)
    finally:
        ledger.close()  # whoever still works with a board is cut off here
    return 0


def _plan(args: argparse.Namespace) -> Plan:
    """What the arguments and firmware/settings.py ask for; BoardError where they cannot work together."""
    settings.check()
    known = settings.values()
    if known.get("SETUP_CODE") is not None:
        raise BoardError(
            "firmware/settings.py: SETUP_CODE gives all boards one code",
            "Set it to None: each board then has the code of its own label.",
        )
    wanted = None
    if not args.no_test:
        for pin in _PINS:
            if pin not in known:
                raise BoardError(
                    f"firmware/settings.py: {pin} is not a plain value", "Name the pin, or --no-test."
                )
        button = None if args.no_button else known["BUTTON_PIN"]
        wanted = Wanted(args.ssid, args.rssi, known["LED_PIN"], button, args.press)
    configuration: dict[str, Any] | None = None
    if args.configure:
        configuration = document.load(args.configure, args.wifi)
    image = images.read(args.image)
    prefix = known.get("NAME_PREFIX")
    if prefix is None:
        raise BoardError("firmware/settings.py: NAME_PREFIX is not a plain text", "Name it there.")
    firmware = None
    if not image.firmware:
        with bar() as show:
            show("compiling", 0, 0)
            firmware = files.compiled(image.architecture)
    return Plan(
        image,
        prefix,
        wanted,
        firmware,
        configuration,
        args.packages,
        not args.no_packages,
        args.index,
        args.baudrate,
    )


def _reprint(args: argparse.Namespace) -> int:
    if not (args.batch / DATABASE).exists():
        raise BoardError(f"{args.batch}: no batch", "Name its folder: --batch DIR.")
    view, ledger = View(args.json), Ledger(args.batch)
    try:
        labels = Labels(args.batch, ledger.fact("page"), command=args.print)
        there = {board.name: board for board in ledger.boards() if board.number}
        if strangers := [name for name in args.reprint if name not in there]:
            raise BoardError(f"{args.batch}: no label of {', '.join(strangers)}", "boards.csv has the names.")
        for name in args.reprint:
            is_out = labels.print(there[name])
            view.note(f"{name}: {'printed' if is_out else 'the command does not end'}")
    finally:
        ledger.close()
    return 0


def _ports(named: list[str] | None) -> dict[str, object]:
    """The ports that boards are at now, each with what a board that is plugged in anew changes."""
    names = named or [str(found.device) for found in list_ports.comports() if found.vid in BOARDS]
    return {name: plug for name in names if (plug := _plug(name))}


def _plug(port: str) -> object:
    """The device file behind a name; a COM port of Windows has none."""
    try:
        return os.path.realpath(port), os.stat(port).st_ino
    except OSError:
        return os.name == "nt"


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    if not set(kinds) <= set(KINDS):
        raise argparse.ArgumentTypeError(f"some of {','.join(KINDS)}")
    return kinds
