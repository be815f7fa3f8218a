"""Takes out of compiled modules the names of parameters that nobody passes by name.

MicroPython interns every name in an .mpy, for ever, and has those of parameters only for calls by name: some
forty in all, and 0.7 KB. Whoever interns the 621st name on a chip takes 4.5 KB more.
"""

import ast
import builtins
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools import application

from .mpy import NOBODY, renamed
from .parsing import parse

ROOT = Path(__file__).resolve().parents[2]
# Modules that an application calls: of those all parameters keep their names.
_CALLED = ("thing", "storage/user_bytes", "events", "log", "ble/packets")
# Of these it does so with a part of the methods: what they are passed.
_PASSED = {"topic", "payload", "qos", "retain", "topic_filter", "depth", "timeout_ms"}


def without_names(module: bytes, source: bytes) -> bytes:
    """A compiled module of the library's, its parameters nameless where that makes no difference.

    Args:
        module: an .mpy of version 6.
        source: what it was compiled from.
    """
    names = _parameters_alone(parse(source)) - passed_by_name()
    return renamed(module, {name.encode(): NOBODY for name in names})


def _parameters_alone(tree: ast.Module) -> set[str]:
    """Names of a module that are parameters' and nothing else's."""
    parameters = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return parameters - set(_other_names(tree)) - set(_global_names(tree)) - set(dir(builtins))


def _other_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield from (node.asname or node.name).split(".") + node.name.split(".")
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from node.module.split(".")
        elif isinstance(node, ast.Global):
            yield from node.names


def _global_names(tree: ast.Module) -> Iterator[str]:
    """Names that are read or bound outside of every function, where they are attributes."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            yield node.id
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.Lambda):
            waiting += node.args.defaults
        else:
            waiting += ast.iter_child_nodes(node)


@cache
def passed_by_name() -> set[str]:
    """Names by which a call in the device's code passes something, or an application may."""
    names = set(_PASSED)
    firmware = (file for file in application.files(application.folder(ROOT)) if file.suffix == ".py")
    for file in [*(ROOT / "lib").rglob("*.py"), *firmware, ROOT / "main.py"]:
        for node in ast.walk(parse(file.read_bytes())):
            if isinstance(node, ast.keyword) and node.arg:
                names.add(node.arg)
    for called in _CALLED:
        for node in ast.walk(parse((ROOT / f"lib/iot/{called}.py").read_bytes())):
            if isinstance(node, ast.arg):
                names.add(node.arg)
    return names
