"""`release build`: makes a release of what is here."""

import argparse
from datetime import datetime
from pathlib import Path

from tools.board import settings
from tools.board.errors import BoardError, wrong_arguments
from tools.board.progress import bar
from tools.thing.output import Output, note

from . import arguments, delta, folder, times
from .making import CHIPS, Wanted, make, other_zlib
from .manifest import APP, COUNTER_MAX, IMAGE
from .manifest import read as read_manifest

HELP = "make a release: the file that devices get, its manifest, its bill of materials"
EXAMPLES = """examples:
  python3 -m tools release build --expires 2027-06-01
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) python3 -m tools release build --counter 7 --json
  python3 -m tools release build --packages ../micropython-lib --expires 2027-06-01
  python3 -m tools release build --base build/release/esp32-iot-1.3.0 --expires 2027-06-01
  python3 -m tools release build --image ESP32_GENERIC-OTA-v1.25.0.bin --version 1.25.0 --expires 2027-06-01
  python3 -m tools release build --image new.bin --base old.bin --base build/release/esp32-iot-1.24.1-image \
      --version 1.25.0-2 --expires 2027-06-01

An update of the application is what deploy puts on a board; one of the image is the application in
MicroPython's .bin or .app-bin. From each version that is given by --base there is a delta, which a device
that runs that one gets in its place. The same input gives the same bytes on any machine: who signs builds it
again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--kind", choices=(APP, IMAGE), help="default: app, or image where --image is given")
    parser.add_argument("--product", metavar="P", help="default: PRODUCT of firmware/settings.py")
    parser.add_argument("--version", metavar="V", help="default, of an app: VERSION of firmware/settings.py")
    parser.add_argument(
        "--counter",
        metavar="N",
        type=arguments.number(0, COUNTER_MAX),
        help="raise it where no version before may come back; default: that of the releases in --out, else 0",
    )
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=_moment,
        help=f"2027-06-01, or with a time, in UTC; default: a year after {times.EPOCH}",
    )
    parser.add_argument("--chip", choices=tuple(CHIPS), help="default: ESP32, or the image's")
    parser.add_argument(
        "--board",
        metavar="NAME",
        action="append",
        default=[],
        help="sys.implementation._machine of a board that takes it; default: all, or the image's",
    )
    parser.add_argument(
        "--micropython", metavar="V", default="1.25.0", help="the oldest that runs an app; default: 1.25.0"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=arguments.OUT, help=f"default: {arguments.OUT}"
    )
    arguments.add_source(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    kind = args.kind or (IMAGE if args.image else APP)
    if (kind == IMAGE) != bool(args.image):
        return wrong_arguments("release build", "--image goes with --kind image", args.json)
    made = times.epoch()
    expires = args.expires or (made + times.LASTS if made else None)
    if expires is None:
        return wrong_arguments("release build", f"give --expires, or {times.EPOCH}", args.json)
    known = settings.values()
    version = args.version or (known.get("VERSION") if kind == APP else None)
    product = args.product or known.get("PRODUCT")
    if not version or not product:
        missing = "--product" if version else "--version"
        return wrong_arguments("release build", f"{missing} is missing", args.json)
    if kind == APP and version != known.get("VERSION", version):
        raise BoardError(
            f"version {version}, and firmware/settings.py has {known['VERSION']}",
            "A device tells the one of its settings: change VERSION there.",
        )
    counter = _newest_counter(args.out, product) if args.counter is None else args.counter
    wanted = Wanted(
        product=product,
        kind=kind,
        version=version,
        counter=counter,
        expires=expires,
        chip=args.chip or "",
        boards=tuple(args.board),
        micropython=args.micropython,
        made=made,
        source=arguments.source(args),
    )
    with bar() as progress:
        files = make(wanted, progress)
    target = args.out / folder.name(product, version, kind)
    folder.save(target, files)
    if other := other_zlib():
        note(
            f"this Python's zlib is {other}: the usual one makes other bytes, and others will not sign these"
        )
    release = folder.load(target)
    manifest = release.manifest
    value = {
        "folder": f"{target}",
        "version": version,
        "counter": counter,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "deltas": [{"file": file.name, "size": file.stat().st_size} for file in delta.there(target)],
    }
    rows = [
        ("folder", f"{target}"),
        ("version", f"{version}, counter {counter}, until {expires:%Y-%m-%d %H:%M:%S} UTC"),
        ("file", f"{manifest.size:,} bytes, SHA-256 {manifest.sha256}"),
        *delta.rows(release),
        ("next", f"python3 -m tools release sign {target} --key FILE"),
    ]
    Output(args.json).result(value, rows)
    return 0


def _newest_counter(out: Path, product: str) -> int:
    """The highest of a product's releases that are there."""
    found = [0]
    for file in out.glob(f"*/{folder.MANIFEST}"):
        try:
            manifest = read_manifest(file.read_bytes())
        except (ValueError, OSError):
            continue  # it is none of ours
        if manifest.product == product:
            found.append(manifest.counter)
    return max(found)


def _moment(text: str) -> datetime:
    try:
        return times.moment(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be as 2027-06-01 or 2027-06-01T12:00:00Z") from None
