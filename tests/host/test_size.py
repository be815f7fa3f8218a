"""`make size`: the start is measured as it is, and what does not fit is told."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools import size, start_size
from tools.start_size import HEAP_BYTES, STEPS, VM, Memory, _failure

ROOT = Path(__file__).resolve().parents[2]
# A start without a certificate, into CONFIG, or with a configuration of the product's own takes these, too.
OTHER_STARTS = {"iot.aws.provisioning", "iot.aws.claim", "iot.ble.config_mode", "iot.config"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[size.Measured]:
    """In a folder of its own: tests run side by side."""
    if shutil.which("node") is None or not (VM / "node_modules/ready").exists():
        pytest.skip("the MicroPython VM is not installed: make setup, with npm on the PATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(size, "BUILD", tmp_path_factory.mktemp("mpy"))
        yield size.measure()


def transitions() -> set[str]:
    """Every module that iot.transitions imports, wherever."""
    tree = ast.parse((ROOT / "lib/iot/transitions.py").read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "iot":
            found |= {f"iot.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("iot."):
            found.add(str(node.module))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "load":
            found |= {ast.literal_eval(argument) for argument in node.args}
    return found


def test_the_steps_are_those_of_the_device(measured: size.Measured) -> None:
    plan = start_size.plan(list(measured.sizes), size.needs(size.device_files()))
    loaded = [name for _, loads, _ in plan for name in loads]
    gone = {name for _, _, names in plan for name in names}
    assert transitions() - OTHER_STARTS <= set(loaded)
    assert size.forgotten() & set(loaded) == gone
    assert [name for name in loaded if name not in gone] == list(
        dict.fromkeys(name for name in loaded if name not in gone)
    ), "what stays is loaded once"


def test_a_start_fits_into_the_chip_s_heap(measured: size.Measured) -> None:
    assert measured.starts
    for start in measured.starts:
        assert start.failure is None
        assert [step.step for step in start.steps] == [name for name, _, _ in STEPS]
        assert all(step.total == start.steps[0].total for step in start.steps)
        assert all(0 < step.piece <= step.free for step in start.steps)


@pytest.mark.parametrize("heap_bytes", [48 * 1024, 24 * 1024])
def test_a_heap_that_is_too_small_is_told(measured: size.Measured, heap_bytes: int) -> None:
    plan = start_size.plan(list(measured.sizes), size.needs(size.device_files()))
    for start in start_size.measure(plan, size.BUILD, measured.heap, heap_bytes):
        assert start.failure
        step, _, why = start.failure.partition(": ")
        assert step in [name for name, _, _ in STEPS]
        assert why.startswith(("the heap had to grow by ", "memory allocation failed"))
        assert "; the heaviest by then: iot." in why


def test_what_does_not_fit_before_the_heap_has_grown() -> None:
    before = Memory("INIT", 90_000, 58_000, 32_000, 9_000)
    assert _failure([before], "", 1, 57_344) == (
        "INIT: 58000 bytes are in use, the heap has 57344 until NORMAL"
    )
    after = Memory("NORMAL", 90_000, 58_000, 32_000, 9_000)
    assert _failure([after], "", 1, 57_344) is None


def test_the_exit_status(measured: size.Measured, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(size, "measure", lambda: measured)
    arguments = size.argparse.Namespace(json=False)
    assert size.main(arguments) == 0
    assert "a start in the VM, 94208 bytes" in capsys.readouterr().out and HEAP_BYTES == 94208
    measured.starts.append(start_size.Start("a chip", [], "INIT: too much"))
    try:
        assert size.main(arguments) == 1
        assert capsys.readouterr().err == "a chip: INIT: too much\n"
    finally:
        measured.starts.pop()


def test_over_budget_a_program_is_told_too(
    measured: size.Measured, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(size, "measure", lambda: measured)
    monkeypatch.setattr(size, "BUDGET_BYTES", size.library(measured.sizes) - 7)
    assert size.main(size.argparse.Namespace(json=True)) == 1
    told = capsys.readouterr()
    numbers = json.loads(told.out)
    assert numbers["ok"] is False and numbers["text"] == "Over budget by 7 bytes" == told.err.strip()


def test_as_json() -> None:
    command = [sys.executable, "-m", "tools", "size", "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    numbers = json.loads(result.stdout)
    assert numbers["ok"] and numbers["library"] <= numbers["budget"] and numbers["mpy"]["iot.system"] > 1000
    for start in numbers["boot"].values():
        assert start["failure"] is None and start["steps"][-1]["free"] > 0
