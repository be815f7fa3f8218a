"""`python3 -m tools image`: one file for a board, MicroPython and the firmware in one."""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from tools.atomic import write_atomic
from tools.ble import arguments
from tools.ble.session import new_code, spell_code
from tools.board import document, images, packages, settings
from tools.board.errors import BoardError, run_verb, writing
from tools.board.progress import bar
from tools.release.times import epoch

from . import contents
from .build import Made, Part, make

EXAMPLES = """examples:
  python3 -m tools image ESP32_GENERIC-OTA-20250415-v1.25.0.bin board.bin
  python3 -m tools image ESP32_GENERIC-OTA-20250415-v1.25.0.bin board.bin --code new --json
  python3 -m tools image ESP32_GENERIC-OTA-20250415-v1.25.0.bin board.bin --product product.json
  python3 -m tools image ESP32_GENERIC_S3-20250415-v1.25.0.bin s3.bin --parts s3 --packages ../micropython-lib
  python3 -m tools flash /dev/ttyUSB0 board.bin       what flash and deploy do, in one step
  python3 -m tools flasher board.bin s3.bin           the same from a page in a browser

Without --code each board makes a code of its own, and one image is for all boards. With it, an image is for
one board alone, and a secret: who has the code can configure the board. With --product all that a board lacks
is its Wi-Fi, which the browser that flashes it can bring; the claim's key is then in the image.
The same input gives the same bytes: same checkout, image, packages, code, product, and SOURCE_DATE_EPOCH,
which stands for the time of a deployment.

exit status: 0 when the image is written, 1 if not, 2 for wrong arguments"""
_NEW = "new"
_LIST = "parts.json"
_SECRET, _PUBLIC = 0o600, 0o644


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "image", metavar="IMAGE", type=Path, help="the .bin file of MicroPython for the board"
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="the file to write")
    parser.add_argument(
        "--code",
        metavar="CODE",
        type=_code,
        help=f"the code on the label of the one board that gets it; {_NEW}: any",
    )
    parser.add_argument(
        "--product",
        metavar="FILE",
        type=Path,
        help="endpoint and certificates for every board that gets it (a product file, or a configuration)",
    )
    parser.add_argument(
        "--parts", metavar="DIR", type=Path, help=f"also each part in a file, and {_LIST} with their places"
    )
    packages.add_arguments(parser, "leave it out: such a board is configured by cable alone")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


def main(args: argparse.Namespace) -> int:
    """Make it; the exit status."""
    return run_verb("image", lambda: _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    image = images.read(args.image)
    code = new_code() if args.code == _NEW else args.code
    if code and settings.values().get("SETUP_CODE"):
        raise BoardError(
            "firmware/settings.py has a SETUP_CODE, and no other code would count",
            "Leave out --code, or set SETUP_CODE to None.",
        )
    product = document.load_product(args.product) if args.product else None
    for warning in document.product_warnings(product) if product else ():
        print(f"{args.product}: warning: {warning}", file=sys.stderr)
    with bar() as progress:
        files = contents.firmware(
            image, progress, epoch(), args.packages, not args.no_packages, args.index, product
        )
        progress("making the image", 0, 0)
        made = make(image, files, contents.name(), code)
    mode = _SECRET if code or product else _PUBLIC
    told = _told(made, code)
    if args.parts:
        _write_parts(args.parts, made, told, mode)
    _write(args.out, made.image.data, mode)
    if args.json:
        print(json.dumps({"ok": True, "value": told}))
        return 0
    board = f", {image.board}" if image.board else ""
    print(f"image  MicroPython {image.version}{board}, for {images.megabytes(image.flash_bytes)} of flash")
    print(f"       with {made.image.firmware}")
    for part in made.parts:
        print(f"       {part.offset:#9x}  {len(part.data):>9,} bytes  {part.name}")
    if code:
        print(f"code   {spell_code(code)}: the image is for the board with this label")
    if product:
        print(f"cloud  {document.endpoint_of(product)}; its key is in the file: it is for your eyes only")
    print(f"done   {args.out}: {len(made.image.data):,} bytes, SHA-256 {told['sha256']}")
    print(f"next   python3 -m tools flash PORT {args.out}")
    return 0


def _code(text: str) -> str:
    return _NEW if text == _NEW else arguments.code(text)


def _told(made: Made, code: str | None) -> dict[str, Any]:
    """What was made, for programs; `parts` is what ESP-IDF's tools call a list of files to flash."""
    image = made.image
    return {
        "chip": image.chip,
        "board": image.board,
        "micropython": image.version,
        "firmware": image.firmware,
        "flash_bytes": image.flash_bytes,
        "offset": image.offset,
        "bytes": len(image.data),
        "sha256": hashlib.sha256(image.data).hexdigest(),
        "code": code and spell_code(code),
        "parts": [
            {"path": _file(part), "offset": part.offset, "bytes": len(part.data)} for part in made.parts
        ],
    }


def _file(part: Part) -> str:
    return f"{part.name}.bin"


def _write(path: Path, data: bytes, mode: int) -> None:
    with writing(path):
        write_atomic(path, data, mode)


def _write_parts(folder: Path, made: Made, told: dict[str, Any], mode: int) -> None:
    """The parts, and what tells their places last: where that is, all of them are."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for part in made.parts:
        _write(folder / _file(part), part.data, mode)
    _write(folder / _LIST, (json.dumps(told, indent=2) + "\n").encode(), mode)
