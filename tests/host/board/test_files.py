"""The list of what goes on a device."""

import json
from pathlib import Path

import pytest
from mpremote import mip

from tests.host.board.products import Product
from tools.board import files
from tools.board.errors import BoardError


def test_package_json_is_up_to_date() -> None:
    mended = json.loads(files.PACKAGE.read_text()) == files.package()
    assert mended, ".venv/bin/python -m tools.board.files mends it"
    files.check_list()


def test_it_lists_the_library_and_not_the_application() -> None:
    listed = {path.as_posix() for path in files.library_files()}
    assert "lib/iot/system.py" in listed
    assert all(path.startswith("lib/iot/") for path in listed)
    assert {"boot.py", "main.py", "lib/pack.py", "firmware/settings.py"} <= {
        file.as_posix() for file in files.device_files()
    } - listed


def test_writing_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product = Product(tmp_path, monkeypatch)
    (product.folder / "lib/iot/more.py").write_text("")
    (product.folder / "lib/iot/system.py").unlink()
    with pytest.raises(BoardError, match=r"differ in lib/iot/more\.py, lib/iot/system\.py"):
        files.check_list()
    files.main()
    files.check_list()
    assert json.loads(files.PACKAGE.read_text()) == files.package()


class Target:
    """What mip installs to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def fs_exists(self, path: str) -> bool:
        return True

    def fs_writefile(self, path: str, data: bytes, progress_callback: object) -> None:
        self.files[path] = data


def test_mip_installs_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """By mpremote's own code, from this checkout; the index is not asked for what the library depends on."""
    asked = []
    install = mip._install_package

    def here_alone(transport: object, package: str, index: str, target: str, version: str, mpy: bool) -> None:
        if package.endswith(".json"):
            install(transport, package, index, target, version, mpy)
        else:
            asked.append((package, version))

    monkeypatch.setattr(mip, "_install_package", here_alone)
    target = Target()
    here_alone(target, str(files.PACKAGE), "", "/lib", "", True)
    expected = {f"/{file.as_posix()}": (files.ROOT / file).read_bytes() for file in files.library_files()}
    assert target.files == expected
    assert asked == list(files.DEPENDENCIES.items())
