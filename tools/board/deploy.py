"""`python3 -m tools deploy PORT`: what has changed of the device's files goes to a board, all or nothing.

All modules are one file there, the pack. What is new is staged below /deploy, out of pieces of the old pack
where those stay the same, read back and hashed. Then a list of steps gets its name, in one step of the file
system, and boot.py carries it out at the reset that follows, or after a power cut at the next.
"""

import argparse
import contextlib
import dataclasses
import json
import re
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from . import files, packages, settings
from .changes import compare, steps
from .errors import BoardError, run_verb
from .found import FLASH_S, Found
from .ports import PORT_HELP, chosen_port
from .progress import Progress, bar
from .repl import Facts, Repl
from .staging import stage

EXAMPLES = """examples:
  python3 -m tools deploy                    the only board that is plugged in
  python3 -m tools deploy /dev/ttyUSB0
  python3 -m tools deploy COM3 --packages ../micropython-lib
  python3 -m tools deploy socket://192.168.1.30:4000 --no-packages --json

exit status: 0 when the board runs what is here, 1 if not, 2 for wrong arguments"""
BUILT = "built.txt"  # the time of the deployment, UTC: no clock of the device is before
_ON_BOARD = Path(__file__).with_name("on_board.py")
_START_S = 600.0  # a chip takes a few seconds, a busy emulator minutes
_STARTS = 4  # so often, and it will not come up
_QUIET_S = 10.0
_ANSWER_S = 60.0
_MODE = re.compile(r"\bsystem: mode (\w+)|^= ok ([A-Z]+)$")
_FAILED = ("deployment: given up", "deployment: not moved")  # by boot.py
_ENDED = (">>> ", 'Type "help()"', "main.py has ended")


@dataclass(frozen=True)
class Deployment:
    """What was done. A module counts by itself, as iot/console/lines.mpy; the pack that it is in does not."""

    board: Facts
    written: list[str]  # paths on the device, or in the pack
    removed: list[str]
    unchanged: int
    sent_bytes: int  # what was written besides was copied on the board
    seconds: float
    mode: str  # that the device then started in


def deploy(
    port: str,
    package_folder: Path | None = None,
    progress: Progress = lambda what, done, total: None,
    with_packages: bool = True,
    index: str | None = None,
    more: Mapping[str, str] | None = None,
    compiled: files.Compiled | None = None,
) -> Deployment:
    """Bring a board up to date, and start it.

    Args:
        port: as `open_port` takes it.
        package_folder: where the packages are; without, they come from micropython-lib's index.
        progress: called with what is being done, and how far that is.
        with_packages: false to keep those that the board has.
        index: URL of another index.
        more: texts of modules that come in place of the checkout's or to them, by their paths there.
        compiled: what the checkout had before, for boards that all get the same; without, what it has now.

    Raises:
        BoardError: the board runs what it ran before; also where its settings could not work.
    """
    begin_s = time.monotonic()
    files.check_list()
    settings.check()
    progress("stopping what runs", 0, 0)
    with Repl(port) as repl:
        try:
            facts = repl.facts()
            scripts, modules = _compiled(facts, compiled)
            for name, text in (more or {}).items():
                module = files.compile_for_chip(text.encode(), name, facts.architecture)
                modules[files.path_in_pack(name)] = module
            if with_packages:
                progress("getting packages", 0, 0)
                modules |= packages.chosen(package_folder, index, facts.mpy_version, facts.architecture)
            progress("comparing", 0, 0)
            repl.exec(_ON_BOARD.read_text("utf-8"))
            repl.exec("finish()\ndiscard('/deploy')", FLASH_S)
            found = Found(repl)
            if not with_packages:
                modules |= found.take_packages()
            changes = compare(scripts, modules, found)
            written, sent_bytes = changes.written, 0
            if changes.files or changes.remove:
                built = f"{datetime.now(UTC):%Y %m %d %H %M %S}\n".encode()
                write = changes.files | {BUILT: [built]}
                written = sorted([*written, BUILT])
                todo = steps(write, changes.remove)
                sent_bytes = stage(repl, found, write, todo, facts.block_bytes, progress)
            repl.exec("start_factory()")
        except BaseException:
            with contextlib.suppress(BoardError):
                repl.reset()
            raise
        progress("starting", 0, 0)
        repl.reset()
        mode = _watch(repl)
    seconds = round(time.monotonic() - begin_s, 1)
    return Deployment(facts, written, changes.removed, changes.unchanged, sent_bytes, seconds, mode)


def _compiled(facts: Facts, compiled: files.Compiled | None) -> files.Compiled:
    """What goes on this board."""
    if files.mpy_version() != facts.mpy_version:
        raise BoardError(
            f"{facts.image} takes .mpy files of version {facts.mpy_version}, "
            f"mpy-cross makes version {files.mpy_version()}",
            "Write an image of a MicroPython that fits: python3 -m tools flash PORT IMAGE",
        )
    scripts, modules = compiled or files.compiled(facts.architecture)
    return scripts, dict(modules)


def _watch(repl: Repl) -> str:
    """The mode that the device starts in; boot.py carries out the list before."""
    give_up = time.monotonic() + _START_S
    lines: deque[str] = deque(maxlen=12)
    mode, asked, starts = "", False, 0
    while time.monotonic() < give_up and starts < _STARTS:
        line = repl.readline(_ANSWER_S if mode else _QUIET_S)
        if line is None:
            if mode:
                return mode
            if not asked:
                repl.type("mode\r")  # the log's level may hide the mode
                asked = True
            continue
        lines.append(line)
        starts += "rst:0x" in line
        if line.startswith(_FAILED):
            raise BoardError(
                f"{repl.port}: {line}", "Run this again; what cannot be moved is named above it."
            )
        if found := _MODE.search(line):
            mode = found[1] or found[2]
            if found[2] or not asked:  # nobody else shall find the answer
                return mode
        elif line.startswith(_ENDED):
            raise BoardError(f"{repl.port}: deployed, but main.py has ended", _printed(lines))
    if starts == _STARTS:
        raise BoardError(f"{repl.port}: deployed, but the board resets again and again", _printed(lines))
    raise BoardError(f"{repl.port}: deployed, but the device tells no mode", _printed(lines))


def _printed(lines: Iterable[str]) -> str:
    return "\n".join(["It printed:", *lines])


def summary(done: Deployment) -> str:
    board = done.board
    version = ".".join(map(str, board.version))
    return "\n".join(
        [
            f"{board.image}: MicroPython {version} for {board.architecture}, "
            f"application slots: {board.application_slots}",
            f"{len(done.written)} files and modules written ({done.sent_bytes} bytes sent), "
            f"{len(done.removed)} removed, {done.unchanged} unchanged, in {done.seconds} s",
            f"mode {done.mode}",
        ]
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("port", metavar="PORT", nargs="?", help=PORT_HELP)
    packages.add_arguments(parser, "keep the aioble that the board has")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def main(args: argparse.Namespace) -> int:
    def run() -> int:
        port = chosen_port(args.port)
        with bar() as progress:
            done = deploy(port, args.packages, progress, not args.no_packages, args.index)
        print(json.dumps(dataclasses.asdict(done), indent=2) if args.json else summary(done))
        return 0

    return run_verb("deploy", run, args.json)
