"""Imports from a simulated chip's file systems on CPython, as MicroPython does from what is in `sys.path`."""

import contextlib
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from tools import sources

_COMPILED = (
    Path(__file__).parents[3] / "build/sim"
)  # a third of a start is compiling what was compiled before
_FROZEN = ".frozen"
_FOLDER = 0x4000


def import_from(root, place, late):
    """Have modules on the file system `root` found before those of the host, but for what is built in.

    Where `place`, which it is kept in, is a folder, debuggers shall find the files by the host's names.
    late: folders of the host, with what comes with the chip; MicroPython has it frozen.
    """
    finders = [_Finder(root, place if os.path.isdir(place) else "", late), _Host([*sys.path, *late])]
    at = sys.meta_path.index(PathFinder)
    sys.meta_path[at : at + 1] = finders
    sys.path[:] = ["", _FROZEN, "/lib"]


class _Host(importlib.abc.MetaPathFinder):
    """Finds the host's modules, whatever the chip makes of sys.path."""

    def __init__(self, path):
        self._path = path

    def find_spec(self, name, path, target=None):
        return PathFinder.find_spec(name, self._path if path is None else path, target)


class _Finder(importlib.abc.MetaPathFinder):
    """Asks the file system each time, as the chip does."""

    def __init__(self, root, place, late):
        self._root = root
        self._place = place
        self._late = late

    def find_spec(self, name, path, target=None):
        package, _, last = name.rpartition(".")
        if package and not isinstance(sys.modules[package].__loader__, _Folder):
            return None
        for folder in path if package else sys.path:
            loader = self._loader(folder + "/" + last if folder else last) if folder != _FROZEN else None
            if loader and (package or not (loader.is_compiled and self._comes_with_the_chip(name))):
                return _spec(name, loader)
        return None

    def _comes_with_the_chip(self, name):
        return PathFinder.find_spec(name, self._late) is not None

    def _loader(self, path):
        """Who loads a package or a module that is there, whether a source or compiled."""
        is_package = self._kind(path) == _FOLDER
        stem = path + "/__init__" if is_package else path
        for file in (stem + ".py", stem + ".mpy"):
            if self._kind(file):
                host = self._place and os.path.join(self._place, file.strip("/"))
                return _Loader(
                    path if is_package else None, self._root, file, host if os.path.exists(host) else file
                )
        return _Folder(path) if is_package else None

    def _kind(self, path):
        try:
            return self._root.stat(path)[0]
        except OSError:
            return 0


class _Folder(importlib.abc.Loader):
    """Loads a package that has no module of its own: the folder of one that has."""

    is_compiled = False

    def __init__(self, folder):
        self.folder = folder

    def exec_module(self, module):
        """Do nothing: it is empty."""


class _Loader(_Folder, importlib.abc.SourceLoader):
    """Loads a source, or what a compiled module was made of, which is called `name` in tracebacks."""

    exec_module = importlib.abc.SourceLoader.exec_module

    def __init__(self, folder, root, file, name):
        super().__init__(folder)
        self._root = root
        self._file = file
        self._name = name
        self.is_compiled = file.endswith(".mpy")

    def get_filename(self, fullname):
        return self._name

    def get_data(self, path):
        with self._root.open(self._file, "rb") as file:
            data = file.read()
        if not self.is_compiled:
            return data
        if (source := sources.find(data)) is None:
            raise ImportError(
                f"{self._file}: CPython runs the source of a .mpy file, which build/sources has of those "
                "compiled here: compile it here, or run the device by MicroPython (--micropython)"
            )
        return source

    def source_to_code(self, data, path, *, _optimization=-1):
        """The code of a text, on the host from the last time if it was there before.

        By what is in it: the pack calls all modules that are borrowed by one name.
        """
        key = hashlib.sha256(importlib.util.MAGIC_NUMBER + path.encode() + b"\0" + data)
        kept = _COMPILED / key.hexdigest()
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
            return marshal.loads(kept.read_bytes())  # noqa: S302 - ours, as what is in __pycache__
        code = super().source_to_code(data, path)
        with contextlib.suppress(OSError):  # nowhere to keep it
            _COMPILED.mkdir(parents=True, exist_ok=True)
            new = kept.with_name(f"{kept.name}.{os.getpid()}")
            new.write_bytes(marshal.dumps(code))
            new.replace(kept)
        return code


def _spec(name, loader):
    file = loader.get_filename(name) if isinstance(loader, _Loader) else None
    spec = importlib.machinery.ModuleSpec(name, loader, origin=file, is_package=loader.folder is not None)
    spec.has_location = file is not None
    if loader.folder is not None:
        spec.submodule_search_locations.append(loader.folder)
    return spec
