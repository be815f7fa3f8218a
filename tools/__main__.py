"""What runs on a computer: `python3 -m tools VERB`."""

import argparse
import importlib
import io
import json
import sys
from typing import NoReturn

from tools.environment import ROOT, enter, explain_missing

VERBS = {
    "run": ("tools.run", "a simulated ESP32 against a local AWS IoT Core, from nothing to telemetry"),
    "camera": ("tools.examples.camera.cli", "a camera, its service and its page, all of it on this computer"),
    "dev": ("tools.dev.cli", "what is saved in firmware/ or lib/ runs on a device some moments later"),
    "new": ("tools.new.cli", "an application of your own, in a folder of its own"),
    "cloud": ("tools.cloud.cli", "a local AWS IoT Core, also for boards on your network"),
    "image": ("tools.image.cli", "one file for a board: MicroPython and the firmware in one"),
    "flash": ("tools.board.flash", "write an image to a board: MicroPython, or what `image` made of it"),
    "deploy": ("tools.board.deploy", "put the firmware's files on a board that runs MicroPython"),
    "configure": ("tools.board.configure", "give a board its configuration"),
    "console": ("tools.board.console", "a board's log and its line commands"),
    "product": ("tools.board.product", "write a product file: a configuration without Wi-Fi, in one file"),
    "phone": ("tools.phone.serve", "the web page that sets a device up from a phone"),
    "flasher": ("tools.flasher.serve", "the web page that flashes boards from a browser"),
    "dashboard": ("tools.dashboard.cli", "the live page of a cloud's devices: local, or AWS"),
    "ble": ("tools.ble.cli", "set a device up over Bluetooth LE, as a phone does"),
    "station": ("tools.station.cli", "take boards from blank chips to labels, as they are plugged in"),
    "qr": ("tools.ble.qr", "the QR code for a device's label"),
    "thing": ("tools.thing.cli", "one thing of the local cloud or of AWS: its shadow, jobs, commands, logs"),
    "fleet": (
        "tools.fleet.cli",
        "many things: versions, who is seen no more, groups, tags, retirement, claims",
    ),
    "aws": ("tools.aws.cli", "an account of AWS, set up and taken down, checked; what a month costs"),
    "release": ("tools.release.cli", "keys, builds, signatures and bills of materials of updates"),
    "names": ("tools.names.cli", "whether a board has every name that device code uses"),
    "size": ("tools.size", "a slot's bytes, and the heap of what stays in each mode and for a moment"),
    "bench": ("tools.bench.cli", "the MQTT client beside umqtt.simple, a phone's set-up, and P-256"),
    "sim": ("tools.sim.cli", "one simulated ESP32 with its console on this terminal"),
}
NEED_TESTS = ("bench", "size")  # their parts lie in tests/, which are not installed
NEED_UNIX = (
    "bench",
    "camera",
    "dev",
    "run",
    "sim",
)  # a simulated chip's pipes, signals and sockets are those of Unix


class Parser(argparse.ArgumentParser):
    """A parser that tells a program, too, which arguments are wrong."""

    def error(self, message: str) -> NoReturn:
        tell_program(message, f"{self.prog} --help tells the arguments.")
        super().error(message)


def tell_program(text: str, remedy: str) -> None:
    """A failure as JSON, where that is asked for and no verb is there to tell it."""
    if "--json" in sys.argv:
        print(json.dumps({"ok": False, "text": text, "remedy": remedy}), flush=True)


def refuse(reason: str) -> int:
    """Tell why a verb does not run here; the exit status."""
    print(reason, file=sys.stderr)
    tell_program(reason, "README.md tells what the verbs need.")
    return 1


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may be unable to show what others' names contain
            stream.reconfigure(errors="backslashreplace")
    parser = Parser(
        prog="python3 -m tools",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python3 -m tools run --once\n  python3 -m tools deploy --help",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    if sys.platform == "win32" and chosen in NEED_UNIX:
        return refuse(f"{chosen}: runs on Linux and macOS; on Windows in WSL (wsl --install)")
    if chosen in NEED_TESTS and not (ROOT / "tests").is_dir():
        return refuse(f"{chosen}: runs in a clone of the repository, not installed")
    for name, (module, text) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text, formatter_class=parser.formatter_class)
        if name == chosen:  # only its own module is imported: help stays quick
            try:
                implementation = importlib.import_module(module)
            except ModuleNotFoundError as error:
                reason = explain_missing(name, error.name or "")
                if not reason:
                    raise
                return refuse(reason)
            from tools import application  # noqa: PLC0415 - not every Python can read it

            complaint = application.complaint()
            if complaint:
                return refuse(complaint)
            verb.epilog = implementation.EXAMPLES
            implementation.add_arguments(verb)
    args = parser.parse_args()
    try:
        return implementation.main(args)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    enter()
    sys.exit(main())
