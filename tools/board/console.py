"""`python3 -m tools console`: a board's log, and its line commands."""

import argparse
import asyncio
import contextlib
import sys

from tools.news import until_first
from tools.stdin import answer, lines
from tools.waiting import Waiting

from .errors import BoardError, run_verb
from .link import Link
from .ports import PORT_HELP, chosen_port, is_port
from .progress import status
from .view import JsonView, TextView, mask

EXAMPLES = """examples:
  python3 -m tools console /dev/ttyUSB0            follow the log and type commands; Ctrl-] leaves
  python3 -m tools console /dev/ttyUSB0 status     ask once
  python3 -m tools console status                  the same of the only board that is plugged in
  python3 -m tools console --json COM3 status      the same for a script: {"ok": true, "value": {...}}
  echo help | python3 -m tools console /dev/ttyUSB0
  python3 -m tools console --json socket://192.168.1.7:4000 | jq .

PORT is a serial port, socket://HOST:PORT or rfc2217://HOST:PORT. The board's `help` lists its commands.
Leaving does not disturb it. With --json each line is an object: of the log {"uptime_s", "level", "area",
"text"}, of an answer {"ok", "text"} or, where that is JSON, {"ok", "value"}, of anything else {"text"}.

exit status: 0, 1 if the board is not there or refused a command, 2 for wrong arguments"""

_SILENT = "the board says nothing: it may have nothing to log; status asks it"
_RETRY_S = 0.5
_QUEUE = 100
_CONFIRM = {"factory-reset": "This erases the board's configuration and its certificate. Type yes to go on: "}
_CONFIRMED = " --yes"  # else the board itself asks for it twice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("port", metavar="PORT", nargs="?", help=PORT_HELP)
    parser.add_argument("command", metavar="COMMAND", nargs="*", default=[], help="ask this, and end")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if args.port and not is_port(args.port):  # no port: the command's first word
        args.command, args.port = [args.port, *args.command], None
    return run_verb("console", lambda: _run(args, chosen_port(args.port)), args.json)


def _run(args: argparse.Namespace, port: str) -> int:
    view = JsonView() if args.json else TextView()
    line = " ".join(args.command)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if terminal and line in _CONFIRM:
        if not _confirmed(_CONFIRM[line]):
            return 1
        line += _CONFIRMED
    if line:
        return asyncio.run(ask_once(port, line, view))
    if terminal and isinstance(view, TextView):
        return asyncio.run(Talk(port, view).run())
    follow = args.json or sys.stdin.isatty()
    return asyncio.run(ask_all(port, view, follow))


def _confirmed(question: str) -> bool:
    print(question, end="", flush=True)
    return answer().strip() == "yes"


async def ask_once(port: str, line: str, view: JsonView | TextView) -> int:
    """Ask one command; 1 where it is refused."""
    async with Link(port) as link:
        with status("waiting for the board's answer"):
            answer = await link.ask(line)
    view.answer(answer)
    return 0 if answer.ok else 1


async def ask_all(port: str, view: JsonView | TextView, follow: bool) -> int:
    """Ask every line of standard input; 1 where one is refused. With `follow` the log is shown as well."""
    refused = 0

    async def ask() -> None:
        nonlocal refused
        async for typed in lines():
            if not (line := typed.strip()):
                continue
            waiting.now("waiting for the board's answer")
            answer = await link.ask(line)
            waiting.now("")
            refused += not answer.ok
            if not follow:
                view.answer(answer)

    def show(line: str) -> None:
        waiting.now("")
        if follow:
            view.line(line)

    with Waiting(_SILENT) as waiting:
        async with Link(port, show) as link:
            await until_first(ask(), link.gone())
    return 1 if refused else 0


class Talk:
    """A person at a terminal: a line editor below the log.

    A board that restarts is followed; a cable that is pulled is waited for. Ctrl-], Ctrl-C and Ctrl-D leave.
    """

    def __init__(self, port: str, view: TextView) -> None:
        self._port = port
        self._view = view
        self._link: Link | None = None
        self._open = asyncio.Event()
        self._lines: asyncio.Queue[str] = asyncio.Queue(_QUEUE)

    async def run(self) -> int:
        """Talk until the person leaves; BoardError where there is no port to begin with."""
        from .editor import patch_stdout  # noqa: PLC0415  # a program has no editor, and no time for its import

        with patch_stdout(raw=True), Waiting(_SILENT, self._view.say) as self._waiting:
            await until_first(self._follow(), self._type(), self._ask())
        return 0

    def _line(self, line: str) -> None:
        self._waiting.now("")
        self._view.line(line)

    async def _follow(self) -> None:
        was_open = False
        while True:
            try:
                async with Link(self._port, self._line) as self._link:
                    self._view.say(
                        "connected again" if was_open else f"{self._port}: Ctrl-] leaves, help helps"
                    )
                    was_open = True
                    self._open.set()
                    await self._link.gone()
            except BoardError as error:
                if not was_open:
                    raise
                if self._open.is_set():
                    self._view.say(f"{error.text}; waiting for it to come back", "yellow")
                self._open.clear()
            await asyncio.sleep(_RETRY_S)

    async def _type(self) -> None:
        from .editor import DummyHistory, History, session  # noqa: PLC0415  # as above

        await self._open.wait()
        commands, confirmations = session(History()), session(DummyHistory())
        with contextlib.suppress(EOFError):
            while True:
                line = (await commands.prompt_async("> ")).strip()
                if not line:
                    continue
                self._view.say(f"> {mask(line)}")
                if line in _CONFIRM:
                    if (await confirmations.prompt_async(_CONFIRM[line])).strip() != "yes":
                        self._view.say("left as it is")
                        continue
                    line += _CONFIRMED
                await self._lines.put(line)

    async def _ask(self) -> None:
        while True:
            line = await self._lines.get()
            try:
                if self._link and self._open.is_set():
                    await self._link.ask(line)  # the answer is shown among the log
                else:
                    self._view.say("the board is not connected", "yellow")
            except BoardError as error:
                if self._open.is_set():
                    self._view.say(f"{error.text}\n{error.remedy}", "yellow")
