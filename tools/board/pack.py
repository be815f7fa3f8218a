"""Makes the one file that holds a device's modules; lib/pack.py reads it on the device, and tells its form.

Modules are deflated: that takes a fifth off them. A pack's last file, which only tools read, lists the paths
of the others.
"""

import binascii
import functools
import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .start import ROOT, order, source

MOUNT = "/pack"  # where its modules are on the device, and how their tracebacks call them
CONTENTS = "contents.txt"
_MAGIC = b"PACK"
_HEADER_SIZE = 8
_RECORD_SIZE = 7
_DEFLATED = 1 << 23  # in an offset
_WINDOW_BITS = 9
_MEMORY_LEVEL = 9


@dataclass(frozen=True)
class Stored:
    """Where a pack has a file: offset and size, and whether it is deflated."""

    start: int
    size: int
    is_deflated: bool


def pack(modules: dict[str, bytes]) -> bytes:
    """A pack of these .mpy files, by their paths in it: the same files make the same bytes.

    Raises ValueError where two paths have one checksum, or there is too much of it.
    """
    return b"".join(pieces(modules))


def pieces(modules: dict[str, bytes]) -> list[bytes]:
    """What `pack` makes, in its parts: the head, then each file."""
    folders = {str(folder) for path in modules for folder in PurePosixPath(path).parents if folder.name}
    # To search a place in a file of littlefs takes longer than to read a module.
    first = [*filter(modules.get, in_a_start())]
    contents = {path: deflated(modules[path]) for path in dict.fromkeys([*first, *sorted(modules)])}
    files = [*contents.items(), (CONTENTS, "\n".join(contents).encode())]
    offset = _HEADER_SIZE + _RECORD_SIZE * (len(folders) + len(files))
    offsets = [(path, 0) for path in sorted(folders)]
    for path, data in files:
        offsets.append((path, offset | (_DEFLATED if path != CONTENTS else 0)))
        offset += len(data)
    if offset >= _DEFLATED:
        raise ValueError(f"{offset} bytes are more than a pack can have, {_DEFLATED}")
    index: dict[bytes, bytes] = {}
    for path, start in offsets:
        if (key := _key(path)) in index:
            raise ValueError(f"{path}: another path has the same checksum; give it another name")
        index[key] = start.to_bytes(3, "big")
    size = (_RECORD_SIZE * len(index)).to_bytes(4, "big")
    head = _MAGIC + size + b"".join(itertools.chain.from_iterable(index.items()))
    return [head, *(data for _, data in files)]


@functools.cache
def in_a_start() -> list[str]:
    """What a start imports, by paths in a pack, in that order."""
    files = [file.relative_to(ROOT) for name in order() if (file := source(name)) and file.stat().st_size]
    return [file.with_suffix(".mpy").as_posix().removeprefix("lib/") for file in files]


def deflated(module: bytes) -> bytes:
    """A module as a pack has it."""
    deflate = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY_LEVEL)
    return deflate.compress(module) + deflate.flush()


def inflated(data: bytes) -> bytes:
    """The module that a pack has deflated so. Raises ValueError where it is damaged."""
    inflate = zlib.decompressobj(-_WINDOW_BITS)
    try:
        module = inflate.decompress(data)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflate.eof:
        raise ValueError("it ends too early")
    return module


def places(read: Callable[[int, int], bytes], size: int) -> dict[str, Stored]:
    """Where a pack of `size` bytes has its files, in their order, by their paths.

    Nothing is in what is no pack, or has a damaged head.

    Args:
        read: gives the bytes from an offset on, so many of them.
        size: of the whole.
    """
    header = read(0, _HEADER_SIZE)
    length = int.from_bytes(header[len(_MAGIC) :], "big")
    if header[: len(_MAGIC)] != _MAGIC or length % _RECORD_SIZE or not 0 < length <= size - _HEADER_SIZE:
        return {}
    index = read(_HEADER_SIZE, length)
    records = [index[at : at + _RECORD_SIZE] for at in range(0, length, _RECORD_SIZE)]
    files = [(record[:4], offset) for record in records if (offset := int.from_bytes(record[4:], "big"))]
    bounds = [_HEADER_SIZE + length, *(offset & ~_DEFLATED for _, offset in files), size]
    if not files or bounds != sorted(bounds):
        return {}
    contents = read(bounds[-2], size - bounds[-2]).decode(errors="replace")
    paths = [*contents.split("\n"), CONTENTS] if contents else [CONTENTS]
    if [_key(path) for path in paths] != [key for key, _ in files]:
        return {}
    return {
        path: Stored(start, end - start, bool(offset & _DEFLATED))
        for path, (_, offset), (start, end) in zip(paths, files, itertools.pairwise(bounds[1:]), strict=True)
    }


def _key(path: str) -> bytes:
    return binascii.crc32(path.encode()).to_bytes(4, "big")
