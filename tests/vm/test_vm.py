"""The dual tests (tests/unit/test_*.py) in real MicroPython: the VM from npm, and a unix port if present."""

import ast
import fcntl
import hashlib
import json
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
FOLDERS = {ROOT / "lib": "/lib", ROOT / "firmware": "/firmware", UNIT: "/unit", VM / "shims": "/vm"}
SAMPLE = """
import asyncio

async def fail():
    raise ValueError("pear")

async def test_good():
    await asyncio.sleep_ms(1)

async def test_bad():
    await asyncio.wait_for_ms(fail(), 1000)

async def test_bad_in_a_task_that_nobody_awaits():
    asyncio.create_task(fail())
    await asyncio.sleep_ms(1)
"""
# The oldest that is promised, and the newest: what changes between them is to be avoided.
VERSIONS = ("1.25", "1.29")
TIMEOUT_S = 600  # for one file; a single test has 200 s, see dual.py


def names_in(file: Path) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = (node.name for node in ast.parse(file.read_text()).body if isinstance(node, kinds))
    return [name for name in names if name.startswith("test_")]


CASES = [(file.stem, test) for file in sorted(UNIT.glob("test_*.py")) for test in names_in(file)]
dual = pytest.mark.parametrize(("file", "test"), CASES, ids=[f"{file}::{test}" for file, test in CASES])


@pytest.mark.parametrize("version", VERSIONS)
@dual
@pytest.mark.timeout(TIMEOUT_S)
def test_in_webassembly_vm(file: str, test: str, version: str, kept: Path) -> None:
    check(test, run_once(file, vm_command(file, FOLDERS, version), kept))


def test_the_vms_are_of_the_versions_they_are_called_by() -> None:
    for version in VERSIONS:
        package = json.loads((VM / f"node_modules/micropython-{version}/package.json").read_text())
        assert package["version"].startswith(f"{version}.")


@pytest.mark.timeout(TIMEOUT_S)
def test_tells_what_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SAMPLE)
    parts, output = run("test_it", vm_command("test_it", {tmp_path: "/unit"}, VERSIONS[0]))
    assert parts["test_good"].startswith("PASSED")
    assert "ValueError: pear" in parts["test_bad"]
    assert "ValueError: pear" in parts["test_bad_in_a_task_that_nobody_awaits"]
    assert output.endswith("1 passed, 2 failed\n")


@dual
@pytest.mark.micropython
@pytest.mark.timeout(TIMEOUT_S)
def test_on_unix_port(file: str, test: str, kept: Path) -> None:
    program = f"import asyncio, sys, dual; sys.exit(asyncio.run(dual.main([{file!r}])))"
    check(test, run_once(file, (os.environ["MICROPYTHON"], "-X", "heapsize=1m", "-c", program), kept))


def vm_command(file: str, folders: dict[Path, str], version: str) -> tuple[str, ...]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (VM / "node_modules/ready").exists():
        pytest.skip("the MicroPython VM is not installed: make setup, with npm on the PATH")
    copied = [f"{folder}={target}" for folder, target in folders.items()]
    return (node, str(VM / "run.mjs"), str(VM / "dual.py"), f"--vm={version}", *copied, "--", file)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for this run of the tests, the same for all workers of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "vm"
    folder.mkdir(exist_ok=True)
    return folder


@cache
def run_once(file: str, command: tuple[str, ...], kept: Path) -> tuple[dict[str, str], str]:
    """`run`, by the first worker that comes: the others wait for what it says, and read that."""
    name = hashlib.sha256(repr(command).encode()).hexdigest()
    with (kept / name).open("a+") as result:
        fcntl.flock(result, fcntl.LOCK_EX)
        result.seek(0)
        if not (outcome := result.read()):
            outcome = json.dumps(run(file, command))
            result.write(outcome)
    parts, output = json.loads(outcome)
    return parts, output


def run(file: str, command: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """Run all tests of a file at once; return each test's part of what was printed, and all of it."""
    path = ":".join(str(folder) for folder in (ROOT, ".frozen", ROOT / "lib", UNIT, VM))
    environment = {**os.environ, "MICROPYPATH": path}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S - 10)
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0] + f"killed after {TIMEOUT_S - 10} s\n"
    parts = re.split(rf"^(?=PASSED {file}::|FAILED {file}::)", output, flags=re.MULTILINE)[1:]
    return {part.split(maxsplit=2)[1].removeprefix(f"{file}::"): part for part in parts}, output


def check(test: str, outcome: tuple[dict[str, str], str]) -> None:
    parts, output = outcome
    part = parts.get(test, f"{test} was not run:\n{output}")
    if not part.startswith("PASSED"):
        pytest.fail(part, pytrace=False)
