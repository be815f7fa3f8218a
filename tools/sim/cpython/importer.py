"""Imports from a simulated chip's file system on CPython, as MicroPython does from "" and "/lib"."""

import contextlib
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import os
import sys
from pathlib import Path

_ROOTS = ("", "/lib/")  # of the chip's sys.path
_COMPILED = (
    Path(__file__).parents[3] / "build/sim"
)  # a third of a start is compiling what was compiled before


def import_from(root, place):
    """Have modules on the file system `root` found before those of the host, but for what is built in.

    Where `place`, which it is kept in, is a folder, debuggers shall find the files by the host's names.
    """
    folder = os.path.isdir(place)
    sys.path[:1] = [place, place + "/lib"] if folder else []
    if not folder:
        sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), _Finder(root))


class _Finder(importlib.abc.MetaPathFinder):
    """Asks the file system each time, as the chip does."""

    def __init__(self, root):
        self._root = root

    def find_spec(self, name, path, target=None):
        package, _, last = name.rpartition(".")
        if package and not isinstance(sys.modules[package].__loader__, _Loader):
            return None
        for folder in [place + "/" for place in path] if package else _ROOTS:
            for file, is_package in ((folder + last + "/__init__.py", True), (folder + last + ".py", False)):
                if self._is_there(file):
                    return _spec(name, _Loader(self._root, file), is_package)
        return None

    def _is_there(self, file):
        try:
            self._root.stat(file)
        except OSError:
            return False
        return True


class _Loader(importlib.abc.SourceLoader):
    def __init__(self, root, file):
        self._root = root
        self._file = file

    def get_filename(self, fullname):
        return self._file

    def get_data(self, path):
        with self._root.open(path, "rb") as file:
            return file.read()

    def source_to_code(self, data, path, *, _optimization=-1):
        """The code of a text, on the host from the last time if it is the same text."""
        kept = _COMPILED / path.strip("/").replace("/", ".")
        key = hashlib.sha256(importlib.util.MAGIC_NUMBER + path.encode() + b"\0" + data).digest()
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
            known = kept.read_bytes()
            if known.startswith(key):
                return marshal.loads(known[len(key) :])  # noqa: S302 - ours, as what is in __pycache__
        code = super().source_to_code(data, path)
        with contextlib.suppress(
            OSError
        ):  # nowhere to keep it, or another device was there at the same moment
            _COMPILED.mkdir(parents=True, exist_ok=True)
            new = kept.with_name(f"{kept.name}.{os.getpid()}")
            new.write_bytes(key + marshal.dumps(code))
            new.replace(kept)
        return code


def _spec(name, loader, is_package):
    file = loader.get_filename(name)
    spec = importlib.util.spec_from_loader(name, loader, origin=file, is_package=is_package)
    spec.has_location = True
    if is_package:
        spec.submodule_search_locations.append(file.rpartition("/")[0])
    return spec
