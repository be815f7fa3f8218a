"""What runs on a computer: `python3 -m tools VERB`."""

import argparse
import importlib
import sys

VERBS = {
    "run": ("tools.run", "a simulated ESP32 against a local AWS IoT Core, from nothing to telemetry"),
    "cloud": ("tools.cloud.cli", "a local AWS IoT Core, also for boards on your network"),
    "flash": ("tools.board.flash", "write a MicroPython image to a board"),
    "deploy": ("tools.board.deploy", "put the firmware's files on a board that runs MicroPython"),
    "configure": ("tools.board.configure", "give a board its configuration"),
    "console": ("tools.board.console", "a board's log and its line commands"),
    "phone": ("tools.phone.serve", "the web page that sets a device up from a phone"),
    "ble": ("tools.ble.cli", "set a device up over Bluetooth LE, as a phone does"),
    "qr": ("tools.ble.qr", "the QR code for a device's label"),
    "names": ("tools.names.cli", "whether a board has every name that device code uses"),
    "size": ("tools.size", "bytes and heap of each device module"),
    "bench": ("tools.bench.cli", "the MQTT client beside umqtt.simple, a phone's set-up, and P-256"),
    "sim": ("tools.sim.cli", "one simulated ESP32 with its console on this terminal"),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python3 -m tools run --once\n  python3 -m tools deploy --help",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, (module, text) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text, formatter_class=parser.formatter_class)
        if name == chosen:  # only its own module is imported: help stays quick
            implementation = importlib.import_module(module)
            verb.epilog = implementation.EXAMPLES
            implementation.add_arguments(verb)
    args = parser.parse_args()
    try:
        return implementation.main(args)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
