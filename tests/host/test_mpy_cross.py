"""Every device file compiles for the chip."""

from pathlib import Path

import pytest

from tools import size

FILES = size.device_files()


def test_the_device_has_files() -> None:
    assert {"main.py", "boot.py"} <= {str(file) for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_compiles_for_the_chip(file: Path, tmp_path: Path) -> None:
    assert size.compile_for_chip(file, tmp_path / "module.mpy") > 0


def test_tells_where_a_file_does_not_compile(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    return 1 +\n")
    with pytest.raises(size.CompileError, match=r"line 2"):
        size.compile_for_chip(bad, tmp_path / "module.mpy")
