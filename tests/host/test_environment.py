"""`python3 -m tools …` as it is printed: with whatever Python, it goes on in the virtual environment."""

import ast
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools import environment

ROOT = Path(__file__).parents[2]
OUTSIDE = Path(sys._base_executable)  # type: ignore[attr-defined]
PRINTED = [
    *(ROOT / "tools").rglob("*.py"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "tools/phone/page").glob("*.*"),
    ROOT / "README.md",
]


def run(
    folder: Path, *arguments: str, python: Path = OUTSIDE, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "tools", *arguments]
    variables = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What of a checkout runs before any package is there."""
    (tmp_path / "tools").mkdir()
    for name in ("__init__.py", "__main__.py", "environment.py", "run.py", "timeline.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools" / name)
    return tmp_path


def test_outside_of_the_environment_it_goes_on_in_there() -> None:
    done = run(ROOT, "names", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python3 -m tools names ")
    done = run(ROOT, "deploy", "/no/such/port", "--no-packages")  # a verb that needs packages, and a status
    assert done.returncode == 1 and "/no/such/port: no such port" in done.stderr


def test_without_the_environment_it_names_the_command_that_makes_it(checkout: Path) -> None:
    done = run(checkout, "run", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"run: Python's package rich is missing; .*: make setup\n", done.stderr)


def test_an_environment_without_the_packages(checkout: Path) -> None:
    venv.create(checkout / ".venv", symlinks=True)
    done = run(checkout, "run", "--once")
    assert done.returncode == 1 and "make setup" in done.stderr and "Traceback" not in done.stderr


def test_an_environment_whose_python_is_gone(checkout: Path) -> None:
    venv.create(checkout / ".venv", symlinks=True)
    python = checkout / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/no/such/python")
    done = run(checkout, "run", "--once")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"{python} does not start: No such file or directory; delete " in done.stderr


def test_no_python_starts_another_for_ever(checkout: Path) -> None:
    """PYTHONHOME, where it is set, has every Python believe that it is another environment's."""
    venv.create(checkout / ".venv", symlinks=True)
    done = run(checkout, "run", "--once", PYTHONHOME=sys.base_prefix)
    assert done.returncode == 1 and "make setup" in done.stderr


def test_what_runs_outside_is_readable_for_an_old_python() -> None:
    for name in ("__main__.py", "environment.py"):
        ast.parse((ROOT / "tools" / name).read_text("utf-8"), feature_version=(3, 7))


def test_a_module_of_the_system_that_is_not_there() -> None:
    assert environment.explain_missing("cloud", "fcntl") == (
        "cloud: does not run on this system, whose Python has no fcntl"
    )
    assert environment.explain_missing("cloud", "tools.nowhere") == ""


def test_every_printed_command_is_one_that_runs_as_it_stands() -> None:
    """Debian has no `python`, and who reads has no environment entered."""
    wrong = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in PRINTED
        if path.is_file()
        for line in path.read_text("utf-8", errors="replace").splitlines()
        if re.search(r"\bpython -m|\.venv/bin/python3? -m tools(?!\.)|\bpy(thon)? tools/", line)
        and not line.startswith("on Windows:")
        and not re.search(r"tools\.board\.(files|shared)\b", line)
    ]
    assert wrong == []
