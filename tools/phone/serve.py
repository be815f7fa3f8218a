"""`python3 -m tools phone`: the page that sets a device up, on this machine."""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tools import pages
from tools.board import document
from tools.board.errors import run_verb
from tools.pages import PageError
from tools.signals import stop_event

PAGE = Path(__file__).with_name("page")
PORT = 8008

__all__ = ["EXAMPLES", "Page", "PageError", "add_arguments", "main", "version"]
EXAMPLES = """\
examples:
  python3 -m tools phone
      then open http://localhost:8008 in Chrome on this computer
  python3 -m tools phone --product product.json
      the same; whoever sets a device up is not asked for endpoint and certificates
  python3 -m tools phone --product board.json
      with all that a configuration has but its networks
  adb reverse tcp:8008 tcp:8008
      and an Android phone on a USB cable opens http://localhost:8008, too

Browsers give Bluetooth to https:// and to localhost alone: for other phones put the files of tools/phone/page
(and a product.json beside them) on any web server that has https.
exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot start, 2 for wrong arguments
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS = pages.HEADERS | {
    "Content-Security-Policy": "frame-ancestors 'none'",  # what the page's meta element cannot give
    "Permissions-Policy": "bluetooth=(self)",
}


class Page:
    """Serves the page, as an async context manager in the caller's event loop.

    Args:
        port: 0 takes any free one; `port` then tells which.
        product: the product's part of a configuration, a document without `wifi`; the page asks for it where
            it is None.
        host: the address to listen on. Browsers give Bluetooth to localhost, and else to https alone.

    Raises:
        PageError: on entry, where the port is taken.
    """

    def __init__(
        self, port: int = PORT, product: dict[str, Any] | None = None, host: str = "localhost"
    ) -> None:
        self.port = port
        self.product = product
        self._host = host
        application = web.Application(middlewares=[self._only_to_its_names])
        application.router.add_get("/product.json", self._product)
        application.router.add_get("/{name:[a-z0-9_.-]*}", self._file)
        application.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)

    @property
    def url(self) -> str:
        """The page's address; behind `#` the code and the name of a label may follow."""
        return f"http://{self._host}:{self.port}/"

    async def __aenter__(self) -> "Page":
        self.port = await pages.listen(self._runner, self._host, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _only_to_its_names(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Against DNS rebinding: a page of another site whose name leads here could read the product file."""
        if not pages.is_known(request.headers.get("Host", ""), self._host):
            text = "Open this page as localhost, or by the address of its computer.\n"
            raise web.HTTPMisdirectedRequest(text=text)
        return await handler(request)

    async def _product(self, _request: web.Request) -> web.Response:
        return web.Response(status=204) if self.product is None else web.json_response(self.product)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return pages.file(PAGE, request.match_info["name"])


def version(page: Path = PAGE) -> str:
    """What VERSION in sw.js has to be for the files as they are: phones that keep the page then take them."""
    digest = hashlib.sha256()
    for path in sorted(page.iterdir()):
        if path.suffix in pages.TYPES and path.name not in ("sw.js", "product.json"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "--port", type=pages.port, default=PORT, help="0 takes any free one; default: %(default)s"
    )
    parser.add_argument("--host", default="localhost", help="address to listen on; default: %(default)s")
    parser.add_argument(
        "--product",
        metavar="FILE",
        type=Path,
        help="a product file (python3 -m tools product), or a configuration, whose wifi is left out; its "
        "keys go to everyone who opens the page",
    )


def main(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    return run_verb("phone", lambda: asyncio.run(_run(args)))


async def _run(args: argparse.Namespace) -> int:
    product = document.load_product(args.product) if args.product else None
    for warning in document.product_warnings(product) if product else ():
        print(f"{args.product}: warning: {warning}", file=sys.stderr)
    with stop_event() as stop:
        async with Page(args.port, product, args.host) as page:
            print(f"Open {page.url} in Chrome or Edge; Ctrl-C ends", flush=True)
            if product:
                print(f"Devices that it sets up will call {document.endpoint_of(product)}", flush=True)
            await stop.wait()
    return 0


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
