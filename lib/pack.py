"""One file that holds many modules, as a file system: finding them one by one takes longer than all else.

tools/board/pack.py makes the file: "PACK"; the size of the index in 4 bytes; the index, of 7 bytes for each
file and folder: CRC-32 of its path in 4, its offset, 0 for a folder, in 3; the files. Numbers are big-endian.
An offset's highest bit says that the file is deflated (RFC 1951, a window of 512 bytes), as all modules are.
"""

import binascii
import os
import sys

import deflate
from micropython import const

_MOUNT = const("/pack")
_RECORD_SIZE = const(7)
_ENOENT = const(2)
_DEFLATED = const(0x800000)
_WINDOW_BITS = const(9)
_FOLDER = const(0x4000)
_FILE = const(0x8000)
_BUILT_IN = const("binascii errno hashlib io json machine os random socket struct time")


class Pack:
    """A read-only file system of modules.

    One open file is enough: an import reads a module to its end before it runs it.
    """

    def __init__(self, file, index):
        self._file = file
        self._index = index

    def mount(self, readonly, mkfs):
        pass

    def stat(self, path):
        return (_FILE if self._find(path) else _FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def open(self, path, mode):
        self._file.seek(self._find(path) & ~_DEFLATED)  # where it nearly is already, that costs nothing
        return deflate.DeflateIO(self._file, deflate.RAW, _WINDOW_BITS)

    def _find(self, path):
        key = binascii.crc32(path[1:]).to_bytes(4, "big")
        at = self._index.find(key)
        while at % _RECORD_SIZE:  # found across two records, or at -1
            if at < 0:
                raise OSError(_ENOENT)
            at = self._index.find(key, at + 1)
        return int.from_bytes(self._index[at + 4 : at + _RECORD_SIZE], "big")


def mount(path):
    """Has modules imported from the pack at `path` first. Works once: then this code gives up its memory.

    Each look at a folder in flash costs tens of milliseconds, so there are few.
    """
    file = open(path, "rb")  # noqa: SIM115
    if file.read(4) != b"PACK":
        raise ValueError(path + ": no pack")
    index = file.read(int.from_bytes(file.read(4), "big"))
    try:
        files = [name.partition(".")[0] for name in os.listdir("/lib")]
    except OSError:  # nobody has copied anything
        files = []
    os.mount(_kind(files)(file, index), _MOUNT)
    # A built-in module that is not in sys.modules is looked for in all of sys.path at each import.
    others = sys.path[:]
    sys.path[:] = (_MOUNT,)  # where that is quick
    for name in _BUILT_IN.split():
        if name not in files:  # else that one stands for it
            sys.modules[name] = __import__(name)
    sys.path.extend(others)
    del globals()["mount"], globals()["_kind"]


def _kind(files):
    """Pack, or where a developer has copied modules to the board, a kind of it in which those win.

    So lib/iot/thing.py comes in place of iot/thing.mpy. That costs time, and most devices have none.
    """

    def is_there(path):
        try:
            os.stat(path)
        except OSError:
            return False
        return True

    def copy(path):
        return path if path.startswith("/firmware") else "/lib" + path

    class Copies(Pack):
        def stat(self, path):
            return os.stat(copy(path)) if is_there(copy(path)) else super().stat(path)

        def open(self, path, mode):
            return open(copy(path), mode) if is_there(copy(path)) else super().open(path, mode)

    return Copies if "iot" in files or "aioble" in files or is_there("/firmware") else Pack
