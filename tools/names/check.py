"""Looks for names that a board has not: modules, what is in them, built-in names, methods.

mypy with the stubs lets through what CPython has (`os.replace`, `TimeoutError`, `str.casefold`); this
compares with what a board said of itself.
"""

import ast
import json
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

STOCK = Path(__file__).with_name("stock-1.25.json")
VERSION = "1.25"

_SPECIAL = {"__name__", "__file__", "__class__", "__init__", "__dict__", "__module__", "__doc__"}
# Attributes of instances, which dir() of their class does not show: of exceptions, tasks, generators, ranges,
# sys.implementation; and of firmware/update_root.py, which not every product has.
_HIDDEN = {
    "_machine",
    "_mpy",
    "ROOT",
    "args",
    "errno",
    "value",
    "cancel",
    "done",
    "coro",
    "data",
    "send",
    "throw",
    "close",
    "start",
    "step",
}
_LITERALS: dict[type, str] = {str: "str", bytes: "bytes", int: "int", float: "float"}

Names = dict[str, Any]


@dataclass(frozen=True, order=True)
class Missing:
    """A name that is not there."""

    file: str
    line: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}: {self.reason}"


@cache
def stock() -> dict[str, Names]:
    """Every module of the stock image, with its names; a class's name has those of its attributes."""
    recorded = json.loads(STOCK.read_bytes())
    modules: dict[str, Names] = recorded["modules"]
    aliases = {f"u{name}": modules[name] for name in recorded["aliases"] if name in modules}
    packages: dict[str, Names] = {}
    for name in modules:
        package, _, inner = name.rpartition(".")
        if package:
            packages.setdefault(package, dict(modules.get(package, {})))[inner] = 0
    return modules | aliases | packages


@dataclass
class Module:
    """A file that was parsed."""

    name: str
    path: str
    source: str
    tree: ast.Module
    imported: dict[str, str] = field(default_factory=dict)  # a name that is bound, and the stock module it is


def check(files: dict[str, Path], beside: dict[str, Path]) -> list[Missing]:
    """What of the names that `files` use is neither on the board nor in `files` nor in `beside`.

    Args:
        files: paths by the names of their modules.
        beside: other modules that will be on the board, which are not checked themselves.
    """
    modules = [_parsed(name, path) for name, path in files.items()]
    others = [_parsed(name, path) for name, path in beside.items()]
    defined = _attributes([*modules, *others])
    own = {module.name: _top_names(module.tree) for module in [*modules, *others]}
    for name in list(own):
        package, _, inner = name.rpartition(".")
        while package:
            own.setdefault(package, set()).add(inner)
            package, _, inner = package.rpartition(".")
    found = {missing for module in modules for missing in _missing(module, own, defined)}
    return sorted(found)


def _parsed(name: str, path: Path) -> Module:
    source = path.read_text("utf-8")
    return Module(name, str(path), source, ast.parse(source, str(path)))


def _missing(module: Module, own: dict[str, set[str]], defined: set[str]) -> Iterator[Missing]:
    for line, name, reason in (
        *_imports(module, own),
        *_of_modules(module),
        *_builtins(module),
        *_methods(module, defined),
    ):
        yield Missing(module.path, line, name, reason)


_Found = Iterator[tuple[int, str, str]]


def _imports(module: Module, own: dict[str, set[str]]) -> _Found:
    known = stock()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in known:
                    module.imported[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
                elif alias.name not in own:
                    yield node.lineno, alias.name, "no module of the stock image, nor one of these files"
        elif isinstance(node, ast.ImportFrom):
            package = module.name.split(".")[: -node.level] if node.level else []
            name = ".".join([*package, *([node.module] if node.module else [])])
            if name not in known and name not in own and name:
                yield node.lineno, name, "no module of the stock image, nor one of these files"
                continue
            for alias in node.names:
                if alias.name == "*":
                    continue
                if alias.name not in own.get(name, known.get(name, ())):
                    yield node.lineno, f"{name}.{alias.name}", f"not in {name}"
                elif name in known and name not in own and f"{name}.{alias.name}" in known:
                    module.imported[alias.asname or alias.name] = f"{name}.{alias.name}"


def _of_modules(module: Module) -> _Found:
    """`module.name` and `module.Class.name` of stock modules, under names that stand for nothing else."""
    known = stock()
    rebound = {
        node.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    } | {node.arg for node in ast.walk(module.tree) if isinstance(node, ast.arg)}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Attribute):
            continue
        path = ast.unparse(node).split(".") if _is_path(node) else []
        if len(path) < 2 or path[0] not in module.imported or path[0] in rebound:
            continue
        name = module.imported[path[0]]
        names: Any = known[name]
        for step in path[1:]:
            if f"{name}.{step}" in known:
                names = known[f"{name}.{step}"]
            elif step.startswith("__") or step in _HIDDEN:
                break
            elif step not in names:
                yield node.lineno, f"{name}.{step}", f"not in {name} on a board with MicroPython {VERSION}"
                break
            else:
                names = names[step] if isinstance(names, dict) else 0
                if not names:
                    break
            name = f"{name}.{step}"


def _is_path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _builtins(module: Module) -> _Found:
    """Global names that nothing in the file defines."""
    table = symtable.symtable(module.source, module.path, "exec")
    top = {
        symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()
    }
    wanted = {symbol for one in _tables(table) for symbol in _globals(one, one is table)}
    unknown = wanted - top - set(stock()["builtins"]) - _SPECIAL
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id in unknown:
            yield node.lineno, node.id, f"no built-in name of MicroPython {VERSION}, nor defined here"


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _globals(table: symtable.SymbolTable, is_top: bool) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or is_top):
            yield symbol.get_name()


def _methods(module: Module, defined: set[str]) -> _Found:
    """Attributes that nothing on the board has, nor anything in these files."""
    builtins = stock()["builtins"]
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Attribute) or node.attr.startswith("__"):
            continue
        kind = _kind(node.value)
        if kind:
            if node.attr not in builtins[kind]:
                yield node.lineno, f"{kind}.{node.attr}", f"not in MicroPython {VERSION}"
        elif node.attr not in defined:
            yield (
                node.lineno,
                node.attr,
                f"nothing on a board with MicroPython {VERSION} or in these files has it",
            )


def _kind(node: ast.expr) -> str | None:
    """The built-in type of a literal."""
    match node:
        case ast.Constant(value=value):
            return _LITERALS.get(type(value))
        case ast.JoinedStr():
            return "str"
        case ast.Dict():
            return "dict"
        case ast.List() | ast.ListComp():
            return "list"
    return None


def _attributes(modules: list[Module]) -> set[str]:
    """Every name that is an attribute of something: on the board, or by these files."""
    found = set(_HIDDEN)
    for names in stock().values():
        found.update(names)
        for attributes in names.values():
            found.update(attributes or ())
    for module in modules:
        for node in ast.walk(module.tree):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    found.add(name)
                case ast.alias(name=name, asname=asname):
                    found.update((asname or name).split("."))
        found.update(module.name.split("."))
    return found


def _top_names(tree: ast.Module) -> set[str]:
    """What a module's importers find in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name.partition(".")[0])
    return names
