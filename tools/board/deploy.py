"""`python -m tools deploy PORT`: what has changed of the device's files goes to a board, all or nothing.

New files are staged below /deploy, read back and hashed. Then a list of steps gets its name, in one step of
the file system, and boot.py carries it out at the reset that follows, or after a power cut at the next.
"""

import argparse
import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from . import files, packages
from .errors import BoardError, run_verb
from .progress import Progress, bar
from .repl import Facts, Repl

EXAMPLES = """examples:
  python -m tools deploy /dev/ttyUSB0
  python -m tools deploy COM3 --packages ../micropython-lib
  python -m tools deploy socket://192.168.1.30:4000 --no-packages --json"""
BUILT = "firmware/built.txt"  # the time of the deployment, UTC: no clock of the device is before
_ON_BOARD = Path(__file__).with_name("on_board.py")
_OWNED = ("boot.py", "main.py", "firmware", "lib/iot")
_CHUNK_BYTES = 1536  # 2 KiB of source: little beside the heap, and much beside the cost of a round trip
_FLASH_S = 600.0  # littlefs tidies a folder up now and then: a second on a chip, minutes on an emulator
_START_S = 600.0  # a chip takes a few seconds, a busy emulator minutes
_STARTS = 4  # so often, and it will not come up
_QUIET_S = 10.0
_ANSWER_S = 60.0
_MODE = re.compile(r"\bsystem: mode (\w+)|^= ok ([A-Z]+)$")
_ENDED = (">>> ", 'Type "help()"')


@dataclass(frozen=True)
class Deployment:
    """What was done."""

    board: Facts
    written: list[str]  # paths on the device
    removed: list[str]
    unchanged: int  # files
    written_bytes: int
    seconds: float
    mode: str  # that the device then started in


def deploy(
    port: str,
    package_folder: Path | None = None,
    progress: Progress = lambda what, done, total: None,
    with_packages: bool = True,
    index: str | None = None,
) -> Deployment:
    """Bring a board up to date, and start it.

    Args:
        port: as `open_port` takes it.
        package_folder: where the packages are; without, they come from micropython-lib's index.
        progress: called with what is being done, and how far that is.
        with_packages: false to leave the board's packages alone.
        index: URL of another index.

    Raises:
        BoardError: the board runs what it ran before.
    """
    begin_s = time.monotonic()
    files.check_list()
    progress("stopping what runs", 0, 0)
    with Repl(port) as repl:
        try:
            facts = repl.facts()
            wanted = _compiled(facts)
            if with_packages:
                progress("getting packages", 0, 0)
                wanted |= _packages(facts, package_folder, index)
            progress("comparing", 0, 0)
            repl.exec(_ON_BOARD.read_text())
            repl.exec("finish()\ndiscard('/deploy')", _FLASH_S)
            hashes, folders = _survey(repl, _owned(with_packages))
            write, remove = compare(wanted, hashes, folders)
            unchanged = len(wanted) - len(write)
            if write or remove:
                write[BUILT] = f"{datetime.now(UTC):%Y %m %d %H %M %S}\n".encode()
                _stage(repl, write, steps(write, remove, folders), facts.block_bytes, progress)
        except BaseException:
            with contextlib.suppress(BoardError):
                repl.reset()
            raise
        progress("starting", 0, 0)
        repl.reset()
        mode = _watch(repl)
    size = sum(map(len, write.values()))
    return Deployment(
        facts, sorted(write), remove, unchanged, size, round(time.monotonic() - begin_s, 1), mode
    )


def compare(
    wanted: dict[str, bytes], hashes: dict[str, str], folders: set[str]
) -> tuple[dict[str, bytes], list[str]]:
    """What to write and what to remove, where a board has files of these SHA-256 hashes and these folders.

    Removed are files, then, with a slash at the end, folders from the innermost.
    """
    write = {path: data for path, data in wanted.items() if hashes.get(path) != _sha256(data)}
    stale = hashes.keys() - wanted.keys() - {BUILT}
    empty = folders - {folder for path in [*wanted, BUILT] for folder in _folders(path)}
    return write, sorted(stale) + [f"{folder}/" for folder in sorted(empty, reverse=True)]


def steps(write: Iterable[str], remove: list[str], folders: set[str]) -> list[str]:
    """What boot.py has to do, a line each: `> path` gets a path into its place, `- path` and `/ path` remove
    a file and a folder. A folder that is new on the board moves as one, which spares littlefs a lot.
    """
    moves: dict[str, None] = {}  # in their order, each once
    for path in write:
        new = (folder for folder in _folders(path) if folder not in folders and folder != "lib")
        moves[next(new, path)] = None
    staged = {folder for path in write for folder in _folders(path)}
    left = [folder for folder in staged if not moves.keys() & {folder, *_folders(folder)}]
    return [
        *(f"> /{path}" for path in moves if path != "boot.py"),
        *(f"/ /{path[:-1]}" if path.endswith("/") else f"- /{path}" for path in remove),
        *(f"/ /deploy/{folder}" for folder in sorted(left, reverse=True)),
    ]


