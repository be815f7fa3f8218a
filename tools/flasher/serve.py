"""`python3 -m tools flasher`: the page that flashes boards, by ESP Web Tools, beside the phone's page."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from tools import pages
from tools.board import document, images, partitions
from tools.board.errors import BoardError, run_verb
from tools.phone import serve as phone
from tools.signals import stop_event

EXAMPLES = """examples:
  python3 -m tools image ESP32_GENERIC-OTA-20250415-v1.25.0.bin board.bin
  python3 -m tools flasher board.bin
      then open http://localhost:8008/flash/ in Chrome or Edge on this computer
  python3 -m tools flasher board.bin s3.bin --product product.json
      an image for each kind of chip; whoever sets a device up then is not asked for endpoint and certificates

The page needs ESP Web Tools, which npm installs once; from then on nothing comes from elsewhere. The same
server has the page of `python3 -m tools phone`, where a device is set up over Bluetooth after that.

exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot start, 2 for wrong arguments"""
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = HERE / "page"
FOLDER = "flash"
MODULES = (ROOT / ".flasher") if (ROOT / "tests").is_dir() else Path.home() / ".cache/esp32-aws-iot/flasher"
_ESP_WEB_TOOLS = "esp-web-tools"
_WITHOUT = "Put the firmware into it: python3 -m tools image {} board.bin, and give board.bin."


class Flasher(phone.Page):
    """The phone's page, and in a folder beside it the flasher; as a context, and with arguments, like that.

    Args:
        made: what `tools image` made, one for each chip, by the names of their files.
        modules: the folder into which npm installed ESP Web Tools.
        port, product, host: as of the phone's page.

    Raises:
        BoardError: ESP Web Tools is not there, or the images do not go together.
    """

    def __init__(
        self,
        made: dict[str, images.Image],
        port: int = phone.PORT,
        product: dict[str, Any] | None = None,
        host: str = "localhost",
        modules: Path = MODULES,
    ) -> None:
        super().__init__(port, product, host)
        self._manifest = manifest(made)
        self._images = [image.data for image in made.values()]
        self._tools = modules / "node_modules" / _ESP_WEB_TOOLS / "dist/web"
        if not (self._tools / "install-button.js").is_file():
            wanted = json.loads((HERE / "package.json").read_bytes())["dependencies"][_ESP_WEB_TOOLS]
            raise BoardError(
                f"ESP Web Tools is not in {modules}",
                f"Install it: npm install --prefix {modules} {_ESP_WEB_TOOLS}@{wanted}, or make flasher.",
            )
        router = self._runner.app.router
        router.add_get(f"/{FOLDER}", self._moved)
        router.add_get(f"/{FOLDER}/manifest.json", self._told)
        router.add_get(f"/{FOLDER}/images/{{number:[0-9]{{1,3}}}}.bin", self._image)
        router.add_get(f"/{FOLDER}/{_ESP_WEB_TOOLS}/{{name:[A-Za-z0-9_.-]+}}", self._module)
        router.add_get(f"/{FOLDER}/{{name:[a-z0-9_.-]*}}", self._own)

    async def __aenter__(self) -> "Flasher":
        await super().__aenter__()
        return self

    @property
    def flasher_url(self) -> str:
        """The flasher's address."""
        return f"{self.url}{FOLDER}/"

    async def _moved(self, _request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(f"/{FOLDER}/")

    async def _told(self, _request: web.Request) -> web.Response:
        return web.json_response(self._manifest)

    async def _image(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number >= len(self._images):
            raise web.HTTPNotFound
        return web.Response(body=self._images[number], content_type="application/octet-stream")

    async def _module(self, request: web.Request) -> web.StreamResponse:
        return pages.file(self._tools, request.match_info["name"])

    async def _own(self, request: web.Request) -> web.StreamResponse:
        return pages.file(PAGE, request.match_info["name"])


def manifest(made: dict[str, images.Image]) -> dict[str, Any]:
    """What ESP Web Tools has to know of images, and the page shows; `micropython` and `flash` are ours.

    Raises:
        BoardError: one has no firmware in it, two are for one chip, or have different firmware.
    """
    firmware: dict[str, str] = {}
    chips: dict[str, str] = {}
    for name, image in made.items():
        if not image.firmware:
            raise BoardError(f"{name}: MicroPython alone, without a firmware", _WITHOUT.format(name))
        if other := chips.get(image.chip):
            raise BoardError(f"{other} and {name}: both for the {image.chip}", "Give one for each chip.")
        chips[image.chip] = name
        firmware.setdefault(image.firmware, name)
    if len(firmware) > 1:
        told = ", ".join(f"{name} has {one}" for one, name in firmware.items())
        raise BoardError(f"the images differ: {told}", "Make them anew, of one checkout.")
    product, _, version = next(iter(firmware)).rpartition(" ")
    builds = [
        {
            "chipFamily": image.chip,
            "parts": [{"path": f"images/{number}.bin", "offset": image.offset}],
            "micropython": image.version,
            "flash": images.megabytes(image.flash_bytes),
        }
        for number, image in enumerate(made.values())
    ]
    return {"name": product, "version": version, "builds": builds}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", type=Path, help="what `tools image` made, one for each chip"
    )
    phone.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    return run_verb("flasher", lambda: asyncio.run(_run(args)))


async def _run(args: argparse.Namespace) -> int:
    made = {str(path): images.read(path) for path in args.images}
    product = document.load_product(args.product) if args.product else None
    for warning in document.product_warnings(product) if product else ():
        print(f"{args.product}: warning: {warning}", file=sys.stderr)
    for name, image in made.items():
        if has_code(image):
            print(f"{name}: warning: for the one board whose label has its code", file=sys.stderr)
    with stop_event() as stop:
        async with Flasher(made, args.port, product, args.host) as page:
            print(f"Open {page.flasher_url} in Chrome or Edge; Ctrl-C ends", flush=True)
            if product:
                print(f"Devices that it sets up will call {document.endpoint_of(product)}", flush=True)
            await stop.wait()
    return 0


def has_code(image: images.Image) -> bool:
    """Whether a label's code is in it: whatever else it has, its boards would share that."""
    return any(
        image.data[one.offset - image.offset : one.end - image.offset].strip(b"\xff")
        for one in image.partitions
        if (one.kind, one.subtype) == (partitions.DATA, partitions.NVS)
    )
