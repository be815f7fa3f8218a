"""`python3 -m tools ble`: what the page does on a phone, from a terminal."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tools.board.document import add_networks, load, warnings
from tools.board.errors import BoardError, tell_failure, wrong_arguments
from tools.board.link import Answer
from tools.board.progress import Progress, bar
from tools.board.view import JsonView, TextView
from tools.stdin import answer

from . import arguments, over_bleak
from .client import Client
from .conversation import Members
from .errors import BleError
from .persevere import persevere
from .protocol import PACKET_MAX, PACKET_NAME_MAX
from .session import normalise_code

EXAMPLES = """examples:
  python3 -m tools ble scan                                  which devices are there
  python3 -m tools ble configure board.json                  the only one there is; asks for its code
  python3 -m tools ble configure esp32-240ac4000001 board.json --code ABCD-EFGH-JKMN
  SETUP_CODE=ABCD-EFGH-JKMN python3 -m tools ble status --scan --json
  python3 -m tools ble send esp32-240ac4000001 led on --wait 5

The code is on the device's label; its console tells it, too: python3 -m tools console PORT code. It is taken
from --code, else from SETUP_CODE in the environment, else asked for. NAME may be left out (with send: be -)
where exactly one device is heard. With --json a result is {"ok": true, "value": …}, or {"ok": false, "name",
"text", "remedy"}. A configuration goes on where it stopped when the connection is lost, three times in all.

exit status: 0, 1 if it did not work, 2 for wrong arguments, 130 after Ctrl-C"""

_COMES_BACK = "If it is heard again in some minutes (ble scan), it did not reach its cloud: see ble status."
_ONLY = "-"
_SEARCH_S = 10.0


class _UsageError(Exception):
    """Wrong arguments."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str, code: bool = True) -> argparse.ArgumentParser:
        verb = actions.add_parser(
            name, help=text, description=text, formatter_class=parser.formatter_class, epilog=EXAMPLES
        )
        verb.add_argument("--json", action="store_true", help="one JSON object a result")
        if code:
            verb.add_argument(
                "--code", type=arguments.code, help="the device's; default: $SETUP_CODE, else asked for"
            )
        return verb

    verb = action("scan", "show the devices that wait for a phone", code=False)
    verb.add_argument("--seconds", type=_seconds, default=5.0, metavar="S", help="default: %(default)g")
    verb = action("configure", "give a device its configuration")
    verb.add_argument("name", metavar="NAME", nargs="?", help="esp32-240ac4000001")
    verb.add_argument("file", metavar="FILE", type=Path, help="as for python3 -m tools configure")
    add_networks(verb)
    verb = action("status", "ask a device how it is")
    verb.add_argument("name", metavar="NAME", nargs="?", help="esp32-240ac4000001")
    verb.add_argument("--scan", action="store_true", help="have it look for Wi-Fi networks first")
    verb = action("send", "send a packet to the device's application")
    verb.add_argument("name", metavar="NAME", help="esp32-240ac4000001, or - for the only one")
    verb.add_argument("packet", metavar="PACKET", type=_packet, help="the packet's name")
    verb.add_argument("payload", metavar="PAYLOAD", nargs="?", default="", type=_payload, help="text")
    verb.add_argument(
        "--wait", type=_seconds, default=0.0, metavar="S", help="show what the application sends for so long"
    )


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    view = JsonView() if args.json else TextView()
    try:
        if args.action != "scan":
            args.code = args.code or _asked_code()  # outside the loop, which would keep Ctrl-C from it
        asyncio.run(_ACTIONS[args.action](args, view))
    except _UsageError as error:
        return wrong_arguments(f"ble {args.action}", str(error), args.json)
    except BoardError as error:
        said = {"text": error.text, "remedy": error.remedy}
        name = error.name if isinstance(error, BleError) else "INVALID_VALUE"
        tell_failure(f"ble {args.action}: {error.text}\n{error.remedy}", args.json, name=name, **said)
        return 1
    return 0


