"""Has texts that several modules of the library keep in memory, kept once: as names.

MicroPython makes an object of its own for each text of more than ten characters in a module, of 32 bytes at
the least; names it keeps once, and without. A module's name becomes one anyway once the module is borrowed.
Names stay for ever: so this is for texts of modules that stay in NORMAL.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache

from .parsing import parse
from .start import TOUCHED, actions, modes, source

_SHORT, _LONG = 10, 127  # characters: of shorter ones mpy-cross makes names itself


def marked(text: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """A module's source with a short mark for each such text, and the names that are to take their place."""
    marks: dict[str, bytes] = {}
    lines = text.splitlines(keepends=True)
    places = [
        (node.lineno - 1, node.col_offset, node.end_col_offset, own) for node, own in _texts(parse(text))
    ]
    for line, start, end, own in sorted(places, reverse=True):  # so that none moves another
        if own in kept_once():
            mark = marks.setdefault(own, b"@%d" % len(marks))
            lines[line] = lines[line][:start] + b'"%b"' % mark + lines[line][end:]
    return b"".join(lines), {mark: own.encode() for own, mark in marks.items()}


@cache
def kept_once() -> frozenset[str]:
    """Texts of the modules that stay in NORMAL: names of modules, and what two of them have."""
    touched = [name for verb, names in actions(TOUCHED) if verb == "keep" for name in names]
    files = filter(None, map(source, (*modes.staying(modes.NORMAL), *touched)))
    there = Counter(own for file in files for own in {own for _, own in _texts(parse(file.read_bytes()))})
    return frozenset(own for own, count in there.items() if count > 1 or _is_module(own))


def _is_module(text: str) -> bool:
    return text.startswith("iot.") and source(text) is not None


def _texts(tree: ast.Module) -> Iterator[tuple[ast.Constant, str]]:
    """Long ones, each in one line, but for docstrings."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if node.lineno == node.end_lineno and id(node) not in docs:
                if _SHORT < len(text) <= _LONG:
                    yield node, text
