"""What is in the file that devices get, and in what two of them differ."""

import difflib
from collections.abc import Iterator

from tools.board import pack
from tools.board.errors import BoardError


def modules(content: bytes) -> dict[str, bytes]:
    """The modules of a pack, as the device loads them, by their paths in it; none where it is no pack.

    Raises BoardError where one is damaged.
    """
    places = pack.places(lambda start, size: content[start : start + size], len(content))
    stored = {path: content[one.start : one.start + one.size] for path, one in places.items()}
    dictionary = pack.unblocked(stored.get(pack.DICTIONARY, b""))
    found = {}
    for path, data in stored.items():
        try:
            found[path] = pack.inflated(data, dictionary) if places[path].is_deflated else data
        except ValueError as error:
            raise BoardError(f"{path}: damaged in the pack: {error}", "Build it anew.") from None
    for path in (pack.DICTIONARY, pack.CONTENTS):
        found.pop(path, None)
    return found


def changes(
    before: dict[str, bytes], after: dict[str, bytes]
) -> Iterator[tuple[str, int | None, int | None]]:
    """The modules in which two packs differ, each with its bytes in both; None where it is not there."""
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one != other:
            yield path, None if one is None else len(one), None if other is None else len(other)


def line_changes(before: bytes, after: bytes) -> list[str]:
    """The lines in which two manifests or roots differ, behind `-` or `+`."""
    lines = difflib.unified_diff(before.decode().splitlines(), after.decode().splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
