"""No test waits for something with a deadline that a machine under load passes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

TESTS = Path(__file__).parents[1]
# The place of the deadline among the arguments of what waits.
WAITS = {"timeout": 0, "wait_for": 1, "expect": 1, "ended": 0, "power_lost": 0, "until": 2, "communicate": 1}
KEYWORDS = ("timeout", "timeout_s")
SUBJECTS = (*WAITS, "run", "wait", "scan", "connect")


def hasty(source: str) -> Iterator[int]:
    """The lines of deadlines that are too short, told by a number or a constant of the module.

    One that is to pass stands in a `raises`.
    """
    tree = ast.parse(source)
    constants = {
        ast.unparse(line.targets[0]): line.value for line in tree.body if isinstance(line, ast.Assign)
    }
    expected = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.With | ast.AsyncWith)
        and any("raises(" in ast.unparse(item.context_expr) for item in block.items)
        for node in ast.walk(block)
    }
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or id(call) in expected:
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in SUBJECTS:
            place = WAITS.get(name, len(call.args))
            deadlines = [*call.args[place : place + 1]]
            deadlines += [keyword.value for keyword in call.keywords if keyword.arg in KEYWORDS]
            for deadline in deadlines:
                known = constants.get(ast.unparse(deadline), deadline)
                value = known.value if isinstance(known, ast.Constant) else None
                if isinstance(value, int | float) and value < PATIENCE_S:
                    yield call.lineno


@pytest.mark.parametrize("folder", ["host", "peers", "system", "vm"])
def test_deadlines_are_for_hangs(folder: str) -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted((TESTS / folder).rglob("*.py"))
        if "node_modules" not in path.parts
        for line in hasty(path.read_text("utf-8"))
    ]
    assert not found, f"less than PATIENCE_S of tests/patience.py: {', '.join(found)}"


@pytest.mark.parametrize(
    "source",
    [
        "async with asyncio.timeout(20): pass",
        "await asyncio.wait_for(anext(packets), 5.0)",
        "await device.expect(r'mode NORMAL', 60)",
        "await phone.scan(timeout_s=2)",
        "subprocess.run(command, timeout=60)",
        "@pytest.mark.timeout(120)\ndef test(): pass",
        "SOON_S = 20\nasyncio.timeout(SOON_S)",
    ],
)
def test_what_is_found(source: str) -> None:
    assert len(list(hasty(source))) == 1


def test_what_is_to_run_out_may_do_so_at_once() -> None:
    source = "with pytest.raises(TimeoutError):\n    await phone.scan(timeout_s=2)"
    assert not list(hasty(source))
