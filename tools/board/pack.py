"""Makes the one file that holds a device's modules; lib/pack.py reads it on the device, and tells its form.

Modules are deflated, which takes a quarter off them; of those that a start loads, others only where it takes
as much. Those that no start loads are deflated with a dictionary, where they are smaller so: a pack is 2.4 KB
less. In a start, each look into it would cost milliseconds. A pack's last file, which only tools read, lists
the paths of the others.
"""

import binascii
import functools
import itertools
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .start import order, source

MOUNT = "/pack"  # where its modules are on the device, and how their tracebacks call them
DICTIONARY = "dictionary"
CONTENTS = "contents.txt"
DICTIONARY_FILE = Path(__file__).with_name("dictionary.bin")  # dictionary.py makes it
UNIT_SIZE = 16  # of the dictionary
_HEADER = struct.Struct(">4sBBH")
_MAGIC, _OLD_MAGIC = b"PAC2", b"PACK"
_RECORD_SIZE = 7
_MOST_RECORDS = 0xFFFF // _RECORD_SIZE
_DEFLATED = 1 << 23  # in an offset
_WINDOW_BITS, _OLD_WINDOW_BITS = 10, 9
_MEMORY_LEVEL = 9
# Of a block that is stored: 1 for its stream's last; its size, and that inverted.
_BLOCK_HEADER = struct.Struct("<BHH")


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
    stored = files(modules, kept_dictionary())
    contents = "\n".join(path for path, _ in stored).encode()
    stored.append((CONTENTS, deflated(contents, kept_dictionary())))
    offset = _HEADER.size + _RECORD_SIZE * (len(folders) + len(stored))
    offsets = [(path, 0) for path in sorted(folders)]
    for path, data in stored:
        offsets.append((path, offset | (_DEFLATED if path != DICTIONARY else 0)))
        offset += len(data)
    if offset >= _DEFLATED:
        raise ValueError(f"{offset} bytes are more than a pack can have, {_DEFLATED}")
    index: dict[bytes, bytes] = {}
    for path, start in sorted(offsets, key=lambda entry: entry[0] != DICTIONARY):  # that is the first
        if (key := _key(path)) in index:
            raise ValueError(f"{path}: another path has the same checksum; give it another name")
        index[key] = start.to_bytes(3, "big")
    if len(index) > _MOST_RECORDS:
        raise ValueError(f"{len(index)} files and folders are more than a pack can have, {_MOST_RECORDS}")
    head = _HEADER.pack(_MAGIC, _WINDOW_BITS, len(kept_dictionary()) // UNIT_SIZE, _RECORD_SIZE * len(index))
    head += b"".join(itertools.chain.from_iterable(index.items()))
    return [head, *(data for _, data in stored)]


def files(modules: dict[str, bytes], dictionary: bytes) -> list[tuple[str, bytes]]:
    """The modules and the dictionary as a pack has them, with their paths, in its order.

    Behind the dictionary and with it: what no start loads, where it is smaller so.
    """
    # To search a place in a file of littlefs takes longer than to read a module.
    first = [*filter(modules.get, in_a_start())]
    alone = {path: deflated(modules[path]) for path in dict.fromkeys([*first, *sorted(modules)])}
    alone.update({path: _quick(modules[path], alone[path]) for path in first})
    behind = {path: deflated(modules[path], dictionary) for path in alone if path not in first}
    behind = {path: data for path, data in behind.items() if len(data) < len(alone[path])}
    before = [(path, data) for path, data in alone.items() if path not in behind]
    return [*before, (DICTIONARY, _block(dictionary, last=False)), *behind.items()]


def _quick(module: bytes, data: bytes) -> bytes:
    """What a start loads: to inflate it takes longer than to read more, and has to be worth it."""
    return data if len(data) * 4 <= len(module) * 3 else _block(module, last=True)


def _block(data: bytes, last: bool) -> bytes:
    """A block that is stored (RFC 1951, 3.2.4)."""
    return _BLOCK_HEADER.pack(last, len(data), len(data) ^ 0xFFFF) + data


@functools.cache
def kept_dictionary() -> bytes:
    """What packs are made with. It rarely changes: with it all modules change that refer back into it."""
    return DICTIONARY_FILE.read_bytes()


@functools.cache
def in_a_start() -> list[str]:
    """What a start imports, by paths in a pack, in that order."""
    found = [(name, file) for name in order() if (file := source(name)) and file.stat().st_size]
    stems = [f"{name.replace('.', '/')}{'/__init__' * (file.stem == '__init__')}" for name, file in found]
    return [f"{stem}.mpy" for stem in stems]


def deflated(module: bytes, dictionary: bytes = b"") -> bytes:
    """A file as a pack has it, in front of the dictionary or, with it, behind."""
    deflate = zlib.compressobj(
        zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY_LEVEL, zdict=dictionary
    )
    return deflate.compress(module) + deflate.flush()


def inflated(data: bytes, dictionary: bytes = b"") -> bytes:
    """The file that a pack with this dictionary has deflated so, wherever it is in that.

    Raises ValueError where it is damaged.
    """
    inflate = zlib.decompressobj(-_WINDOW_BITS, zdict=dictionary)
    try:
        module = inflate.decompress(data)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflate.eof:
        raise ValueError("it ends too early")
    return module


def unblocked(block: bytes) -> bytes:
    """The dictionary that a pack has in this block."""
    return block[_BLOCK_HEADER.size :]


def places(read: Callable[[int, int], bytes], size: int) -> dict[str, Stored]:
    """Where a pack of `size` bytes has its files, in their order, by their paths; also an older one.

    Nothing is in what is no pack, or has a damaged head.

    Args:
        read: gives the bytes from an offset on, so many of them.
        size: of the whole.
    """
    header = read(0, _HEADER.size).ljust(_HEADER.size, b"\0")
    magic, window_bits, _, length = _HEADER.unpack(header)
    known = (magic, window_bits) in ((_MAGIC, _WINDOW_BITS), (_OLD_MAGIC, 0))
    if not known or length % _RECORD_SIZE or not 0 < length <= size - _HEADER.size:
        return {}
    index = read(_HEADER.size, length)
    records = [index[at : at + _RECORD_SIZE] for at in range(0, length, _RECORD_SIZE)]
    entries = [(record[:4], offset) for record in records if (offset := int.from_bytes(record[4:], "big"))]
    entries.sort(key=lambda entry: entry[1] & ~_DEFLATED)  # the dictionary's comes first
    bounds = [*(offset & ~_DEFLATED for _, offset in entries), size]
    if bounds[0] != _HEADER.size + length or bounds != sorted(bounds):
        return {}
    found = [
        Stored(start, end - start, bool(offset & _DEFLATED))
        for (_, offset), (start, end) in zip(entries, itertools.pairwise(bounds), strict=True)
    ]
    paths = _paths(lambda place: read(place.start, place.size), found)
    if [_key(path) for path in paths] != [key for key, _ in entries]:
        return {}
    return dict(zip(paths, found, strict=True))


def _paths(read: Callable[[Stored], bytes], places: list[Stored]) -> list[str]:
    """What the last of the files says, which lists the others; nothing where it is damaged."""
    contents = read(places[-1])
    if places[-1].is_deflated:
        dictionary = b"".join(unblocked(read(place)) for place in places if not place.is_deflated)
        try:
            contents = inflated(contents, dictionary)
        except ValueError:
            return []
    return [*contents.decode(errors="replace").split("\n"), CONTENTS] if contents else [CONTENTS]


def _key(path: str) -> bytes:
    return binascii.crc32(path.encode()).to_bytes(4, "big")
