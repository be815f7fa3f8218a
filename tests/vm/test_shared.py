"""Names that the library has in place of its own: MicroPython has them in ROM, in each version."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.vm.test_vm import VERSIONS, VM
from tools.board.shared import IN_ROM

SCRIPT = """
import micropython

async def main(arguments):
    micropython.qstr_info()
    for word in arguments:
        getattr(None, word, None)  # which makes a name of it
    micropython.qstr_info()
    return 0
"""


def names_made(version: str, words: list[str], folder: Path) -> int:
    """How many of the words are new to this MicroPython."""
    node, script = shutil.which("node"), folder / "words.py"
    assert node
    script.write_text(SCRIPT)
    command = [node, str(VM / "run.mjs"), str(script), f"--vm={version}", "--", *words]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S).stdout
    before, after = map(int, re.findall(r"n_qstr=(\d+)", output))
    return after - before


@pytest.mark.parametrize("version", VERSIONS)
def test_they_are_in_rom(version: str, tmp_path: Path) -> None:
    assert names_made(version, ["nowhere_in_rom", "neither_this"], tmp_path) == 2
    assert len(set(IN_ROM)) == len(IN_ROM) and names_made(version, IN_ROM, tmp_path) == 0
