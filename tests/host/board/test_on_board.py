"""What runs on the board, in the real MicroPython: the functions that deploy.py sends, and boot.py's part."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]
VM = ROOT / "tests/vm"
DATA = bytes(range(256)) * 20
SCRIPT = """
import os, sys

async def main(arguments):
    board = {}
    with open("/code/on_board.py") as file:
        exec(file.read(), board)
    board["make"](["/lib", "/deploy", "/deploy/lib", "/deploy/lib/iot"])
    os.rename("/code/x.mpy", "/deploy/lib/iot/x.mpy")
    board["make"](["/lib"])
    board["begin"]("/deploy/lib/iot/x.mpy")
    for piece in PIECES:
        board["write"](piece)
    board["copy"]("/code/boot.py", 7, 1000)  # a part of it
    board["copy"]("/deploy/lib/iot/x.mpy", 99, 0)
    board["end"]()
    board["digests"]("/deploy/lib/iot/x.mpy", 1, [2047, 0, 3000])
    board["survey"](["/deploy", "/none"])
    os.rename("/code/list", "/deploy/list")
    for name in ("esp", "esp32", "machine"):
        sys.modules[name] = Chip
    with open("/code/boot.py") as file:
        code = file.read()
    exec(code, {})
    exec(code, {})  # there is nothing to do then
    board["survey"](["/deploy", "/code/gone.py", "/lib"])
    board["start_factory"]()
    board["discard"]("/lib")
    board["discard"]("/lib")
    board["survey"](["/lib"])

class Chip:
    osdebug = freq = staticmethod(lambda value: None)

    class NVS:
        numbers = {"boot1": 0x412}

        def __init__(self, name):
            assert name == "iot"

        def erase_key(self, key):
            if key not in self.numbers:
                raise OSError(key)
            del self.numbers[key]

        def commit(self):
            print("left", len(self.numbers))

        def get_i32(self, key):
            raise OSError(key)
"""


def test_in_the_micropython_vm(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (VM / "node_modules/ready").exists():
        pytest.skip("node or the MicroPython VM is not installed: make setup, with npm on the PATH")
    code = tmp_path / "code"
    code.mkdir()
    shutil.copy(ROOT / "boot.py", code)
    shutil.copy(ROOT / "tools/board/on_board.py", code)
    (code / "list").write_text("> /lib/iot\n- /code/gone.py\n/ /deploy/lib\n")
    for name in ("x.mpy", "gone.py"):  # this VM makes no new files
        (code / name).touch()
    pieces = [base64.b64encode(DATA[start : start + 1536]).decode() for start in range(0, len(DATA), 1536)]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + f"\nPIECES = {pieces}\n")
    command = [node, str(VM / "run.mjs"), str(script), f"{code}=/code"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    data = DATA + (ROOT / "boot.py").read_bytes()[7:1007]
    digest = hashlib.sha256(data).hexdigest()
    parts = (data[1:2048], b"", data[2048:5048])
    assert done.stderr == "" and done.stdout.splitlines() == [
        *(digest, *(hashlib.sha256(part).hexdigest() for part in parts)),
        *("/ /deploy", "/ /deploy/lib", "/ /deploy/lib/iot", f"{digest} /deploy/lib/iot/x.mpy"),
        *("/ /lib", "/ /lib/iot", f"{digest} /lib/iot/x.mpy", "left 0"),
    ]
