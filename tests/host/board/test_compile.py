"""`tools.board.compile`: one module, as a deployment has it."""

import subprocess
import sys

from tools.board import files

FILE = "lib/iot/mqtt/queues.py"


def compiled(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.board.compile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=files.ROOT, check=False)


def test_it_is_what_a_deployment_has() -> None:
    done = compiled(FILE)
    assert (done.returncode, done.stdout) == (0, "build/queues.mpy\n")
    assert (files.ROOT / "build/queues.mpy").read_bytes() == files.compiled("xtensawin")[1][
        "iot/mqtt/queues.mpy"
    ]


def test_what_is_not_there_is_told() -> None:
    for name, reason in (("lib/iot/nowhere.py", "No such file"), ("/etc/hostname", "no file of")):
        done = compiled(name)
        assert done.returncode == 1 and name in done.stderr and reason in done.stderr
