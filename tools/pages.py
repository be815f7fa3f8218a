"""Pages that this computer serves to a browser: their files, their headers, and who may ask for them."""

import argparse
import ipaddress
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from tools.board.errors import BoardError

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageError(BoardError):
    """The page cannot be served."""


def host_name(host: str) -> str:
    """The name in a Host header, or the address there, without its port; "" where it has neither."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_known(host: str, own: str) -> bool:
    """Whether a Host header names this computer, against DNS rebinding: a page of another site whose name
    leads here could read what is served.

    Args:
        host: the header.
        own: what it listens on; localhost and all addresses count as well.
    """
    name = host_name(host)
    return name in ("localhost", own.lower()) or _is_address(name)


def is_loopback(host: str) -> bool:
    """Whether who listens there is reached from this computer alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def own_address() -> str:
    """This computer's on the network that leads farthest; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address for documentation
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def file(folder: Path, name: str) -> web.FileResponse:
    """A page's file, of one of the known types. Raises HTTPNotFound."""
    path = folder / (name or "index.html")
    if path.suffix not in TYPES or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Content-Type": f"{TYPES[path.suffix]}; charset=utf-8"})


async def listen(
    runner: web.AppRunner, host: str, *ports: int, ssl_context: ssl.SSLContext | None = None
) -> int:
    """Listen on the first of the ports that can be had, 0 being any; which it is. Raises PageError."""
    await runner.setup()
    for port in ports:
        try:
            await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
            break
        except OSError as error:
            reason = f"cannot listen on {host} port {port}: {error.strerror or error}"
    else:
        await runner.cleanup()
        raise PageError(reason, "Stop what uses it, or give another --port.")
    found: int = runner.addresses[0][1]
    return found


def port(text: str) -> int:
    """An argument's type."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return number


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
