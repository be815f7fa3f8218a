"""Texts that several modules keep: in an .mpy they are names, and say what they said."""

import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.vm.test_vm import VERSIONS, VM
from tools.board import files, texts
from tools.board.mpy import table

SOURCE = b'''
"""iot.starving"""

def told(borrow):
    """iot.starving"""
    return str(borrow("iot.starving")), "\xc3\xa4 iot.starving", "iot.endings", "\xc3\xa4", "iot.starving"
'''
TEXTS = (b"iot.starving", b"iot.endings")


def compiled(source: bytes) -> bytes:
    return files.compile_for_chip(source, "lib/iot/crate.py")


def test_modules_that_are_borrowed_and_what_two_modules_have() -> None:
    kept = texts.kept_once()
    assert {"iot.starving", "iot.endings", "provisioned"} <= kept
    assert all(len(text) > 10 for text in kept)


def test_they_become_names() -> None:
    assert not set(TEXTS) & set(table(files.compile_as_it_is(SOURCE, "lib/iot/crate.py")))
    names = table(compiled(SOURCE))
    assert (
        set(TEXTS) <= set(names) and len(names) == len(set(names)) and not [n for n in names if n[:1] == b"@"]
    )


def test_a_text_of_one_module_alone_stays_what_it_is() -> None:
    assert b"iot.nowhere_at_all" not in table(compiled(b'a = "iot.nowhere_at_all"'))


@pytest.mark.parametrize("version", VERSIONS)
def test_they_say_what_they_said(version: str, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/crate.mpy").write_bytes(compiled(SOURCE))
    script = tmp_path / "run.py"
    script.write_text(
        "import crate\nasync def main(_):\n    print('|'.join(crate.told(len)))\n    return 0\n"
    )
    command = ["node", str(VM / "run.mjs"), str(script), f"--vm={version}", f"{tmp_path / 'lib'}=/lib"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S).stdout
    assert output == "12|ä iot.starving|iot.endings|ä|iot.starving\n"
