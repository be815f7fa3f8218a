# The flash chip: every change of a file or of NVS is one write, and the power can fail at any of them.

import io
import sys

HIDDEN = "/.sim"
_LOST = "/.lost"  # beside NVS: the path of the entry that is not found
_MAX_BLOCK = 4096
_Base = io.IOBase if sys.implementation.name == "micropython" else object  # for json.dump(…, file)


class PowerCut(BaseException):
    """The power failed. A BaseException, so that no handler in device code takes it for an error."""


class Folder:
    """A folder of the host as the root of a file system. Its paths start with a slash."""

    def __init__(self, posix, root):
        self._posix = posix  # a vfs.VfsPosix without a root: with one, its rename is broken in v1.28
        self._root = root

    def open(self, path, mode):
        return self._posix.open(self._root + path, mode)

    def ilistdir(self, path):
        """Yield (name, type, 0, size in bytes), as littlefs does."""
        for entry in self._posix.ilistdir(self._root + path):
            yield (entry[0], entry[1], 0, self.stat(path + "/" + entry[0])[6])

    def stat(self, path):
        return self._posix.stat(self._root + path)

    def statvfs(self, path):
        return self._posix.statvfs(self._root + path)

    def mkdir(self, path):
        self._posix.mkdir(self._root + path)

    def remove(self, path):
        self._posix.remove(self._root + path)

    def rename(self, old, new):
        self._posix.rename(self._root + old, self._root + new)

    def rmdir(self, path):
        self._posix.rmdir(self._root + path)


class Flash:
    """Files and NVS, each a Folder.

    gate: called at each write; returns None, or what a power cut leaves: "before", "torn" or "after".
    cut: called when the power fails; must not return.
    """

    def __init__(self, files, nvs, gate, cut):
        self.files = files
        self.nvs = nvs
        self.uncommitted = {}  # (namespace, key) -> NVS data, None where erased
        self._gate = gate
        self._cut = cut

    def write(self, whole, torn=None, after=None):
        """Do `whole` as one write. A cut in its middle leaves what `torn` does, or nothing; a cut behind it
        what `after` does, or the whole."""
        outcome = self._gate()
        if outcome is None:
            return whole()
        if outcome == "torn" and torn:
            torn()
        elif outcome == "after":
            try:
                (after or whole)()
            except OSError:
                pass  # nobody will hear of it
        return self._cut()


current = [None]  # the Flash of this device


class FlashVfs:
    """The file system `/` of a chip, in the form that MicroPython's `vfs.mount` takes.

    As in littlefs of MicroPython 1.28 and 1.29, after a power cut within a move from folder to folder the
    entry behind the moved one is not found any more, at no start, until something is changed.

    hidden: folders that can be imported from, as HIDDEN and a number, and are in no listing.
    """

    def __init__(self, flash, hidden=()):
        self._flash = flash
        self._files = flash.files
        self._hidden = hidden
        self._lost = None  # the path of the entry that is not found
        try:
            with flash.nvs.open(_LOST, "r") as file:
                self._lost = file.read()
        except OSError:
            pass

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def chdir(self, path):
        if path not in ("", "/"):
            raise OSError(1)  # EPERM: the chip's code has no use for it

    def getcwd(self):
        return "/"

    def open(self, path, mode="r", buffering=-1, encoding=None):
        if not set("wax+") & set(mode):
            files, path = self._find(path)
            return files.open(path, mode)
        self._find_again()
        if "w" in mode or not self._exists(path):
            raw = self._flash.write(lambda: self._open_raw(path, mode))
        else:
            raw = self._open_raw(path, mode)
        return FlashFile(self._flash, raw, "b" in mode)

    def ilistdir(self, path="/"):
        folder = _rooted(path)
        self._check_found(folder)
        for entry in self._files.ilistdir(folder):
            if self._lost is None or _inside(folder, entry[0]) != self._lost:
                yield entry

    def stat(self, path):
        files, path = self._find(path)
        return files.stat(path)

    def statvfs(self, path):
        return self._files.statvfs(_rooted(path))

    def mkdir(self, path):
        self._find_again()
        self._flash.write(lambda: self._files.mkdir(_rooted(path)))

    def remove(self, path):
        self._change(path, self._files.remove)

    def rename(self, old, new):
        old, new = _rooted(old), _rooted(new)

        def torn():
            behind = [entry[0] for entry in self._files.ilistdir(_folder(old)) if entry[0] > _name(old)]
            self._files.rename(old, new)
            if behind:
                with self._flash.nvs.open(_LOST, "w") as file:
                    file.write(_inside(_folder(old), min(behind)))

        between = _folder(old) != _folder(new)  # within a folder it is atomic
        self._change(old, lambda path: self._files.rename(path, new), torn if between else None)

    def rmdir(self, path):
        self._change(path, self._files.rmdir)

    def _change(self, path, function, torn=None):
        """Changes an entry that is there; else it is an error, and nothing is written."""
        self._find_again()
        path = _rooted(path)
        self._files.stat(path)
        self._flash.write(lambda: function(path), torn)

    def _find_again(self):
        """What littlefs does first in whatever changes something."""
        if self._lost is not None:
            self._flash.write(lambda: self._flash.nvs.remove(_LOST))
            self._lost = None

    def _check_found(self, path):
        if self._lost is not None and (path + "/").startswith(self._lost + "/"):
            raise OSError(2)  # ENOENT

    def _find(self, path):
        path = _rooted(path)
        if not path.startswith(HIDDEN):
            self._check_found(path)
            return self._files, path
        number, _, rest = path[len(HIDDEN) :].partition("/")
        return self._hidden[int(number)], "/" + rest

    def _exists(self, path):
        try:
            self._files.stat(_rooted(path))
        except OSError:
            return False
        return True

    def _open_raw(self, path, mode):
        return self._files.open(_rooted(path), mode.replace("t", "").replace("b", "") + "b")


class FlashFile(_Base):
    """A file open for writing: every write reaches the flash at once, and a cut tears it in two."""

    def __init__(self, flash, raw, binary):
        self._flash = flash
        self._raw = raw
        self._binary = binary

    def write(self, data):
        if not self._binary:
            data = data.encode() if isinstance(data, str) else bytes(data)
        data = memoryview(data)
        for start in range(0, len(data), _MAX_BLOCK):
            self._write_block(data[start : start + _MAX_BLOCK])
        return len(data)

    def _write_block(self, block):
        torn = block[: len(block) // 2]
        self._flash.write(lambda: self._raw.write(block), torn=lambda: self._raw.write(torn))

    def read(self, size=-1):
        data = self._raw.read(size)
        return data if self._binary else data.decode()

    def readinto(self, buffer):
        return self._raw.readinto(buffer)

    def readline(self):
        line = self._raw.readline()
        return line if self._binary else line.decode()

    def seek(self, offset, whence=0):
        return self._raw.seek(offset, whence)

    def tell(self):
        return self._raw.tell()

    def flush(self):
        pass

    def close(self):
        if self._raw:
            raw, self._raw = self._raw, None
            raw.close()
            self._flash.write(_nothing)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()


def _nothing():
    pass


def _folder(path):
    return path[: path.rfind("/")] or "/"


def _name(path):
    return path[path.rfind("/") + 1 :]


def _inside(folder, name):
    return _rooted(folder + "/" + name)


def _rooted(path):
    return "/" + path.strip("/")
