"""MicroPython's `vfs` on CPython: the host's file system, and mounts that last as long as the process."""

import builtins
import io
import os
import sys
import types

_IS_DIRECTORY, _IS_FILE = 0x4000, 0x8000
_stat = os.stat  # `os` may be patched to show a chip's flash


class VfsPosix:
    """The host's file system."""

    @staticmethod
    def open(path, mode="r"):
        """Open with the interpreter's own file object; binary files open for writing are not buffered."""
        if "b" in mode and set("wax+") & set(mode):
            return io.open(path, mode, buffering=0)
        return io.open(path, mode, encoding=None if "b" in mode else "utf-8")

    @staticmethod
    def ilistdir(path):
        """Yield (name, type, 0), in the order of the names."""
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            yield (entry.name, _IS_DIRECTORY if entry.is_dir() else _IS_FILE, 0)

    @staticmethod
    def stat(path):
        """MicroPython's tuple of ten: type bits, then the size at 6, times at 7 to 9."""
        found = _stat(path)
        return (found.st_mode & 0xF000, 0, 0, 0, 0, 0, found.st_size, *map(int, found[7:10]))

    @staticmethod
    def statvfs(path):
        """Sizes of the file system, as `os.statvfs` of MicroPython."""
        return tuple(os.statvfs(path))

    mkdir, remove, rename, rmdir = map(staticmethod, (os.mkdir, os.remove, os.rename, os.rmdir))


class Tree:
    """A file system, and others below folders that it need not have. `open` and `stat` are all they need."""

    def __init__(self, root):
        self._root = root
        self._others = {}

    def __getattr__(self, name):
        return getattr(self._root, name)

    def add(self, other, place):
        """Have what is below `place` taken from another file system, as `os.mount` has it."""
        other.mount(False, False)
        self._others[place.strip("/")] = other

    def open(self, path, mode="r", *more, **named):
        system, path = self._at(path)
        return system.open(path, mode, *more, **named)

    def stat(self, path):
        system, path = self._at(path)
        return system.stat(path)

    def ilistdir(self, path="/"):
        system, path = self._at(path)
        if path in ("", "/") and system is self._root:
            yield from ((name, _IS_DIRECTORY, 0) for name in self._others)
        yield from system.ilistdir(path)

    def _at(self, path):
        first, _, rest = path.lstrip("/").partition("/")
        return (self._others[first], "/" + rest) if first in self._others else (self._root, path)


def file_calls(root):
    """The functions of `os` that work on a file system, by name, bound to `root`."""
    calls = {name: getattr(root, name) for name in ("ilistdir", "mkdir", "remove", "rename", "rmdir", "stat")}
    return calls | {"listdir": lambda path="/": [entry[0] for entry in root.ilistdir(path)]}


def mount(root, _point):
    """Make a Tree the file system of this process: of `open` and of `os`, which becomes MicroPython's."""
    names = file_calls(root) | {"unlink": root.remove, "statvfs": root.statvfs, "getcwd": root.getcwd}
    names |= {
        "mount": root.add,
        "chdir": root.chdir,
        "urandom": os.urandom,
        "sync": lambda: None,
        "uname": _uname,
    }
    names |= {"dupterm": sys.modules["_memory"].dupterm}
    module = types.ModuleType("os")
    vars(module).update(names)
    sys.modules["os"] = module
    builtins.open = root.open


def _uname():
    release = ".".join(map(str, sys.version_info[:3]))
    return ("esp32", "esp32", release, "simulated on CPython " + release, "Simulated ESP32")
