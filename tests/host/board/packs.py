"""A second reader of packs, by the form that lib/pack.py tells."""

import binascii
import struct
import zlib


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a pack, by their paths; its last one, which lists those, left out."""
    magic, size = struct.unpack_from(">4sI", data)
    assert magic == b"PACK" and size % 7 == 0
    index = [(key, high << 16 | low) for key, high, low in struct.iter_unpack(">IBH", data[8 : 8 + size])]
    assert len(dict(index)) == len(index)
    files = [(key, offset) for key, offset in index if offset]
    assert files[0][1] & 0x7FFFFF == 8 + size
    contents = data[files[-1][1] :].decode()
    paths = contents.split("\n") if contents else []
    folders = {path[:at] for path in paths for at, letter in enumerate(path) if letter == "/"}
    assert {binascii.crc32(folder.encode()) for folder in folders} == dict(index).keys() - dict(files).keys()
    found = {}
    for path, (key, start), (_, end) in zip(paths, files[:-1], files[1:], strict=True):
        assert key == binascii.crc32(path.encode())
        found[path] = data[start & 0x7FFFFF : end & 0x7FFFFF]
        if start & 0x800000:
            found[path] = zlib.decompress(found[path], wbits=-9)
    return found


def plain(data: bytes) -> bytes:
    """The pack that it was before packs deflated their files."""
    modules = unpack(data)
    size = 8 + int.from_bytes(data[4:8], "big")
    files = iter([*modules.values(), "\n".join(modules).encode()])
    head, body = data[:8], b""
    for at in range(8, size, 7):
        if any(data[at + 4 : at + 7]):
            head += data[at : at + 4] + (size + len(body)).to_bytes(3, "big")
            body += next(files)
        else:
            head += data[at : at + 7]
    return head + body
