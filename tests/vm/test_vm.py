"""The dual tests (tests/unit/test_*.py) in real MicroPython: the VM from npm, and a unix port if present."""

import ast
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests/unit"
VM = ROOT / "tests/vm"
FOLDERS = {ROOT / "lib": "/lib", ROOT / "firmware": "/firmware", UNIT: "/unit"}
TIMEOUT_S = 300  # for one file; a single test has 20 s, see dual.py


def names_in(file: Path) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = (node.name for node in ast.parse(file.read_text()).body if isinstance(node, kinds))
    return [name for name in names if name.startswith("test_")]


CASES = [(file.stem, test) for file in sorted(UNIT.glob("test_*.py")) for test in names_in(file)]
dual = pytest.mark.parametrize(("file", "test"), CASES, ids=[f"{file}::{test}" for file, test in CASES])


@dual
@pytest.mark.timeout(TIMEOUT_S)
def test_in_webassembly_vm(file: str, test: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (VM / "node_modules/@micropython").is_dir():
        pytest.skip("the MicroPython VM is not installed: make setup, with npm on the PATH")
    folders = [f"{folder}={target}" for folder, target in FOLDERS.items() if folder.is_dir()]
    check(test, run(file, (node, str(VM / "run.mjs"), str(VM / "dual.py"), *folders, "--", file)))


@dual
@pytest.mark.micropython
@pytest.mark.timeout(TIMEOUT_S)
def test_on_unix_port(file: str, test: str) -> None:
    program = f"import asyncio, sys, dual; sys.exit(asyncio.run(dual.main([{file!r}])))"
    check(test, run(file, (os.environ["MICROPYTHON"], "-X", "heapsize=512k", "-c", program)))


@cache
def run(file: str, command: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """Run all tests of a file at once; return each test's part of what was printed, and all of it."""
    path = ":".join(str(folder) for folder in (ROOT, ".frozen", ROOT / "lib", UNIT, VM))
    result = subprocess.run(
        command,
        env={**os.environ, "MICROPYPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S - 10,
        check=False,
    )
    parts = re.split(rf"^(?=PASSED {file}::|FAILED {file}::)", result.stdout, flags=re.MULTILINE)[1:]
    return {part.split(maxsplit=2)[1].removeprefix(f"{file}::"): part for part in parts}, result.stdout


def check(test: str, outcome: tuple[dict[str, str], str]) -> None:
    parts, output = outcome
    part = parts.get(test, f"{test} was not run:\n{output}")
    if not part.startswith("PASSED"):
        pytest.fail(part, pytrace=False)