async def _scan(args: argparse.Namespace, view: JsonView | TextView) -> None:
    with bar() as progress:
        progress("listening", 0, 0)
        devices = await over_bleak.scan(args.seconds)
    _show(view, [{"name": one.name, "address": one.address, "rssi": one.rssi} for one in devices])
    if not devices:
        print("Nobody is heard. A device tells its name in mode CONFIG alone.", file=sys.stderr)


async def _configure(args: argparse.Namespace, view: JsonView | TextView) -> None:
    document = load(args.file, args.wifi)
    for warning in warnings(document):
        print(f"{args.file}: warning: {warning}", file=sys.stderr)

    async def use(client: Client) -> None:
        about.update(client.about)
        await client.configure(document, progress)

    about: Members = {}
    with bar() as progress:
        found = await _find(args, progress)
        await persevere(lambda: Client(over_bleak.OverBleak(found), args.code), use)
    if args.json:
        _show(view, {"id": about.get("id"), "result": "CONFIG_DONE"})
    else:
        _show(view, "Stored. The device restarts with it.")
        print(_COMES_BACK, file=sys.stderr)


async def _status(args: argparse.Namespace, view: JsonView | TextView) -> None:
    with bar() as progress:
        found = await _find(args, progress)
        async with Client(over_bleak.OverBleak(found), args.code) as client:
            if args.scan:
                progress("scanning", 0, 0)
                await client.scan()
            status = await client.refresh()
    _show(view, status)


async def _send(args: argparse.Namespace, view: JsonView | TextView) -> None:
    with bar() as progress:
        found = await _find(args, progress)
        async with Client(over_bleak.OverBleak(found), args.code) as client:
            await client.send(args.packet, args.payload)
            progress("waiting for the application", 0, 0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(args.wait):
                    async for packet in client.packets:
                        text = packet.payload.decode(errors="replace")
                        _show(view, {"packet": packet.name, "payload": text})


async def _find(args: argparse.Namespace, progress: Progress) -> over_bleak.Found:
    progress("looking for it", 0, 0)
    found = await over_bleak.find(None if args.name == _ONLY else args.name, _SEARCH_S)
    progress("connecting", 0, 0)
    return found


def _asked_code() -> str:
    if code := os.environ.get("SETUP_CODE"):
        try:
            return normalise_code(code)
        except BleError as error:
            raise _UsageError(f"SETUP_CODE: {error.text}\n{error.remedy}") from None
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise _UsageError("the device's code is needed: --code ABCD-EFGH-JKMN, or the variable SETUP_CODE")
    while True:
        print("The code on the device's label: ", end="", file=sys.stderr, flush=True)
        if not (line := answer()):
            raise _UsageError("no code")
        try:
            return normalise_code(line)
        except BleError as error:
            print(error.remedy, file=sys.stderr)


def _show(view: JsonView | TextView, value: object) -> None:
    if isinstance(value, str):
        view.answer(Answer(True, value))
    else:
        view.answer(Answer(True, json.dumps(value, ensure_ascii=isinstance(view, JsonView))))


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError("must be over 0 and at most 3600")
    return seconds


def _packet(text: str) -> str:
    if not 1 <= len(text.encode()) <= PACKET_NAME_MAX:
        raise argparse.ArgumentTypeError(f"must have 1 to {PACKET_NAME_MAX} bytes")
    return text


def _payload(text: str) -> bytes:
    if len(text.encode()) > PACKET_MAX:
        raise argparse.ArgumentTypeError(f"must have at most {PACKET_MAX} bytes")
    return text.encode()


_ACTIONS: dict[str, Callable[[argparse.Namespace, JsonView | TextView], Coroutine[Any, Any, None]]] = {
    "scan": _scan,
    "configure": _configure,
    "status": _status,
    "send": _send,
}
