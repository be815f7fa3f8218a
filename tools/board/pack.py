"""Makes the one file that holds a device's modules; lib/pack.py reads it on the device."""

import binascii
from pathlib import PurePosixPath

MOUNT = "/pack"  # where its modules are on the device, and how their tracebacks call them
_HEADER_SIZE = 8
_RECORD_SIZE = 10
_MAX_BYTES = 1 << 24


def pack(modules: dict[str, bytes]) -> bytes:
    """A pack of these .mpy files, by their paths in it: the same files make the same bytes.

    Raises ValueError where two paths have one checksum, or there is too much of it.
    """
    folders = {str(folder) for path in modules for folder in PurePosixPath(path).parents if folder.name}
    paths = [*sorted(folders), *sorted(modules)]
    offset = _HEADER_SIZE + _RECORD_SIZE * len(paths)
    records, contents = {}, []
    for path in paths:
        data = modules.get(path, b"")
        key = binascii.crc32(path.encode()).to_bytes(4, "big")
        if key in records:
            raise ValueError(f"{path}: another path has the same checksum; give it another name")
        at = 0 if path in folders else offset
        records[key] = at.to_bytes(3, "big") + len(data).to_bytes(3, "big")
        contents.append(data)
        offset += len(data)
    if offset >= _MAX_BYTES:
        raise ValueError(f"{offset} bytes are more than a pack can have, {_MAX_BYTES}")
    index = b"".join(key + record for key, record in records.items())
    return b"PACK" + len(paths).to_bytes(4, "big") + index + b"".join(contents)
