"""The files of a simulated chip, from outside: a littlefs in an image file, or a folder for who debugs."""

import fnmatch
import functools
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath

from tools import application
from tools.sim.cpython import load_shim
from tools.sim.cpython.lfs import Memory, VfsLfs2

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

flash_shim = load_shim("_flash")
# A chip with two application slots has 960 KB, into which packs go, but not the library's sources: what is
# installed from those has 2 MB, as where there is one slot.
_PACKED_MOST_BYTES = 500_000
_SOURCES_BLOCKS = 512
_FOLDER = 0x4000


class InUse(OSError):
    """The flash is a powered device's alone: littlefs knows more of it than is written as yet."""


class Image:
    """The `vfs` partition of a chip in `file`, made where it is not there, for its owner's eyes only.

    It can be written to a real chip as it is, at the address 0x310000 of the image with two slots.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.exists():
            self._write(_formatted())
        file.chmod(0o600)

    @property
    def root(self) -> "FlashPath":
        return FlashPath(self, PurePosixPath("/"))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one, of all processes, who changes it; InUse where somebody else is.

        Windows has no such lock: there it is left to the user.
        """
        with self.file.open("rb") as file:
            try:
                if fcntl:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InUse(f"{self.file}: in use by a device that has power") from None
            yield

    @contextmanager
    def read(self) -> Iterator[VfsLfs2]:
        """Its file system as it is now, not to be changed."""
        yield _mounted(self.file.read_bytes())

    @contextmanager
    def changed(self, own: bool = False) -> Iterator[VfsLfs2]:
        """Its file system, to be changed: at an exception nothing is. InUse while a device has power.

        own: the lock is the caller's already.
        """
        with nullcontext() if own else self.lock():
            data = Memory(self.file.read_bytes())
            yield _mounted(data)
            self._write(data)

    def install(self, files: Mapping[str, bytes], removed: Iterable[str] = ()) -> None:
        """Write the files, by their paths, that are not there or differ, and the folders they are in.

        Of `removed` those go that are there.
        """
        if self.file.read_bytes() == _formatted():  # 200 new devices are made once
            with self.lock():
                self._write(_installed(tuple(files.items())))
            return
        with self.changed() as vfs:
            _put(vfs, files)
            for path in removed:
                if _is_there(vfs, path):
                    vfs.remove(path)

    def append(self, path: str, data: bytes, own: bool) -> None:
        """Write to a file's end. own: as for `changed`."""
        with self.changed(own) as vfs, vfs.open(f"/{path}", "ab") as file:
            file.write(data)

    def _write(self, data: bytes | bytearray) -> None:
        with open(os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(data)


class HostFolder:
    """A folder in an image's place, made where it is not there, for its owner's eyes only; it has no lock."""

    def __init__(self, folder: Path) -> None:
        self.file = self.root = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)

    def lock(self) -> nullcontext[None]:
        return nullcontext()

    def install(self, files: Mapping[str, bytes], removed: Iterable[str] = ()) -> None:
        for path, data in files.items():
            file = self.root / path[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        for path in removed:
            (self.root / path[1:]).unlink(missing_ok=True)

    def append(self, path: str, data: bytes, own: bool) -> None:
        with (self.root / path).open("ab") as file:
            file.write(data)


class FlashPath:
    """A path on an image, with as much of pathlib's calls as a file system of files and folders needs."""

    def __init__(self, image: Image, path: PurePosixPath) -> None:
        self._image = image
        self._path = path
        self.name = path.name

    def __truediv__(self, path: str) -> "FlashPath":
        return FlashPath(self._image, self._path / path)

    def __str__(self) -> str:
        return str(self._path)

    @property
    def parent(self) -> "FlashPath":
        return FlashPath(self._image, self._path.parent)

    def exists(self) -> bool:
        return self._kind() is not None

    def is_dir(self) -> bool:
        return self._kind() == _FOLDER

    def iterdir(self) -> Iterator["FlashPath"]:
        with self._image.read() as vfs:
            return iter([self / entry[0] for entry in vfs.ilistdir(str(self))])

    def rglob(self, pattern: str) -> Iterator["FlashPath"]:
        """All files and folders below it whose name is like `pattern`."""
        for path in self.iterdir():
            if fnmatch.fnmatchcase(path.name, pattern):
                yield path
            if path.is_dir():
                yield from path.rglob(pattern)

    def read_bytes(self) -> bytes:
        with self._image.read() as vfs, vfs.open(str(self), "rb") as file:
            return file.read()

    def read_text(self) -> str:
        return self.read_bytes().decode()

    def write_bytes(self, data: bytes) -> int:
        with self._image.changed() as vfs, vfs.open(str(self), "wb") as file:
            return file.write(data)

    def write_text(self, text: str) -> int:
        return self.write_bytes(text.encode())

    def touch(self) -> None:
        self.write_bytes(b"")

    @contextmanager
    def open(self, mode: str) -> Iterator[io.StringIO]:
        """Text to be written, "w", or to be added, "a"; it is there with the end of the block."""
        text = io.StringIO(self.read_text() if mode == "a" and self.exists() else "")
        text.seek(0, io.SEEK_END)
        yield text
        self.write_text(text.getvalue())

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        if parents and not self.parent.exists():
            self.parent.mkdir(parents=True)
        if not (exist_ok and self.is_dir()):
            with self._image.changed() as vfs:
                vfs.mkdir(str(self))

    def unlink(self, missing_ok: bool = False) -> None:
        if not missing_ok or self.exists():
            with self._image.changed() as vfs:
                vfs.remove(str(self))

    def _kind(self) -> int | None:
        if self.name == "":
            return _FOLDER
        with self._image.read() as vfs:
            try:
                return vfs.stat(str(self))[0]
            except OSError:
                return None


def blocks(data: Memory | bytes) -> object:
    """A block device over `data`, on which no power is cut."""
    return flash_shim.Blocks(data, flash_shim.Flash(None, gate=lambda: None, cut=lambda: None))


def product(source: Path) -> dict[str, bytes]:
    """boot.py, main.py and lib of a folder, and firmware of the application's, by their paths on the chip."""
    found = {f"/{name}": (source / name).read_bytes() for name in ("boot.py", "main.py")}
    for path in sorted((source / "lib").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found["/" + path.relative_to(source).as_posix()] = path.read_bytes()
    folder = application.folder(source)
    for path in application.files(folder):
        found["/" + path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def _mounted(data: Memory | bytes) -> VfsLfs2:
    return VfsLfs2(blocks(data))


def _put(vfs: VfsLfs2, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        try:
            _put_one(vfs, path, data)
        except OSError as error:
            raise OSError(f":{path}: {error.strerror}") from None


def _put_one(vfs: VfsLfs2, path: str, data: bytes) -> None:
    for folder in reversed(PurePosixPath(path).parents[:-1]):
        if not _is_there(vfs, str(folder)):
            vfs.mkdir(str(folder))
    if _is_there(vfs, path):
        with vfs.open(path, "rb") as file:
            if file.read() == data:
                return
    with vfs.open(path, "wb") as file:
        file.write(data)


def _is_there(vfs: VfsLfs2, path: str) -> bool:
    try:
        vfs.stat(path)
    except OSError:
        return False
    return True


@functools.cache
def _formatted(count: int = flash_shim.BLOCKS) -> bytes:
    data = Memory(b"\xff" * flash_shim.BLOCK_BYTES * count)
    VfsLfs2.mkfs(blocks(data))
    return bytes(data)


@functools.lru_cache(maxsize=4)
def _installed(files: tuple[tuple[str, bytes], ...]) -> bytes:
    is_large = sum(map(len, dict(files).values())) > _PACKED_MOST_BYTES
    data = Memory(_formatted(_SOURCES_BLOCKS if is_large else flash_shim.BLOCKS))
    _put(_mounted(data), dict(files))
    return bytes(data)
