"""Builds a release again, and says in what it differs from one that is there."""

import json
from datetime import datetime

from tools.board.errors import BoardError
from tools.board.progress import Progress

from . import delta, folder
from .contents import changes, line_changes, modules
from .folder import CONTENT, MANIFEST, SBOM, Release
from .making import Source, Wanted, make, other_zlib
from .manifest import APP

_REMEDY = (
    "Is this the checkout that it was built of, with its pinned tools (make setup) and the same packages? "
    "Then do not sign it: ask whoever has built it."
)
_SHOWN = 5


def compare(release: Release, source: Source, progress: Progress) -> list[str]:
    """Build it again from here; returns which deltas are there, and were not for want of their base.

    Raises:
        BoardError: that does not work, or gives other bytes; it names the first file that differs.
    """
    manifest = release.manifest
    bill = folder.read_file(release.folder / SBOM)
    wanted = Wanted(
        product=manifest.product,
        kind=manifest.kind,
        version=manifest.version,
        counter=manifest.counter,
        expires=manifest.expires,
        chip=manifest.chip,
        boards=manifest.boards,
        micropython=manifest.micropython,
        made=_told_time(bill),
        source=source,
    )
    made = make(wanted, progress)
    content = CONTENT[manifest.kind]
    there = {content: release.content(), MANIFEST: release.text, SBOM: bill}
    there |= {name: folder.read_file(release.folder / name) for name in made if name not in there}
    for name, data in there.items():
        if data != made[name]:
            detail = _in_what(name, data, made[name])
            raise BoardError(f"{release.folder / name}: built here it differs: {detail}", _REMEDY)
    return [file.name for file in delta.there(release.folder) if file.name not in made]


def _in_what(name: str, there: bytes, here: bytes) -> str:
    if name == CONTENT[APP]:
        found = [path for path, _, _ in changes(modules(there), modules(here))]
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            return f"in {', '.join(found[:_SHOWN])}{more}"
        zlib = f", by {other_zlib()} here" if other_zlib() else ""
        return f"its modules are the same, deflated otherwise{zlib}"
    if name == MANIFEST:
        return " ".join(line_changes(there, here))
    return f"{len(there):,} bytes there, {len(here):,} here"


def _told_time(bill: bytes) -> datetime | None:
    """The time that a bill of materials tells: nothing else does, and it has to be the same."""
    try:
        told = json.loads(bill)["metadata"]["timestamp"]
        return datetime.fromisoformat(told)
    except (ValueError, KeyError, TypeError):
        return None