def _compiled(facts: Facts) -> dict[str, bytes]:
    """The device's files as they go on this board, by their paths there."""
    if files.mpy_version() != facts.mpy_version:
        raise BoardError(
            f"{facts.image} takes .mpy files of version {facts.mpy_version}, "
            f"mpy-cross makes version {files.mpy_version()}",
            "Write an image of a MicroPython that fits: python -m tools flash PORT IMAGE",
        )
    found = {}
    for file in files.device_files():
        source, path = (files.ROOT / file).read_bytes(), file.as_posix()
        if file in files.SCRIPTS:
            found[path] = source
            continue
        try:
            compiled = files.compile_for_chip(source, path, facts.architecture)
        except files.CompileError as error:
            raise BoardError(f"{path} does not compile:\n{error}", "Mend it and run this again.") from None
        found[str(PurePosixPath(path).with_suffix(".mpy"))] = compiled
    return found


def _packages(facts: Facts, folder: Path | None, index: str | None) -> dict[str, bytes]:
    if folder:
        return packages.from_folder(folder, facts.mpy_version, facts.architecture)
    return packages.from_index(facts.mpy_version, index)


def _owned(with_packages: bool) -> list[str]:
    """What on the device is a deployment's, files or folders."""
    return [*_OWNED, *(packages.paths() if with_packages else ())]


def _survey(repl: Repl, paths: list[str]) -> tuple[dict[str, str], set[str]]:
    """The hashes of all files at `paths` and below, and the folders."""
    lines = repl.exec(f"survey({[f'/{path}' for path in paths]})", _FLASH_S).splitlines()
    found = [(mark, path.removeprefix("/")) for mark, _, path in (line.partition(" ") for line in lines)]
    folders = {path for mark, path in found if mark == "/"}
    return {path: mark for mark, path in found if mark != "/"}, folders


def _stage(
    repl: Repl, write: dict[str, bytes], lines: list[str], block_bytes: int, progress: Progress
) -> None:
    """Put it on the board, beside the old files; the last call makes it valid."""
    contents = {f"deploy/{path}": data for path, data in write.items()}
    contents["deploy/list.new"] = "".join(f"{line}\n" for line in lines).encode()
    folders = sorted({folder for path in contents for folder in _folders(path)})
    _check_space(repl, contents.values(), len(folders), block_bytes)
    total, done = sum(map(len, contents.values())), 0
    repl.exec(f"make({['/lib', *(f'/{folder}' for folder in folders)]})", _FLASH_S)
    for path, data in contents.items():
        for start in range(0, max(len(data), 1), _CHUNK_BYTES):
            progress("writing", done + start, total)
            piece = base64.b64encode(data[start : start + _CHUNK_BYTES]).decode()
            opening = f"begin('/{path}')\n" if start == 0 else ""
            closing = "\nend()" if start + _CHUNK_BYTES >= len(data) else ""
            told = repl.exec(f"{opening}write('{piece}'){closing}", _FLASH_S)
        done += len(data)
        if told.strip() != _sha256(data):
            raise BoardError(
                f"{repl.port}: /{path} does not read back as it was written",
                "Run this again; if it stays so, the board's flash is worn out.",
            )
    # boot.py has to be there before the list that it reads.
    boot = "os.rename('/deploy/boot.py', '/boot.py')\n" if "boot.py" in write else ""
    repl.exec(f"{boot}os.rename('/deploy/list.new', '/deploy/list')", _FLASH_S)


def _check_space(repl: Repl, contents: Collection[bytes], folders: int, block_bytes: int) -> None:
    """Raise BoardError where there is no room for the new files beside the old."""
    blocks = sum(len(data) // (block_bytes - 8) + 1 for data in contents)
    blocks += 2 * (
        folders + len(contents) // 20 + 2
    )  # in littlefs a folder takes two, and two more for some files
    free = int(repl.exec("print(os.statvfs('/')[3])", _FLASH_S))
    if blocks > free:
        raise BoardError(
            f"{repl.port}: the board's file system is full: {blocks * block_bytes} bytes are needed beside "
            f"the old files, {free * block_bytes} are free",
            "Remove files of your own from the board (mpremote fs ls, mpremote fs rm), or begin anew: "
            "python -m tools flash PORT IMAGE",
        )


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


def _folders(path: str) -> list[str]:
    """The folders that a path is in, from the outermost."""
    return [str(folder) for folder in reversed(PurePosixPath(path).parents) if folder.name]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def summary(done: Deployment) -> str:
    board = done.board
    version = ".".join(map(str, board.version))
    return "\n".join(
        [
            f"{board.image}: MicroPython {version} for {board.architecture}, "
            f"application slots: {board.application_slots}",
            f"{len(done.written)} files written ({done.written_bytes} bytes), {len(done.removed)} removed, "
            f"{done.unchanged} unchanged, in {done.seconds} s",
            f"mode {done.mode}",
        ]
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "port", metavar="PORT", help="/dev/tty…, COM3, socket://HOST:PORT or rfc2217://HOST:PORT"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--packages",
        type=Path,
        metavar="DIR",
        help="take aioble and hmac from a folder or a checkout of micropython-lib",
    )
    source.add_argument("--index", metavar="URL", help="take them from another package index")
    source.add_argument("--no-packages", action="store_true", help="leave the packages on the board alone")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def main(args: argparse.Namespace) -> int:
    def run() -> int:
        with bar() as progress:
            done = deploy(args.port, args.packages, progress, not args.no_packages, args.index)
        print(json.dumps(dataclasses.asdict(done), indent=2) if args.json else summary(done))
        return 0

    return run_verb("deploy", run)
