"""The device's files as they are here, by their paths there; what differs, and what is wrong with it."""

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from watchfiles import Change, awatch

from tools import application
from tools.board.files import CompileError, compile_as_it_is, located
from tools.environment import ROOT
from tools.sim.files import product

from .mistakes import short, with_source

Files = Mapping[str, bytes]
_QUIET_MS = 60  # without a further change: editors save in several steps


def here() -> dict[str, bytes]:
    """What is in boot.py, main.py, lib/ and firmware/ now."""
    return product(ROOT)


def difference(new: Files, old: Files) -> tuple[dict[str, bytes], list[str]]:
    """The files that are new or have changed, and the paths of those that are gone."""
    changed = {path: data for path, data in new.items() if old.get(path) != data}
    return changed, sorted(old.keys() - new.keys())


def complaints(paths: Iterable[str], files: Files) -> list[str]:
    """What mpy-cross refuses, each with its file, line and that line's text."""
    found = []
    for path in paths:
        name = path[1:]
        if name.endswith(".py"):
            try:
                compile_as_it_is(files[path], name)
            except CompileError as error:
                found.append(with_source(str(error)))
    return found


async def saved() -> AsyncIterator[None]:
    """Each time something was saved in firmware/ or lib/, or on a disk without notices, seen to have been."""
    folders = {application.folder() / "firmware", ROOT / "lib"}
    async for _ in awatch(*folders, watch_filter=_counts, debounce=400, step=_QUIET_MS):
        yield


def _counts(_change: Change, path: str) -> bool:
    """Not what editors and compilers leave beside the files."""
    name = Path(path)
    return name.suffix in (".py", ".json", ".txt") and not name.name.startswith(".")


def age_s(paths: Iterable[str]) -> float:
    """The seconds since the newest of them was saved."""
    times_s = [file.stat().st_mtime for path in paths if (file := located(Path(path[1:]))).exists()]
    return max(0.0, time.time() - max(times_s, default=time.time()))


def shown(paths: Iterable[str]) -> str:
    """Some paths, for people: as they are here, where here is a part of the current folder."""
    names = [str(short(located(Path(path[1:])))) for path in paths]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
