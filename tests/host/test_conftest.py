"""What tests/conftest.py sees to: nothing skips in CI, what hangs is ended, a failure is told at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
SKIPS = {
    "by a mark": "import pytest\n@pytest.mark.skipif(True, reason='no cat')\ndef test(): pass",
    "inside": "import pytest\ndef test(): pytest.skip('no cat')",
    "as a module": "import pytest\npytest.skip('no cat', allow_module_level=True)",
}
HANGS = {
    "in the test": "def test_hangs():\n    try: Event().wait()\n    finally: Event().wait()\n",
    "behind a failure": "@pytest.fixture\ndef stuck():\n    yield\n    Event().wait()\n"
    "def test_hangs(stuck): assert 0, 'pear'\n",
}


def run_pytest(source: str, folder: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    options = ["-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", "pytest", *options, *more, str(folder)]
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "NOTHING_SKIPS")}
    environment = clean | environment
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS)
def test_a_skip_fails_in_ci(source: str, tmp_path: Path) -> None:
    result = run_pytest(source, tmp_path, CI="true")
    assert result.returncode != 0
    assert "nothing may skip here" in result.stdout
    assert "no cat" in result.stdout


def test_a_skip_fails_where_it_is_asked_for(tmp_path: Path) -> None:
    assert run_pytest(SKIPS["inside"], tmp_path, NOTHING_SKIPS="1").returncode != 0


def test_a_skip_tells_its_reason(tmp_path: Path) -> None:
    result = run_pytest(SKIPS["by a mark"], tmp_path)
    assert result.returncode == 0
    assert "no cat" in result.stdout


def test_what_needs_the_unix_port_is_left_out_and_counted(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.micropython\ndef test_port(): pass\ndef test_other(): pass"
    result = run_pytest(source, tmp_path, CI="true", MICROPYTHON="")
    assert result.returncode == 0
    assert "Left out: 1 tests for a MicroPython unix port" in result.stdout
    assert "1 passed, 1 deselected" in result.stdout


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_a_hang_is_that_tests_failure_and_the_others_go_on(hang: str, tmp_path: Path) -> None:
    source = f"import pytest\nfrom threading import Event\n{hang}def test_other(): pass\n"
    result = run_pytest(source, tmp_path, "-n", "1", "-o", "timeout=2", TEST_HANG_S="2")
    assert result.returncode != 0
    assert "crashed while running 'test_it.py::test_hangs'" in result.stdout
    assert "1 passed" in result.stdout
    assert "Timeout (0:00:04)!" in result.stderr and 'threading.py", line' in result.stderr


def test_a_test_that_may_take_longer_does(tmp_path: Path) -> None:
    source = "import pytest, time\n@pytest.mark.timeout(60)\ndef test(): time.sleep(3)\n"
    result = run_pytest(source, tmp_path, "-o", "timeout=1", TEST_HANG_S="1")
    assert result.returncode == 0 and "1 passed" in result.stdout


def test_a_failure_is_told_at_once(tmp_path: Path) -> None:
    result = run_pytest("def test_fails(): assert 0, 'pear'", tmp_path)
    before, _, _ = result.stdout.partition("FAILURES")
    assert "test_it.py::test_fails: AssertionError: pear" in before
