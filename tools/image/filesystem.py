"""The file system of an image, as MicroPython mounts it: littlefs 2.1, in its block size and no other count.

Where the block count is another one MicroPython starts nothing: "The filesystem appears to be corrupted".
"""

import errno
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from littlefs import LittleFS, LittleFSError

from tools.board.errors import BoardError
from tools.sim.cpython.lfs import SIZES

BLOCK_BYTES = 4096  # of the flash chip


def make(files: Mapping[str, bytes], size: int) -> bytes:
    """A partition of `size` bytes with these files, by their paths; the same files make the same bytes.

    Raises BoardError where they do not fit.
    """
    sizes: dict[str, Any] = SIZES
    lfs = LittleFS(block_size=BLOCK_BYTES, block_count=size // BLOCK_BYTES, **sizes)
    try:
        for path, data in sorted(files.items()):
            lfs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            with lfs.open(path, "wb") as file:
                file.write(data)
    except LittleFSError as error:
        if error.code != -errno.ENOSPC:
            raise
        total = sum(map(len, files.values()))
        raise BoardError(
            f"{total:,} bytes of files do not fit into the file system, which has {size:,}",
            "Leave something out, or take an image with more room for files (docs/flasher.md).",
        ) from None
    return bytes(lfs.context.buffer)
