"""`python3 -m tools camera`: all of it on this computer, by one command."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools import application
from tools.__main__ import main
from tools.examples.camera.cli import APPLICATION

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "tools", "camera", "--port", "0"]


def test_once_ends_with_the_first_picture_and_the_next_time_goes_on(tmp_path: Path) -> None:
    """From nothing; then, with what that has left, until Ctrl-C, after which nothing runs."""
    state = [*COMMAND, "--state", str(tmp_path)]
    once = [*state, "--once", "--bytes", "50000", "--timeout", str(PATIENCE_S)]
    done = subprocess.run(once, cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"a picture of 50,000 bytes, \d+\.\d s after it was asked for", done.stdout), done.stdout
    with subprocess.Popen(state, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert next(line for line in process.stdout if "connected, session kept" in line)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("wrong", "status", "text"),
    [
        (["--pictures", "/no/such/folder"], 2, "folder with pictures"),
        (["--bytes", "1"], 2, "16384 to"),
        (["--state", "/dev/null/x"], 1, "/dev/null/x"),
    ],
)
def test_what_cannot_be_is_told(
    wrong: list[str],
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [*COMMAND[2:], *wrong])
    monkeypatch.setenv(application.SETTING, str(APPLICATION))  # which the verb would set, and nobody unset
    assert main() == status
    assert text in capsys.readouterr().err
