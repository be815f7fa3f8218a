"""Third-party packages for the device: from micropython-lib's index by mpremote's mip, or from a folder."""

import argparse
import contextlib
import io
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpremote import mip
from mpremote.commands import CommandError

from .errors import BoardError
from .files import DEPENDENCIES, ROOT, CompileError, compile_for_chip

CACHE = (ROOT / "build" if (ROOT / "tests").is_dir() else Path.home() / ".cache/esp32-aws-iot") / "packages"
_ANSWER_S = 20.0
_OFFLINE = (
    "Connect to the internet; or name a folder that has them, such as a checkout of micropython-lib: "
    "--packages DIR; or leave them out: --no-packages"
)


def add_arguments(parser: argparse.ArgumentParser, without: str) -> None:
    """Declare where the packages come from; `without` is what it means to take none."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--packages",
        type=Path,
        metavar="DIR",
        help="take aioble from a folder or a checkout of micropython-lib",
    )
    source.add_argument("--index", metavar="URL", help="take it from another package index")
    source.add_argument("--no-packages", action="store_true", help=without)


def chosen(folder: Path | None, index: str | None, mpy_version: int, architecture: str) -> dict[str, bytes]:
    """The packages from where the options say; arguments and errors as of the two functions below."""
    if folder:
        return from_folder(folder, mpy_version, architecture)
    return from_index(mpy_version, index)


def from_index(mpy_version: int, index: str | None = None, cache: Path = CACHE) -> dict[str, bytes]:
    """The pinned packages out of micropython-lib's package index, kept in `cache` for the next time.

    By their paths in a pack.

    Args:
        mpy_version: of the .mpy files to get.
        index: URL of another index of the same kind; nothing of it is kept.
        cache: the folder.

    Raises:
        BoardError: the index cannot be reached or lacks a package.
    """
    found = {}
    for name, version in DEPENDENCIES.items():
        kept = cache / f"{mpy_version}/{name}-{version}"
        if index or not kept.is_dir():
            files = _download(name, version, mpy_version, index or mip._PACKAGE_INDEX)
            if not index:
                _keep(files, kept)
        else:
            files = {
                file.relative_to(kept).as_posix(): file.read_bytes()
                for file in kept.rglob("*")
                if file.is_file()
            }
        found.update(files)
    return found


def from_folder(folder: Path, mpy_version: int, architecture: str) -> dict[str, bytes]:
    """The packages in a folder, such as `folder`/aioble/, or in a checkout of micropython-lib.

    By their paths in a pack, and without empty modules.

    Raises:
        BoardError: one is not there, does not compile, or is compiled for another MicroPython.
    """
    found = {}
    for name in DEPENDENCIES:
        for file, path in _sources(folder, name):
            data = file.read_bytes()
            if not data:
                continue
            if file.suffix == ".py":
                data = _compile(data, path.as_posix(), architecture)
            elif data[:2] != bytes((ord("M"), mpy_version)):
                raise BoardError(
                    f"{file}: this is not for the board, which takes .mpy files of version {mpy_version}",
                    "Give its source, or compile it anew.",
                )
            found[path.with_suffix(".mpy").as_posix()] = data
    return found


class _Folder:
    """Takes the place of the board: what mip would write to it is kept in `files`."""

    def __init__(self, mpy_version: int) -> None:
        self.files: dict[str, bytes] = {}
        self._mpy_version = mpy_version

    def exec(self, code: str) -> None:
        pass

    def eval(self, expression: str) -> int:
        return self._mpy_version

    def fs_exists(self, path: str) -> bool:
        return True

    def fs_hashfile(self, path: str, algorithm: str) -> bytes:
        raise FileNotFoundError(path)

    def fs_writefile(self, path: str, data: bytes, **_: Any) -> None:
        self.files[path.lstrip("/")] = data


def _download(name: str, version: str, mpy_version: int, index: str) -> dict[str, bytes]:
    folder = _Folder(mpy_version)
    default_s = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_ANSWER_S)  # mip has no deadline
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            mip._install_package(folder, name, index.rstrip("/"), "", version, mpy=True)
    except (CommandError, OSError, ValueError) as error:
        raise BoardError(f"{name} {version}: {error}", _OFFLINE) from None
    finally:
        socket.setdefaulttimeout(default_s)
    return folder.files


def _keep(files: dict[str, bytes], folder: Path) -> None:
    """Write the files so that `folder` is there whole or not at all."""
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    for path, data in files.items():
        (partial / path).parent.mkdir(parents=True, exist_ok=True)
        (partial / path).write_bytes(data)
    partial.rename(folder)


def _sources(folder: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """The files of a package, and their paths in a pack."""
    manifests = folder.rglob(f"{name}/manifest.py")  # in a checkout of micropython-lib each package has one
    for base in (folder, *(manifest.parent for manifest in manifests)):
        if any((base / name / f"__init__{suffix}").is_file() for suffix in (".py", ".mpy")):
            modules = sorted(file for file in (base / name).rglob("*") if file.suffix in (".py", ".mpy"))
            return ((file, file.relative_to(base)) for file in modules)
    raise BoardError(
        f"{folder}: {name} is not there",
        f"Name a folder with {name}/ in it, or a checkout of micropython-lib.",
    )


def _compile(source: bytes, name: str, architecture: str) -> bytes:
    try:
        return compile_for_chip(source, name, architecture)
    except CompileError as error:
        raise BoardError(f"{name} does not compile: {error}", "Get this package anew.") from None
