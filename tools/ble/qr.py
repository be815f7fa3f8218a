"""`python3 -m tools qr`: the QR code for a device's label, which opens the page with the device's code."""

import argparse
import asyncio
import io
import json
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import segno
from rich.console import Console
from rich.text import Text

from tools.board.errors import BoardError, run_verb, writing, wrong_arguments
from tools.board.link import Link
from tools.board.ports import chosen_port
from tools.board.progress import status

from . import arguments
from .protocol import on_air
from .session import normalise_code, spell_code

EXAMPLES = """examples:
  python3 -m tools qr --port /dev/ttyUSB0                     ask a board for its code, draw it here
  python3 -m tools qr --port COM3 --page https://example.com/setup/ --svg label.svg
  python3 -m tools qr ABCD-EFGH-JKMN --page https://example.com/setup/ --png label.png
  python3 -m tools qr ABCD-EFGH-JKMN --json                   {"link", "code", "name"}

--page is where phones open the page (the files of tools/phone/page on a web server). A picture needs it: a
label outlives this computer. Without it the link is for the page of `python3 -m tools phone`, in a browser on
this computer, or on a phone on its USB cable after: adb reverse tcp:8008 tcp:8008

The link has the code in its fragment, which a browser sends to nobody. Who has the code can configure the
device while it is in mode CONFIG: the label belongs on it, not into a picture of it.

exit status: 0, 1 if it did not work, 2 for wrong arguments"""

PAGE = "http://localhost:8008/"  # where `python3 -m tools phone` serves the page
_LOCAL = ("localhost", "127.0.0.1", "::1")
_SCALE = 10  # pixels, or points, of a module
_PLAIN_BORDER = 2  # modules, for a terminal; pictures have the four of ISO/IEC 18004


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.usage = (
        "%(prog)s [-h] [--name NAME] [--page URL [--png FILE | --svg FILE]] [--json] [CODE | --port PORT]"
    )
    parser.add_argument("code", metavar="CODE", nargs="?", type=arguments.code, help="the device's code")
    parser.add_argument(
        "--port",
        metavar="PORT",
        help="ask the board there for code and name; without CODE and PORT: the only board plugged in",
    )
    parser.add_argument("--name", metavar="NAME", help="the device's: the page then shows no other")
    parser.add_argument(
        "--page",
        metavar="URL",
        type=page,
        help=f"where phones open the page; default: {PAGE}, which is this computer alone",
    )
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--png", metavar="FILE", type=Path, help="write a picture")
    files.add_argument("--svg", metavar="FILE", type=Path, help="write a drawing")
    parser.add_argument("--json", action="store_true", help="print link, code and name")


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if args.code and args.port:
        return wrong_arguments("qr", "give CODE or --port PORT", args.json)
    if (args.png or args.svg) and not args.page:
        text = "a label needs --page URL, the https:// address where phones open the page"
        return wrong_arguments("qr", text, args.json)
    return run_verb("qr", lambda: _run(args), args.json)


def make_link(page: str, code: str, name: str | None = None) -> str:
    """The address that a label's QR code holds (docs/ble.md, The label)."""
    shown = f"&name={quote(on_air(name), safe='')}" if name else ""
    return f"{page}#code={normalise_code(code)}{shown}"


async def ask_board(port: str) -> tuple[str, str]:
    """A board's code and name, from its console; BoardError where it does not tell."""
    async with Link(port) as link:
        with status("waiting for the board's answer"):
            answer = await link.ask("code")
    code, _, name = answer.text.partition(" ")
    if not answer.ok and "no such command" in answer.text:
        raise BoardError(
            f"{port}: the board knows of no code",
            f"Its firmware is another one. Put this one on it: python3 -m tools deploy {port}",
        )
    if not answer.ok:
        raise BoardError(
            f"{port}: the board does not tell its code: {answer.text}",
            f"Its log may tell more: python3 -m tools console {port}",
        )
    return code, name


def _run(args: argparse.Namespace) -> int:
    code, name = (args.code, None) if args.code else asyncio.run(ask_board(chosen_port(args.port)))
    name = args.name or name
    link = make_link(args.page or PAGE, code, name)
    file = args.png or args.svg
    symbol = segno.make_qr(link, error="m")
    if file:
        with writing(file):
            symbol.save(str(file), kind="png" if args.png else "svg", scale=_SCALE)
    if args.json:
        print(json.dumps({"link": link, "code": spell_code(code), "name": name}))
        return 0
    console = Console(highlight=False, soft_wrap=True)
    if not file:
        _draw(symbol, console)
    console.print(Text(f"{spell_code(code)} {name or ''}".rstrip()))
    console.print(Text(f"{file}: {link}" if file else link))
    if not args.page:
        print("The link is for the page that this computer serves; for a label: --page URL", file=sys.stderr)
    return 0


def _draw(symbol: segno.QRCode, console: Console) -> None:
    """Light modules are drawn: in white on black on a terminal, whatever its colours."""
    drawing = io.StringIO()
    symbol.terminal(drawing, compact=True, border=_PLAIN_BORDER)
    try:
        drawing.getvalue().encode(console.encoding)
    except UnicodeEncodeError:
        raise BoardError("a QR code cannot be drawn here", "Write a picture: --png FILE") from None
    for line in drawing.getvalue().splitlines():
        console.print(Text(line, style="bright_white on black"))


def page(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
        raise argparse.ArgumentTypeError("must be the address of a web page, without a fragment")
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise argparse.ArgumentTypeError("must begin with https://, else browsers give the page no Bluetooth")
    return text
