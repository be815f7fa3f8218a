"""`python3 -m tools configure`: gives a board its configuration."""

import argparse
import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from tools.configure import ConfigureError, configure

from .document import add_networks, load, warnings
from .errors import BoardError, run_verb, wrong_arguments
from .link import ANSWER_S, Link
from .ports import PORT_HELP, chosen_port
from .progress import bar, status

EXAMPLES = """examples:
  python3 -m tools configure /dev/ttyUSB0 board.json
  python3 -m tools configure board.json              the only board that is plugged in
  python3 -m tools configure /dev/ttyUSB0 product.json --wifi "Home:correct horse"
  python3 -m tools configure --check board.json      only say whether it is valid

FILE is the JSON that docs/configuration.md describes. Where a certificate or a key belongs it may name a PEM
file, relative to its own folder. `python3 -m tools cloud --write-config FILE` writes one for AWS; another
cloud's has its section in place of `aws`, such as
  {"wifi": [{"ssid": "Home", "password": "correct horse"}],
   "azure": {"id_scope": "0ne00000001", "group_key": "…", "root_ca": "DigiCertGlobalRootG2.pem"}}
A product file (`python3 -m tools product`) has no network: --wifi names it. Passwords and keys go to the
board; nothing shows or reads them back.

exit status: 0 when the board has reached its cloud with it, 1 if not, 2 for wrong arguments"""

_MODE = r" system: mode (\w+)$"
_WORKING = "NORMAL"
# What a board tells on its way to the cloud: that it is there, that it is back in CONFIG, or what went wrong.
_AREAS = "wifi|clock|provisioning|greengrass|cloud|memory"
_NEWS = rf" I (cloud: connected|system: mode CONFIG)|( [WE] (?:{_AREAS}): .*)$"
_REACH_S = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.usage = (
        "%(prog)s [-h] [--wifi SSID:PASSWORD] [--timeout S] [--reach S] [--json] [PORT] FILE | --check FILE"
    )
    parser.add_argument("port", metavar="PORT", nargs="?", help=PORT_HELP)
    parser.add_argument("file", metavar="FILE", type=Path, help="the configuration")
    add_networks(parser)
    parser.add_argument("--check", action="store_true", help="validate FILE, and send nothing")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.add_argument(
        "--timeout",
        type=float,
        default=120,
        metavar="S",
        help="for the board to store it, and to restart (default %(default)s s)",
    )
    parser.add_argument(
        "--reach",
        type=float,
        default=_REACH_S,
        metavar="S",
        help="and then to reach its cloud; 0: do not wait for that (default %(default)g s)",
    )


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if args.check and args.port:
        return wrong_arguments("configure", "--check looks at FILE alone, without a PORT", args.json)
    return run_verb("configure", lambda: _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    document = load(args.file, args.wifi)
    console = Console(highlight=False, soft_wrap=True, stderr=args.json)
    found = warnings(document)
    for warning in found:
        console.print(f"{args.file}: warning: {warning}", markup=False)
    if args.check:
        console.print(f"{args.file}: valid", markup=False)
    else:
        port = chosen_port(args.port)
        asyncio.run(configure_board(port, document, args.timeout, console, args.reach))
    if args.json:
        print(json.dumps({"ok": True, "value": {"stored": not args.check, "warnings": found}}))
    return 0


async def configure_board(
    port: str, document: dict[str, Any], timeout_s: float, console: Console, reach_s: float = _REACH_S
) -> None:
    """Hand a valid configuration over, and wait until the board has reached its cloud with it.

    Raises:
        BoardError: it refuses, does not answer, is not in mode NORMAL after `timeout_s`, or then does not
            reach its cloud within `reach_s`, for the reason that is told.
    """
    async with Link(port) as link:
        await _send(link, document, timeout_s)
        start = len(link.lines)
        with status("The board has stored it and restarts", console):
            try:
                mode = (await link.expect(_MODE, timeout_s))[1]
            except TimeoutError:
                mode = ""
        said = "\n".join(f"  {line}" for line in link.lines[start:][-20:]) or "  nothing"
        if mode == _WORKING and reach_s:
            with status("The board connects to its cloud", console):
                await _reached(link, reach_s, console)
            console.print("Stored. The board has reached its cloud.", markup=False)
            return
    if not mode:
        raise BoardError(
            f"{port}: stored, but the board did not come up within {timeout_s:g} s; it said:\n{said}",
            f"Look what it does, and restart it with its reset button: python3 -m tools console {port}",
        )
    if mode != _WORKING:
        raise BoardError(
            f"{port}: stored, but the board came up in mode {mode}, not {_WORKING}; it said:\n{said}",
            f"Erase what it stored, and configure it again: python3 -m tools console {port} factory-reset",
        )
    console.print(
        f"Stored. The board came up in mode {mode}. Watch it: python3 -m tools console {port}", markup=False
    )


async def _reached(link: Link, reach_s: float, console: Console) -> None:
    """Return once the cloud is reached, and meanwhile show what goes wrong on the way."""
    loop = asyncio.get_running_loop()
    deadline_s, reason = loop.time() + reach_s, ""
    with contextlib.suppress(TimeoutError):
        while (left_s := deadline_s - loop.time()) > 0:
            news = await link.expect(_NEWS, left_s)
            if news[2]:
                reason = news[2].partition(": ")[2]
                console.print(news[0].strip(), markup=False)
            elif "cloud" in news[1]:
                return
            else:
                break
    with contextlib.suppress(BoardError):
        told = (await link.ask("status")).value or {}
        if told.get("cloud"):  # its log's level may hide it
            return
        reason = told.get("unreached") or reason
    raise BoardError(
        f"{link.port}: stored, but the board has not reached its cloud: {reason or 'no answer'}",
        "Correct that, and configure it again. The board goes on trying; after CLOUD_REACH_MS "
        f"(firmware/settings.py) it waits in mode CONFIG. Watch it: python3 -m tools console {link.port}",
    )


async def _send(link: Link, document: dict[str, Any], timeout_s: float) -> None:
    with bar() as show:

        async def ask(line: str) -> str:
            return str(await link.ask(line, timeout_s if line.startswith("configure commit") else ANSWER_S))

        def progress(done: int, total: int) -> None:
            show("sending", done, total)

        try:
            await configure(ask, document, progress, time.time())
        except ConfigureError as error:
            raise _refused(link.port, str(error)) from None


def _refused(port: str, reason: str) -> BoardError:
    if "no such command" in reason:
        remedy = f"Its firmware is another one. Put this one on it: python3 -m tools deploy {port}"
    else:
        remedy = f"Nothing was changed. Its log may tell more: python3 -m tools console {port}"
    return BoardError(f"{port}: the board refuses it: {reason}", remedy)
