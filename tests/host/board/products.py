"""A small product in a folder of its own, to be deployed in place of this checkout's."""

import shutil
from pathlib import Path

import pytest

from tools.board import files

FILES = {
    "main.py": "import iot.system\n",
    "firmware/__init__.py": "",
    "firmware/app.py": "def main(thing):\n    return thing\n",
    "lib/iot/__init__.py": "",
    "lib/iot/system.py": "class System:\n    pass\n",
    "lib/iot/mqtt/__init__.py": "",
    "lib/iot/mqtt/client.py": "TOPICS = " + repr([f"topic/{n}" for n in range(300)]) + "\n",
}
PACKAGES = {
    "aioble/__init__.py": "VERSION = 1\n",
    "aioble/core.py": "x = 1\n",
    "hmac.py": "def new():\n    pass\n",
}


def put(folder: Path, contents: dict[str, str]) -> None:
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


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
