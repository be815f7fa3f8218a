"""A small product in a folder of its own, to be deployed in place of this checkout's."""

import shutil
from pathlib import Path

import pytest

from tools.board import files
from tools.sim.files import Image

FILES = {
    "main.py": "import iot.system\n",
    "firmware/__init__.py": "",
    "firmware/app.py": "def main(thing):\n    return thing\n",
    "lib/iot/__init__.py": "",
    "lib/pack.py": "def mount(path):\n    pass\n",
    "lib/iot/system.py": "class System:\n    pass\n",
    "lib/iot/mqtt/__init__.py": "",
    "lib/iot/mqtt/client.py": "TOPICS = " + repr([f"topic/{n}" for n in range(300)]) + "\n",
}
# What a deployment was before there were packs, besides boot.py.
OLD = {
    "main.py": b"import iot.system\n",
    "lib/iot/__init__.mpy": b"old",
    "lib/iot/system.mpy": b"old system",
    "lib/iot/mqtt/__init__.mpy": b"old",
    "lib/iot/mqtt/client.mpy": b"old client",
    "firmware/__init__.mpy": b"old",
    "firmware/app.mpy": b"old app",
    "firmware/built.txt": b"2026 01 02 03 04 05\n",
    "lib/hmac.mpy": b"old hmac",
    "lib/aioble/__init__.mpy": b"M\x06\x00\x1fold aioble",
    "lib/aioble/core.mpy": b"M\x06\x00\x1fold core",
}
OLD_FOLDERS = {"lib/iot/mqtt/", "lib/iot/", "lib/aioble/", "firmware/"}
PACKAGES = {
    "aioble/__init__.py": "VERSION = 1\n",
    "aioble/core.py": "x = 1\n",
}


def put(folder: Path, contents: dict[str, str]) -> None:
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def put_old(flash: Path) -> None:
    """Make the flash of a board what it was after such a deployment."""
    flash.mkdir(parents=True, exist_ok=True)
    boot = (Path(__file__).parents[3] / "boot.py").read_bytes()
    files = {f"/{path}": data for path, data in OLD.items()}
    Image(flash / "vfs.bin").install(files | {"/boot.py": boot})


class Product:
    """The product's sources in `folder`, and third-party packages in `packages`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "product"
        self.packages = folder / "packages"
        monkeypatch.setattr(files, "ROOT", self.folder)
        monkeypatch.setattr(files, "PACKAGE", self.folder / "package.json")
        put(self.folder, FILES)
        put(self.packages, PACKAGES)
        shutil.copy(Path(__file__).parents[3] / "boot.py", self.folder)
        files.main()

    def change(self, path: str, text: str) -> None:
        """Write a source, perhaps a new one."""
        put(self.folder, {path: text})
        files.main()

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()
        files.main()
