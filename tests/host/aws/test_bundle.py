"""A function's zip: the same bytes for the same input, and nothing that was compiled for this machine."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from tools.aws.bundle import bundle, key
from tools.board.errors import BoardError


def module(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")
    return folder


def names(zipped: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(zipped)).namelist()


def test_the_same_input_is_the_same_bytes(tmp_path: Path) -> None:
    first = module(tmp_path / "first", "a.py", "inner/b.py")
    second = module(tmp_path / "second", "inner/b.py", "a.py")
    for number, file in enumerate(second.rglob("*.py")):
        os.utime(file, (number * 1e6 + 1e9, number * 1e6 + 1e9))
        file.chmod(0o600)
    ours = bundle({"app": first}, ["segno", "rich"])
    assert ours == bundle({"app": second}, ["rich", "segno"])
    assert ours != bundle({"app": first}, ["segno"]) and key(ours).endswith(".zip")
    assert {"app/a.py", "app/inner/b.py", "segno/__init__.py"} <= set(names(ours))


def test_what_is_native_or_of_this_machine_is_left_out(tmp_path: Path) -> None:
    folder = module(tmp_path / "app", "a.py", "fast.cpython-311-x86_64-linux-gnu.so", "__pycache__/a.pyc")
    assert names(bundle({"": folder})) == ["a.py"]
    of_aiohttp = names(bundle({}, ["aiohttp"]))  # which has native parts, a licence and metadata
    assert "aiohttp/client.py" in of_aiohttp
    assert not [
        one for one in of_aiohttp if one.endswith((".so", "/RECORD", "/INSTALLER", ".pyc")) or ".." in one
    ]


def test_a_single_file_gets_the_name_that_is_told(tmp_path: Path) -> None:
    folder = module(tmp_path, "hook.py")
    assert names(bundle({"index.py": folder / "hook.py"})) == ["index.py"]


def test_what_is_missing_or_there_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="no/such"):
        bundle({"app": Path("no/such")})
    with pytest.raises(BoardError, match="no-such-package"):
        bundle({}, ["no-such-package"])
    with pytest.raises(BoardError, match=r"segno/__init__\.py is in the bundle"):
        bundle({"segno": module(tmp_path, "__init__.py")}, ["segno"])
