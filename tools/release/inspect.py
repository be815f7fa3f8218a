"""`release inspect`: what is in a release, who has signed it, and in what two differ."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.board.errors import BoardError
from tools.thing.output import Cell, Output

from . import arguments, delta, folder, roots
from .contents import changes, line_changes, modules
from .folder import Release
from .judging import faults, standings
from .manifest import APP, Manifest
from .roots import Root, key_id
from .signatures import Signature, Standing, is_good

HELP = "show what is in a release, who has signed it, what is missing, and in what two differ"
EXAMPLES = """examples:
  python3 -m tools release inspect build/release/esp32-iot-1.4.0
  python3 -m tools release inspect build/release/esp32-iot-1.4.0/manifest --json
  python3 -m tools release inspect build/release/esp32-iot-1.3.0 build/release/esp32-iot-1.4.0

Signatures are judged by the root of firmware/update_root.py, or --root.
"""
_BAD, _GOOD, _OPEN = "bold red", "green", "yellow"
Rows = Iterator[tuple[Cell, ...]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a release's, its manifest, or a root's")
    parser.add_argument("other", metavar="OTHER", type=Path, nargs="?", help="a later one, to compare")
    arguments.add_root(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    out, one = Output(args.json), folder.load(args.folder)
    if args.other:
        value, rows = _between(one, folder.load(args.other))
        out.result(value, rows)
        return 0
    path = args.root or arguments.root_path()
    root = roots.load(path) if args.root or path.exists() else None
    out.result(_value(one, root), about(one, root))
    return 0


def about(release: Release, root: Root | None, with_modules: bool = True) -> Rows:
    """All that there is to say of a release, in rows; of its modules perhaps their number alone."""
    if isinstance(release.signed, Manifest):
        yield from _of_update(release, with_modules)
    else:
        yield from (
            (line.partition(" ")[0], line.partition(" ")[2]) for line in release.text.decode().splitlines()
        )
        if root:
            changed = line_changes(root.text(), release.text)
            yield from (("changes", line) for line in changed)
    judged = standings(release, root) if root else []
    for one in release.signatures:
        yield "signature", _told(release, one, judged)
    for standing in judged:
        style = _GOOD if standing.is_complete else _OPEN
        yield f"root {standing.root.version}", (f"{standing}", style)
    if not root:
        yield "root", ("none is here: nobody can say whose signatures count", _OPEN)


def _of_update(release: Release, with_modules: bool) -> Rows:
    manifest = release.manifest
    left = manifest.expires - datetime.now(UTC)
    ends = f"in {left.days:,} days" if left.days >= 0 else "it has come"
    for line in release.text.decode().splitlines()[1:]:
        name, _, value = line.partition(" ")
        yield name, f"{value}, {ends}" if name == "expires" else value
    if not release.content_path.exists():
        yield "file", (f"{release.content_path.name} is not here", _OPEN)
        return
    for fault in faults(release):
        yield "fault", (fault, _BAD)
    yield from delta.rows(release)
    if manifest.kind == APP and release.is_whole:
        found = modules(release.content())
        yield "modules", f"{len(found)}, of {sum(map(len, found.values())):,} bytes"
        for path, data in found.items() if with_modules else ():
            yield "", f"{len(data):7,}  {path}"


def _told(release: Release, one: Signature, judged: list[Standing]) -> Cell:
    keys = {key_id(key): (key, it.root.version) for it in judged for key in it.root.keys}
    if one.key_id not in keys:
        return f"{one.key_id}: by a key that no root here has", _OPEN
    key, version = keys[one.key_id]
    if is_good(key, release.text, one.der):
        return f"{one.key_id}: good, of root {version}", _GOOD
    return f"{one.key_id}: bad", _BAD


def _value(release: Release, root: Root | None) -> dict[str, Any]:
    judged = standings(release, root) if root else []
    found: dict[str, Any] = {
        "signed": release.text.decode(),
        "signatures": [
            {"key": one.key_id, "state": _told(release, one, judged)[0].partition(": ")[2].partition(",")[0]}
            for one in release.signatures
        ],
        "roots": [
            {
                "version": it.root.version,
                "threshold": it.root.threshold,
                "good": it.good,
                "missing": it.missing,
            }
            for it in judged
        ],
        "complete": bool(judged) and all(it.is_complete for it in judged),
    }
    if isinstance(release.signed, Manifest) and release.content_path.exists():
        found["faults"] = faults(release)
        if files := delta.there(release.folder):
            found["deltas"] = [{"file": file.name, "size": file.stat().st_size} for file in files]
        if release.signed.kind == APP and release.is_whole:
            found["modules"] = {path: len(data) for path, data in modules(release.content()).items()}
    return found


def _between(before: Release, after: Release) -> tuple[dict[str, Any], list[tuple[Cell, ...]]]:
    lines = line_changes(before.text, after.text)
    found = []
    if isinstance(before.signed, Manifest) and isinstance(after.signed, Manifest):
        found = list(changes(modules(before.content()), modules(after.content())))
    elif type(before.signed) is not type(after.signed):
        raise BoardError("an update and a root", "Compare two of one kind.")
    rows: list[tuple[Cell, ...]] = [("line", line) for line in lines]
    for path, old, new in found:
        told = f"{old or 0:7,} -> {new or 0:7,}  {path}"
        rows.append(("module", told + (" is new" if old is None else " is gone" if new is None else "")))
    value = {"lines": lines, "modules": [{"path": path, "before": a, "after": b} for path, a, b in found]}
    return value, rows or [("nothing differs",)]
