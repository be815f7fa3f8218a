"""What has to be done to a board, by what it has and what it shall have."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .errors import BoardError
from .found import PACK, Found
from .pack import CONTENTS, DICTIONARY, kept_dictionary, pieces
from .pack import files as packed


@dataclass(frozen=True)
class Changes:
    """What to write and what to remove; a module counts by itself, as iot/thing.mpy, and its pack does not.

    Attributes:
        files: what to write, by its path on the device, each in the pieces that make it up.
        remove: files, then, with a slash at the end, folders from the innermost.
        written, removed: files and modules, for people.
        unchanged: how many of them stay as they are.
    """

    files: dict[str, list[bytes]]
    remove: list[str]
    written: list[str]
    removed: list[str]
    unchanged: int


def compare(files: dict[str, bytes], modules: dict[str, bytes], found: Found) -> Changes:
    """What makes a board that has what was found one that has these files and modules.

    Raises:
        BoardError: no pack can be made of the modules.
    """
    try:
        new = {path: [data] for path, data in files.items()} | {PACK: pieces(modules)}
    except ValueError as error:
        raise BoardError("no pack can be made of these modules", str(error)) from None
    write = {path: parts for path, parts in new.items() if found.hashes.get(path) != sha256(parts)}
    stale = sorted(found.hashes.keys() - new.keys())
    remove = stale + [f"{folder}/" for folder in sorted(found.folders, reverse=True)]
    differ, gone = set(write) - {PACK}, set()
    if PACK in write:
        before = {path: digest for path, (digest, _) in found.modules.items()}
        new_modules = dict(packed(modules, kept_dictionary()))
        differ |= {path for path in modules if before.get(path) != sha256([new_modules[path]])}
        gone = before.keys() - modules.keys() - {DICTIONARY, CONTENTS}
    unchanged = len(files) + len(modules) - len(differ)
    return Changes(write, remove, sorted(differ), sorted(gone) + remove, unchanged)


def steps(write: Iterable[str], remove: list[str]) -> list[str]:
    """What boot.py has to do, a line each: `> path` gets a path into its place, `- path` and `/ path` remove
    a file and a folder.
    """
    staged = {folder for path in write for folder in folders(path)}
    return [
        *(f"> /{path}" for path in write if path != "boot.py"),
        *(f"/ /{path[:-1]}" if path.endswith("/") else f"- /{path}" for path in remove),
        *(f"/ /deploy/{folder}" for folder in sorted(staged, reverse=True)),
    ]


def folders(path: str) -> list[str]:
    """The folders that a path is in, from the outermost."""
    return [str(folder) for folder in reversed(PurePosixPath(path).parents) if folder.name]


def sha256(pieces: Iterable[bytes]) -> str:
    """Of the pieces, one behind the other."""
    return hashlib.sha256(b"".join(pieces)).hexdigest()
