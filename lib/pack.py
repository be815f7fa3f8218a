"""One file that holds many modules, as a file system: finding them one by one takes longer than all else.

tools/board/pack.py makes the file and knows its form: a header of 8 bytes, "PACK" and the number of records
in 4; the records, of CRC-32 of a path, offset and size in 4, 3 and 3 bytes, a folder's offset being 0; then
the files. Numbers are big-endian.
"""

import binascii
import io
import os
import sys

from micropython import const

_MOUNT = const("/pack")
_HEADER_SIZE = const(8)
_RECORD_SIZE = const(10)
_ENOENT = const(2)
_GET_BUFFER_SIZE = const(11)  # what MicroPython asks a stream that it imports from
_BUFFER_SIZE = const(255)
_FOLDER = const(0x4000)
_FILE = const(0x8000)
# Built-in modules that a file may stand for: unless known, each import looks for one in all of sys.path.
_BUILT_IN = const("binascii errno hashlib io json machine os random socket struct time")


class _Part(io.IOBase):
    """The next `size` bytes of a file, read a little at a time: an import costs no heap but the module's."""

    def __init__(self, file, size):
        self._file = file
        self._left = size

    def readinto(self, buffer):
        size = min(self._left, len(buffer))
        self._left -= size
        return self._file.readinto(memoryview(buffer)[:size]) if size else 0

    def ioctl(self, request, argument):
        return _BUFFER_SIZE if request == _GET_BUFFER_SIZE else 0


class Pack:
    """A read-only file system of what is in `path`, but for modules that a developer has copied to the board.

    Those win: lib/iot/console.py in place of iot/console.mpy. They cost time, so a device has none.
    """

    def __init__(self, path):
        self._file = open(path, "rb")  # noqa: SIM115
        header = self._file.read(_HEADER_SIZE)
        if header[:4] != b"PACK":
            raise ValueError(path + ": no pack")
        self._records = self._file.read(_RECORD_SIZE * int.from_bytes(header[4:], "big"))
        self._has_copies = any([_exists(folder) for folder in ("/firmware", "/lib/iot", "/lib/aioble")])

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def stat(self, path):
        if self._has_copies and _exists(_copy(path)):
            return os.stat(_copy(path))
        offset, size = self._find(path)
        return (_FILE if offset else _FOLDER, 0, 0, 0, 0, 0, size, 0, 0, 0)

    def open(self, path, mode):
        if self._has_copies and _exists(_copy(path)):
            return open(_copy(path), mode)
        offset, size = self._find(path)
        self._file.seek(offset)
        return _Part(self._file, size)

    def _find(self, path):
        key = binascii.crc32(path[1:]).to_bytes(4, "big")
        at = self._records.find(key)
        while at % _RECORD_SIZE:  # found across two records, or at -1
            if at < 0:
                raise OSError(_ENOENT)
            at = self._records.find(key, at + 1)
        record = self._records[at + 4 : at + _RECORD_SIZE]
        return int.from_bytes(record[:3], "big"), int.from_bytes(record[3:], "big")


def mount(path):
    """Has modules imported from `path` first; without such a file, from wherever they are."""
    for name in _BUILT_IN.split():
        sys.modules[name] = __import__(name)
    if _exists(path):
        os.mount(Pack(path), _MOUNT)
        sys.path.insert(0, _MOUNT)


def _exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _copy(path):
    return path if path.startswith("/firmware") else "/lib" + path
