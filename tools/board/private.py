"""Gives the library's private names, which no other module knows, names that MicroPython has in ROM anyway.

MicroPython interns every other name in an .mpy, for ever, and takes 4.5 KB for the 621st on a chip. Some
seven hundred private names cost nothing so, and an .mpy has a number for each. Tracebacks then tell of a
function `KeyError`: tools.board.tracebacks gives its name back, as ESP-IDF's monitor does with addresses.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools import application

from .mpy import renamed, table
from .parsing import parse

ROOT = Path(__file__).resolve().parents[2]
# Names that have a number in each .mpy of version 6, by the first's (MicroPython's py/makeqstrdata.py,
# static_qstr_list). Nothing looks for them in an object of ours; and where a module has the word, it keeps
# its meaning there.
_IN_ROM = {
    30: "ArithmeticError AssertionError AttributeError BaseException EOFError Ellipsis Exception "
    "GeneratorExit ImportError IndentationError IndexError KeyError KeyboardInterrupt LookupError "
    "MemoryError NameError NoneType NotImplementedError OSError OverflowError RuntimeError StopIteration "
    "SyntaxError SystemExit "
    "TypeError ValueError ZeroDivisionError abs all any",
    67: "callable chr classmethod",
    76: "dir divmod",
    80: "eval exec",
    88: "globals",
    110: "locals",
    122: "pow",
}
_NUMBERS = {
    name.encode(): first + place
    for first, names in _IN_ROM.items()
    for place, name in enumerate(names.split())
}


def in_rom(module: bytes, source: bytes) -> bytes:
    """A compiled module of the library's, its private names in ROM.

    Args:
        module: an .mpy of version 6.
        source: what it was compiled from.
    """
    return renamed(module, {own: _NUMBERS[name] for own, name in rom_names(module, source).items()})


def rom_names(module: bytes, source: bytes) -> dict[bytes, bytes]:
    """By private names of the module, in its table's order, those in ROM: of which there may be too few."""
    tree = parse(source)
    own = {name.encode() for name in _private(tree) - known_elsewhere() - set(_shared(tree))}
    words = set(re.findall(rb"\w+", source))
    free = (name for name in _NUMBERS if name not in words)
    return dict(zip((name for name in table(module) if name in own), free, strict=False))


def _private(tree: ast.Module) -> set[str]:
    return {name for name in given(tree) if _is_private(name)}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def given(tree: ast.Module) -> Iterator[str]:
    """Names that a module gives: to functions, classes, globals, attributes of its own objects."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr


@cache
def known_elsewhere() -> frozenset[str]:
    """Private names that another module may mean, of any module: they stay in all."""
    files = [
        *(ROOT / "lib").rglob("*.py"),
        *(file for file in application.files(application.folder(ROOT)) if file.suffix == ".py"),
        ROOT / "main.py",
        ROOT / "boot.py",
    ]
    return frozenset(
        name for file in files for name in _shared(parse(file.read_bytes())) if _is_private(name)
    )


def _shared(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.alias):
            yield from (*node.name.split("."), *(node.asname or "").split("."))
        elif isinstance(node, ast.ClassDef):
            yield from _inherited(node, tree)


def _inherited(node: ast.ClassDef, tree: ast.Module) -> Iterator[str]:
    """All of a class whose base is of another module: the two share their objects' names."""
    own = {other.name for other in ast.walk(tree) if isinstance(other, ast.ClassDef)}
    own |= {"Exception", "OSError", "ValueError"}
    if all(isinstance(base, ast.Name) and base.id in own for base in node.bases):
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            yield inner.name
