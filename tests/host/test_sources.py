"""The source that a .mpy file was made of is found again."""

from pathlib import Path

import pytest

from tools import sources
from tools.board.files import compile_for_chip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sources, "_FOLDER", tmp_path / "build/sources")
    return tmp_path / "build/sources"


def test_whoever_compiles_for_the_chip_keeps_the_source(folder: Path) -> None:
    first, second = b"VALUE = 1\n", b"VALUE = 1  # the same module\n"
    module = compile_for_chip(first, "lib/iot/leaf.py")
    assert sources.find(module) == first and sources.find(module[:-1]) is None
    assert compile_for_chip(second, "lib/iot/leaf.py") == module and sources.find(module) == second
    assert compile_for_chip(first, "firmware/leaf.py") != module
    assert len(list(folder.iterdir())) == 2


def test_where_nothing_can_be_kept_it_compiles_all_the_same(folder: Path) -> None:
    folder.parent.write_text("a file in the folder's place")
    assert sources.find(compile_for_chip(b"VALUE = 1\n", "lib/iot/leaf.py")) is None
