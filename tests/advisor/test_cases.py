"""The table of Device Advisor's cases is what is tested."""

import ast
import re
from pathlib import Path

from tests.advisor.cases import CASES, table

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs/device-advisor.md").read_text("utf-8")


def _tests() -> set[str]:
    """The cases' ids in lower case, by the names of the tests."""
    names: set[str] = set()
    for module in ("test_tls", "test_mqtt", "test_services"):
        tree = ast.parse((HERE / f"{module}.py").read_text("utf-8"))
        names |= {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
    return {name.removeprefix("test_").replace("_", "") for name in names if name.startswith("test_")}


def test_each_case_has_its_test_and_each_test_its_case() -> None:
    assert {name.lower().replace("_", "") for name in CASES} == _tests()


def test_the_page_shows_them() -> None:
    assert table() in PAGE, f"docs/device-advisor.md: put this there:\n{table()}"
    assert re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE) == list(CASES)
