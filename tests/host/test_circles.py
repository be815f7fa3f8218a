"""The tools: no module imports another that leads back to it, not even for its types alone."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIMS = "tools.sim.shims."  # on a simulated chip's path: they import each other by bare names


def sources() -> dict[str, str]:
    """All Python of the tools, by its module's name."""
    return {module_name(file): file.read_text() for file in (ROOT / "tools").rglob("*.py")}


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def circle(modules: dict[str, str]) -> list[str]:
    """The modules along one circle of imports, the first again at the end; none where there is no circle."""
    names = {name.removesuffix(".__init__") for name in modules}
    graph = {}
    for name, source in modules.items():
        module = name.removesuffix(".__init__")
        graph[module] = {imported for imported in imports(name, source, names) if imported != module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))  # it goes from what is imported to who imports it
    return []


def imports(name: str, source: str, names: set[str]) -> Iterator[str]:
    """Which of `names` a module imports, wherever in it the import stands.

    A package that only leads to an imported module does not count: its own lines are about its modules.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = name.split(".")[: -node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            wanted = [(base, "." + alias.name) for alias in node.names]
        else:
            continue
        for module, inner in wanted:
            for prefix in ("", SHIMS, SHIMS + "radio.") if name.startswith(SHIMS) else ("",):
                found = [one for one in (prefix + module + inner, prefix + module) if one in names]
                yield from found[:1]


def test_there_is_no_circle() -> None:
    found = circle(sources())
    assert not found, " imports ".join(found)


TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import B"


@pytest.mark.parametrize(
    ("modules", "found"),
    [
        ({"tools.a": "import tools.b", "tools.b": "import tools.c", "tools.c": "import json"}, []),
        ({"tools.a": "import tools.b", "tools.b": "import tools.a"}, ["tools.a", "tools.b", "tools.a"]),
        ({"tools.r.a": TYPES, "tools.r.b": "from . import a"}, ["tools.r.a", "tools.r.b", "tools.r.a"]),
        (
            {"tools.a": "import tools.b", "tools.b": "import tools.c", "tools.c": "def f(): import tools.a"},
            ["tools.a", "tools.b", "tools.c", "tools.a"],
        ),
        (
            {"tools.r.__init__": "from .a import A", "tools.r.a": "from tools.r import A"},
            ["tools.r", "tools.r.a", "tools.r"],
        ),
        ({"tools.r.__init__": "from .a import A", "tools.r.a": "", "tools.r.b": "from . import a"}, []),
        ({SHIMS + "time": "import time, _irq", SHIMS + "_irq": ""}, []),
        (
            {SHIMS + "time": "import _irq", SHIMS + "_irq": "import time"},
            [SHIMS + "time", SHIMS + "_irq", SHIMS + "time"],
        ),
    ],
)
def test_the_check_finds(modules: dict[str, str], found: list[str]) -> None:
    path = circle(modules)
    assert sorted(set(path)) == sorted(set(found))
    turned = path.index(found[0]) if path else 0  # a circle begins anywhere
    assert path[turned:] + path[1 : turned + 1] == found
