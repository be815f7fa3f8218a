"""Imports from a simulated chip's file system on CPython, as MicroPython does from "" and "/lib"."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

_ROOTS = ("", "/lib/")  # of the chip's sys.path


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


def _spec(name, loader, is_package):
    file = loader.get_filename(name)
    spec = importlib.util.spec_from_loader(name, loader, origin=file, is_package=is_package)
    spec.has_location = True
    if is_package:
        spec.submodule_search_locations.append(file.rpartition("/")[0])
    return spec
