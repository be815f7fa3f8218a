"""MicroPython's littlefs on CPython: the same C, by littlefs-python, on a block device as MicroPython's."""

import _signal  # `signal` makes enumerations of what it is asked, which takes longer than littlefs does
import codecs
import io
import mmap
import os
import signal
import threading

from littlefs import lfs
from littlefs.context import UserContext
from littlefs.errors import LittleFSError

_FOLDER, _FILE = 0x4000, 0x8000
_BLOCK_COUNT, _BLOCK_SIZE, _BLOCK_ERASE = 4, 5, 6  # requests to a block device
_NAME_MAX = 255
# MicroPython's defaults, and the disk version that it writes since 1.22.
SIZES = {"read_size": 32, "prog_size": 32, "cache_size": 128, "lookahead_size": 32, "block_cycles": 100,
         "name_max": _NAME_MAX, "disk_version": 0x00020001}  # fmt: skip
_EIO = 5
_CTRL_C = (signal.SIGINT,)
_FROM_HERE = 1
_PIECE = 128  # of a line: as much as littlefs has of a file in its cache
_RDONLY, _WRONLY, _RDWR, _CREAT, _EXCL, _TRUNC, _APPEND = 1, 2, 3, 0x100, 0x200, 0x400, 0x800
_FLAGS = {"r": _RDONLY, "w": _WRONLY | _CREAT | _TRUNC, "x": _WRONLY | _CREAT | _EXCL,
          "a": _WRONLY | _CREAT | _APPEND}  # fmt: skip


class _Device(UserContext):
    """What littlefs-python asks a block device. No exception may pass its C: `failure` keeps the first."""

    def __init__(self, bdev):
        self._bdev = bdev
        self._bytes = bdev.file if isinstance(getattr(bdev, "file", None), (Mapped, Memory, bytes)) else None
        self.failure = None

    def read(self, cfg, block, off, size):
        if self._bytes is not None:  # 32 bytes at a time: in a start these are many thousand calls
            start = block * cfg.block_size + off
            return self._bytes[start : start + size]
        data = bytearray(size)
        self._bdev.readblocks(block, data, off)
        return data

    def prog(self, cfg, block, off, data):
        return self._guarded(self._bdev.writeblocks, block, data, off)

    def erase(self, cfg, block):
        return self._guarded(self._bdev.ioctl, _BLOCK_ERASE, block)

    def sync(self, cfg):
        return 0

    def _guarded(self, function, *arguments):
        try:
            return function(*arguments) or 0
        except BaseException as error:
            self.failure = self.failure or error
            return -_EIO


class Mapped(mmap.mmap):
    """A file in memory, for a block device: it is read without a call of the system's."""


class Memory(bytearray):
    """The same of bytes that are no file's."""

    def seek(self, place):
        self._at = place

    def write(self, data):
        self[self._at : self._at + len(data)] = data


