"""A second reader of packs, by the form that lib/pack.py tells; and packs as they were before."""

import binascii
import itertools
import struct
import zlib


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a pack, by their paths; the dictionary and the last one, which lists those, left out."""
    magic, window_bits, units, size = struct.unpack_from(">4sBBH", data)
    index = [(key, high << 16 | low) for key, high, low in struct.iter_unpack(">IBH", data[8 : 8 + size])]
    assert len(dict(index)) == len(index)
    files = sorted(((key, offset) for key, offset in index if offset), key=lambda file: file[1] & 0x7FFFFF)
    assert files[0][1] & 0x7FFFFF == 8 + size
    dictionary, place = b"", len(data)
    if magic == b"PACK":
        assert (window_bits, units) == (0, 0)
        window_bits = 9
    else:
        assert magic == b"PAC2" and window_bits == 10
        key, place = index[0]
        assert key == binascii.crc32(b"dictionary")
        dictionary = data[place + 5 : place + 5 + 16 * units]
        assert data[place : place + 5] == struct.pack("<BHH", 0, 16 * units, 16 * units ^ 0xFFFF)

    def content(start: int, end: int) -> bytes:
        found = data[start & 0x7FFFFF : end & 0x7FFFFF]
        if not start & 0x800000:
            return found
        refers = start & 0x7FFFFF > place
        inflate = zlib.decompressobj(-window_bits, zdict=dictionary if refers else b"")
        found = inflate.decompress(found)
        assert inflate.eof and not inflate.unused_data
        return found

    contents = content(files[-1][1], len(data)).decode()
    paths = contents.split("\n") if contents else []
    folders = {path[:at] for path in paths for at, letter in enumerate(path) if letter == "/"}
    assert {binascii.crc32(folder.encode()) for folder in folders} == dict(index).keys() - dict(files).keys()
    found = {}
    for path, (key, start), (_, end) in zip(paths, files[:-1], files[1:], strict=True):
        assert key == binascii.crc32(path.encode())
        found[path] = content(start, end)
    if dictionary:
        assert found.pop("dictionary") == data[place : place + 5] + dictionary
    return found


def old_form(modules: dict[str, bytes], deflates: bool = True) -> bytes:
    """The pack that these modules were before packs had a dictionary, or deflated anything at all."""
    folders = {path[:at] for path in modules for at, letter in enumerate(path) if letter == "/"}
    files = dict(modules)
    if deflates:
        for path, module in modules.items():
            deflate = zlib.compressobj(9, zlib.DEFLATED, -9, 9)
            files[path] = deflate.compress(module) + deflate.flush()
    files["contents.txt"] = "\n".join(modules).encode()
    size = 7 * (len(folders) + len(files))
    offsets = itertools.accumulate(map(len, files.values()), initial=8 + size)
    index = [(folder, 0) for folder in sorted(folders)]
    for path, offset in zip(files, offsets, strict=False):
        index.append((path, offset | (0x800000 if deflates and path in modules else 0)))
    head = b"PACK" + size.to_bytes(4, "big")
    for path, offset in index:
        head += struct.pack(">IBH", binascii.crc32(path.encode()), offset >> 16, offset & 0xFFFF)
    return head + b"".join(files.values())
