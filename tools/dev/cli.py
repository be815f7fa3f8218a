"""`make dev`: what is saved in firmware/ or lib/ runs on a device some moments later; its console is open."""

import argparse
import asyncio
import contextlib
import os
import shlex
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from tools import application
from tools.board import packages, settings
from tools.board.errors import BoardError, run_verb, wrong_arguments
from tools.board.files import CompileError
from tools.board.ports import PORT_HELP
from tools.cloud import StateError
from tools.configure import ConfigureError
from tools.keyboard import Keyboard
from tools.sim.wiring import WiringError, wire
from tools.timeline import Timeline
from tools.units import Unit

from . import versions
from .board import Board
from .loop import Loop
from .scene import MAC, Scene
from .screen import Screen
from .simulated import Simulated

EXAMPLES = """examples:
  python3 -m tools dev                       a simulated device, with a cloud on this machine
  python3 -m tools dev /dev/ttyUSB0          a board
  python3 -m tools dev --sensors wired.json  what is wired to the simulated device's pins, as for `tools sim`
  python3 -m tools dev --state DIR           keep its cloud and its flash elsewhere than in state/dev

What is saved in firmware/ or lib/ is compiled; where that works, the device restarts with it, else the line
is shown and the device goes on with what it has. A traceback within ten seconds brings back the one before.
A line that is typed goes to the device's console (help, status, …), `send TOPIC PAYLOAD` to the simulated
device's cloud. IOT_APP=DIR takes another folder's firmware/ (tools new makes one). Ctrl-C ends; configuration
and certificate are there the next time.

exit status: 0 after Ctrl-C, 1 if it cannot start, 2 for wrong arguments"""

STATE = Path("state/dev")
_ELSEWHERE = "the board's cloud is another program's: python3 -m tools cloud send"
_FAILURES = (BoardError, CompileError, OSError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("port", metavar="PORT", nargs="?", help=f"{PORT_HELP}; without: a simulated device")
    parser.add_argument(
        "--state", type=Path, default=STATE, metavar="DIR", help=f"of the simulated device; default: {STATE}"
    )
    parser.add_argument("--sensors", type=Path, metavar="FILE", help="what is wired to its pins")
    parser.add_argument(
        "--micropython",
        default=os.environ.get("MICROPYTHON") or None,
        metavar="PATH",
        help="run it on this MicroPython unix binary (default: $MICROPYTHON, else CPython)",
    )
    packages.add_arguments(parser, "keep the aioble that the board has")


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if args.port and args.sensors:
        return wrong_arguments("dev", "--sensors: a board has its own")
    return run_verb("dev", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    timeline = Timeline(Console())
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(on_board(args, timeline) if args.port else simulated(args, timeline))
        except (ConfigureError, StateError, WiringError, CompileError, OSError) as error:
            raise BoardError(f"{error}", "Mend that, and run this again.") from None
    return 0


async def simulated(args: argparse.Namespace, timeline: Timeline) -> None:
    """The loop with a simulated device, until Ctrl-C."""
    from tools.live import open_page  # noqa: PLC0415 - a board needs none of it

    files = versions.here()
    check(files)
    screen = Screen(settings.device_name(MAC), timeline)
    scene = Scene(args.state, screen.line, screen.message, True, args.micropython)
    scene.cloud.on_event = screen.event
    state = args.state / "cloud"
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(scene)
        wire(scene.device.chip.peripherals.wiring, args.sensors)
        screen.say(f"the application of {application.folder()}; {args.state} keeps its device")
        timeline.say("cloud", "", f"AWS IoT Core on this machine, at localhost:{scene.cloud.port}")
        thing = f"python3 -m tools thing --state {shlex.quote(str(state))}"
        timeline.say("cloud", "", f"what there is to see: {thing}")
        unit = Unit(scene.device, scene.name, 0)
        await open_page(stack, scene.cloud, state, scene.world, [unit], None, timeline)
        screen.page = unit.on_line  # which the page has set
        target = Simulated(scene)
        await asyncio.to_thread(target.prepare, files)
        await scene.start()
        screen.loop = Loop(target, screen.say, files, _FAILURES)
        keyboard = Keyboard({scene.name: scene.device}, scene.publish, timeline)
        await together(screen.loop.follow(versions.saved()), keyboard.follow())


async def on_board(args: argparse.Namespace, timeline: Timeline) -> None:
    """The loop with a board, until Ctrl-C."""
    files = versions.here()
    check(files)
    screen = Screen("board", timeline)
    board = Board(args.port, screen.line, screen.say)
    screen.say(f"the application of {application.folder()} goes to {args.port}")
    done = await board.deploy(args.packages, not args.no_packages, files)
    screen.say(f"{done.sent_bytes} bytes sent, mode {done.mode}, in {done.seconds} s", "dim")
    screen.loop = Loop(board, screen.say, files, _FAILURES)

    def publish(topic: str, _payload: bytes) -> None:
        screen.say(f"{topic}: {_ELSEWHERE}", "yellow")

    keyboard = Keyboard({"board": board}, publish, timeline)
    await together(board.follow(), screen.loop.follow(versions.saved()), keyboard.follow())


def check(files: versions.Files) -> None:
    """Raise BoardError where the application does not compile: there is no version before to go on with."""
    if wrong := versions.complaints([path for path in files if path.startswith("/firmware/")], files):
        raise BoardError("\n".join(wrong), "Mend it and run this again.")


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run them until one fails; what is typed may end before."""
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part)
        await asyncio.Event().wait()