class VfsLfs2:
    """`vfs.VfsLfs2` with the sizes that are MicroPython's defaults; files have no times."""

    def __init__(self, bdev):
        self._device, self._config = _configured(bdev)
        self._fs = lfs.LFSFilesystem()
        self._files = set()  # littlefs knows of them until they are closed
        self._cwd = "/"
        self._lock = threading.RLock()  # the chip's threads wait for each other here, too
        self._call(lfs.mount, self._config)

    @staticmethod
    def mkfs(bdev):
        _, config = _configured(bdev)
        lfs.format(lfs.LFSFilesystem(), config)

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        self._call(lfs.unmount)

    def chdir(self, path):
        place = self._at(path)
        if place != "/" and self.stat(place)[0] != _FOLDER:
            raise OSError(2, os.strerror(2))
        self._cwd = place

    def getcwd(self):
        return self._cwd

    def open(self, path, mode="r", buffering=-1, encoding=None):
        flags, binary = _flags(mode)
        return self._call(self._opened, self._at(path), flags, _File if binary else _TextFile)

    def ilistdir(self, path="/"):
        """Yield (name, type, 0, size in bytes)."""
        for name, kind, size in self._call(self._listed, self._at(path)):
            if name not in (".", ".."):
                yield (name, kind, 0, size)

    def stat(self, path):
        """MicroPython's tuple of ten: type bits, then the size at 6."""
        found = self._call(lfs.stat, self._at(path))
        return (_kind(found), 0, 0, 0, 0, 0, found.size, 0, 0, 0)

    def statvfs(self, path):
        """Sizes of the file system, as `os.statvfs` of MicroPython."""
        size, count = self._config.block_size, self._config.block_count
        free = count - self._call(lfs.fs_size)
        return (size, size, count, free, free, 0, 0, 0, 0, _NAME_MAX)

    def mkdir(self, path):
        self._call(lfs.mkdir, self._at(path))

    def remove(self, path):
        self._call(lfs.remove, self._at(path))

    rmdir = remove

    def rename(self, old, new):
        self._call(lfs.rename, self._at(old), self._at(new))

    # Whole calls, for `_call`: littlefs points to what is open, and Ctrl-C may not lose that on the way.

    def _opened(self, fs, path, flags, kind):
        file = kind(self, lfs.file_open(fs, path, flags))
        self._files.add(file)
        return file

    @staticmethod
    def _listed(fs, path):
        found = []
        handle = lfs.dir_open(fs, path)
        try:
            while entry := lfs.dir_read(fs, handle):
                found.append((entry.name, _kind(entry), entry.size))
        finally:
            lfs.dir_close(fs, handle)
        return found

    def _at(self, path):
        return "/" + path.strip("/") if path.startswith("/") else (self._cwd + "/" + path).strip("/")

    def _call(self, function, *arguments):
        """Have littlefs do something. Ctrl-C waits meanwhile, as for all that is C on the chip."""
        with self._lock:
            before = _signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)
            try:
                return function(self._fs, *arguments)
            except LittleFSError as error:
                raise OSError(-error.code, os.strerror(-error.code)) from None
            finally:
                failure, self._device.failure = self._device.failure, None
                _signal.pthread_sigmask(signal.SIG_SETMASK, before)
                if failure:
                    raise failure


class _File(io.IOBase):
    """A file of bytes. One that is never closed is never written, as if garbage were never collected."""

    def __init__(self, vfs, handle):
        self._vfs = vfs
        self._handle = handle

    def __del__(self):
        pass

    @property
    def closed(self):
        return self._handle is None

    def read(self, size=-1):
        if size < 0:
            size = max(0, self._do(lfs.file_size) - self._do(lfs.file_tell))
        return self._do(lfs.file_read, size)

    def readinto(self, buffer):
        data = self._do(lfs.file_read, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size=-1):
        line = b""
        while size < 0 or len(line) < size:
            piece = self._do(lfs.file_read, _PIECE if size < 0 else min(_PIECE, size - len(line)))
            end = piece.find(b"\n") + 1
            if end:
                self._do(lfs.file_seek, end - len(piece), _FROM_HERE)
                return line + piece[:end]
            line += piece
            if not piece:
                break
        return line

    def write(self, data):
        return self._do(lfs.file_write, data.encode() if isinstance(data, str) else bytes(data))

    def seek(self, offset, whence=0):
        self._do(lfs.file_seek, offset, whence)
        return self.tell()

    def tell(self):
        return self._do(lfs.file_tell)

    def flush(self):
        self._do(lfs.file_sync)

    def close(self):
        if self._handle is not None:
            try:
                self._do(lfs.file_close)
            finally:
                self._handle = None
                self._vfs._files.discard(self)

    def _do(self, function, *arguments):
        if self._handle is None:
            raise ValueError
        return self._vfs._call(function, self._handle, *arguments)


class _TextFile(_File):
    """A file of UTF-8. As in MicroPython, what is read is counted in characters, all else in bytes."""

    def read(self, size=-1):
        if size < 0:
            return super().read().decode()
        text, decoder = "", codecs.getincrementaldecoder("utf-8")()
        while len(text) < size and (data := super().read(size - len(text))):
            text += decoder.decode(data)
        return text + decoder.decode(b"", final=True)

    def readline(self, size=-1):
        return super().readline(size).decode()


def _configured(bdev):
    device = _Device(bdev)
    size, count = bdev.ioctl(_BLOCK_SIZE, 0), bdev.ioctl(_BLOCK_COUNT, 0)
    return device, lfs.LFSConfig(context=device, block_size=size, block_count=count, **SIZES)


def _flags(mode):
    flags = 0
    for letter in mode:
        if letter in _FLAGS and flags:
            raise ValueError
        flags |= _FLAGS.get(letter, 0)
        if letter == "+":
            flags |= _RDWR
    return flags or _RDONLY, "b" in mode


def _kind(entry):
    return _FILE if entry.type == lfs.LFSStat.TYPE_REG else _FOLDER
