"""ESP-IDF's partition table (docs.espressif.com/projects/esp-idf: "Partition Tables"): read, and added to."""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

TABLE_OFFSET = 0x8000  # in the flash
TABLE_BYTES = 0xC00
APPLICATION, DATA = 0, 1
NVS, FAT = 2, 0x81  # subtypes of DATA; MicroPython gives its file system the latter
FILES = "vfs"  # the name by which MicroPython looks for it
_ENTRY = struct.Struct("<HBBII16sI")
_MAGIC, _MD5_MAGIC, _END_MAGIC = 0x50AA, 0xEBEB, 0xFFFF


@dataclass(frozen=True)
class Partition:
    """An entry of the partition table."""

    kind: int
    subtype: int
    offset: int
    size: int
    name: str = ""
    flags: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size


def parse(table: bytes) -> list[Partition]:
    """The entries of a table: 32 bytes each, then mostly the MD5 of all before it, then 0xff.

    Raises ValueError where it is damaged, or none.
    """
    found: list[Partition] = []
    for start in range(0, len(table) - _ENTRY.size + 1, _ENTRY.size):
        magic, kind, subtype, offset, size, name, flags = _ENTRY.unpack_from(table, start)
        if magic == _END_MAGIC:
            return found
        if magic == _MAGIC:
            text = name.partition(b"\0")[0].decode(errors="replace")
            found.append(Partition(kind, subtype, offset, size, text, flags))
        elif magic != _MD5_MAGIC or not table.startswith(_md5(table[:start]), start + 16):
            break
    raise ValueError("no partition table")


def made(partitions: Iterable[Partition]) -> bytes:
    """The table with these entries, and its MD5.

    Raises ValueError where they are too many.
    """
    entries = b"".join(
        _ENTRY.pack(_MAGIC, one.kind, one.subtype, one.offset, one.size, one.name.encode(), one.flags)
        for one in partitions
    )
    table = entries + struct.pack("<H", _MD5_MAGIC).ljust(16, b"\xff") + _md5(entries)
    if len(table) + _ENTRY.size > TABLE_BYTES:
        raise ValueError("no room in the partition table")
    return table.ljust(TABLE_BYTES, b"\xff")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
