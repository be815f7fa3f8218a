"""Makes the library's private names, which no other module knows, short: `_0`, `_1` … in each module anew.

MicroPython interns every name in an .mpy, for ever, once for all modules that have it. Some two hundred
private names become some thirty, and the heap keeps the 4.5 KB that the 621st name on a chip would take.
Tracebacks then tell of a function `_7`: tools.board.tracebacks gives it back, as ESP-IDF's monitor does with
addresses.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools import application

from .parameters import renamed, table

ROOT = Path(__file__).resolve().parents[2]
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def shortened(module: bytes, source: bytes) -> bytes:
    """A compiled module of the library's, its private names short.

    Args:
        module: an .mpy of version 6.
        source: what it was compiled from.
    """
    return renamed(module, short_names(module, source))


def short_names(module: bytes, source: bytes) -> dict[bytes, bytes]:
    """By each private name of the module, in the order of its table, the short one."""
    tree = ast.parse(source)
    own = {name.encode() for name in _defined(tree) - known_elsewhere() - set(_shared(tree))}
    there = table(module)
    short = (f"_{digit}".encode() for digit in _DIGITS)
    free = (name for name in short if name not in there)
    return {name: next(free) for name in there if name in own}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and len(name) > len("_0")


def _defined(tree: ast.Module) -> set[str]:
    """Private names that a module gives: to functions, globals, attributes of its own objects."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return {name for name in found if _is_private(name)}


@cache
def known_elsewhere() -> frozenset[str]:
    """Private names that another module may mean, of any module: they stay in all."""
    files = [
        *(ROOT / "lib").rglob("*.py"),
        *(application.folder(ROOT) / "firmware").rglob("*.py"),
        ROOT / "main.py",
        ROOT / "boot.py",
    ]
    return frozenset(
        name for file in files for name in _shared(ast.parse(file.read_bytes())) if _is_private(name)
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
