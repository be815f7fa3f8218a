# The flash chip: each change of it is one write, and the power can fail at any of them.

BLOCK_BYTES = 4096
BLOCKS = 240  # of the `vfs` partition: 983,040 bytes on 4 MB with two application slots
_BLOCK_COUNT, _BLOCK_SIZE, _BLOCK_ERASE = 4, 5, 6  # requests to a block device
_EIO = 5


class PowerCut(BaseException):
    """The power failed. A BaseException, so that no handler in device code takes it for an error."""


class Flash:
    """NVS, a Folder, and what every write of flash passes, a block of files or of an image, or a key of NVS.

    gate: called at each write; returns None, or what a power cut leaves: "before", "torn" or "after".
    cut: called when the power fails; must not return.
    """

    def __init__(self, nvs, gate, cut):
        self.nvs = nvs
        self.uncommitted = {}  # (namespace, key) -> NVS data, None where erased
        self.partitions = None  # _partition.Partitions, where somebody looks at them
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


class Blocks:
    """The `vfs` partition, kept in `file`, as MicroPython wants a block device: littlefs lies on it.

    Each program of a piece of a block and each erase of a block is one write; a cut amid one leaves the first
    half of it done.
    """

    def __init__(self, file, flash):
        self.file = file
        self._flash = flash
        # A partition of another size may have been read from a board, or made for one.
        self._count = (len(file) if hasattr(file, "__len__") else file.seek(0, 2)) // BLOCK_BYTES

    def readblocks(self, number, buffer, offset=0):
        self.file.seek(number * BLOCK_BYTES + offset)
        self.file.readinto(buffer)

    def writeblocks(self, number, buffer, offset):
        return self._write(number * BLOCK_BYTES + offset, buffer)

    def ioctl(self, request, argument):
        if request == _BLOCK_COUNT:
            return self._count
        if request == _BLOCK_SIZE:
            return BLOCK_BYTES
        if request == _BLOCK_ERASE:
            return self._write(argument * BLOCK_BYTES, b"\xff" * BLOCK_BYTES)
        return 0

    def _write(self, place, data):
        try:
            self._flash.write(lambda: self._put(place, data), torn=lambda: self._put(place, _half(data)))
        except MemoryError:  # as in a finaliser; past littlefs' C it must not fly
            return -_EIO
        return 0

    def _put(self, place, data):
        self.file.seek(place)
        self.file.write(data)


def _half(data):
    return memoryview(data)[: len(data) // 2]


class Folder:
    """A folder of the host as the root of a file system: NVS, and for who debugs the files too."""

    def __init__(self, posix, root):
        self._posix = posix  # a vfs.VfsPosix without a root: with one, its rename is broken in v1.28
        self._root = root

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
        return self._posix.open(self._at(path), mode)

    def ilistdir(self, path="/"):
        """Yield (name, type, 0, size in bytes), as littlefs does."""
        for entry in self._posix.ilistdir(self._at(path)):
            yield (entry[0], entry[1], 0, self.stat(path + "/" + entry[0])[6])

    def stat(self, path):
        return self._posix.stat(self._at(path))

    def statvfs(self, path):
        return self._posix.statvfs(self._at(path))

    def mkdir(self, path):
        self._posix.mkdir(self._at(path))

    def remove(self, path):
        self._posix.remove(self._at(path))

    def rename(self, old, new):
        self._posix.rename(self._at(old), self._at(new))

    def rmdir(self, path):
        self._posix.rmdir(self._at(path))

    def _at(self, path):
        return self._root + "/" + path.strip("/")
