"""Reads ESP-IDF's key-value store, by its documentation alone ("Non-Volatile Storage Library", Internals)."""

import struct
import zlib

PAGE_BYTES, ENTRY_BYTES, ENTRIES = 4096, 32, 126
ACTIVE, FULL = 0xFFFFFFFE, 0xFFFFFFFC
VERSION_2 = 0xFE
WRITTEN, EMPTY = 0b10, 0b11  # states of an entry
U8, BLOB_DATA, BLOB_INDEX = 0x01, 0x42, 0x48


def read(partition: bytes) -> dict[tuple[str, str], bytes | int]:
    """What is stored, by namespace and key. AssertionError where a page, an entry or its data is damaged."""
    namespaces: dict[int, str] = {}
    numbers: dict[tuple[int, str], int] = {}
    chunks: dict[tuple[int, str], dict[int, bytes]] = {}
    indices: dict[tuple[int, str], tuple[int, int, int]] = {}
    for start in range(0, len(partition), PAGE_BYTES):
        page = partition[start : start + PAGE_BYTES]
        if page == b"\xff" * PAGE_BYTES:
            continue
        state, _, version = struct.unpack_from("<IIB", page)
        assert state in (ACTIVE, FULL) and version == VERSION_2
        assert struct.unpack_from("<I", page, 28)[0] == _crc(page[4:28])
        states = int.from_bytes(page[32:64], "little")
        at = 0
        while at < ENTRIES:
            entry = page[64 + at * ENTRY_BYTES :][:ENTRY_BYTES]
            if states >> 2 * at & 3 != WRITTEN:
                assert states >> 2 * at & 3 == EMPTY and entry == b"\xff" * ENTRY_BYTES
                at += 1
                continue
            space, kind, span, chunk, crc, name, value = struct.unpack("<BBBBI16s8s", entry)
            assert crc == _crc(entry[:4] + entry[8:])
            key = name.partition(b"\0")[0].decode()
            if kind == U8 and space == 0:
                namespaces[value[0]] = key
            elif kind == BLOB_DATA:
                size, crc = struct.unpack("<HxxI", value)
                data = page[64 + (at + 1) * ENTRY_BYTES :][:size]
                assert crc == _crc(data) and span == 1 + -(-size // ENTRY_BYTES)
                chunks.setdefault((space, key), {})[chunk] = data
            elif kind == BLOB_INDEX:
                indices[space, key] = struct.unpack("<IBBxx", value)
            else:
                numbers[space, key] = int.from_bytes(value[: kind & 15], "little", signed=bool(kind & 0x10))
            at += span
    found: dict[tuple[str, str], bytes | int] = {
        (namespaces[space], key): number for (space, key), number in numbers.items()
    }
    for (space, key), (size, count, first) in indices.items():
        data = b"".join(chunks[space, key][first + number] for number in range(count))
        assert len(data) == size
        found[namespaces[space], key] = data
    return found


def _crc(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF)
