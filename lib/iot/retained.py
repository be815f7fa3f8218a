"""Small numbers that outlive every reset but not a cut of power: in the 2 KB of the RTC's memory.

The application leaves that memory alone.
"""

import machine
from micropython import const

_MAGIC = const(b"iot1")
# Wrong proofs in a row; the next start shall go to CONFIG (1), or not even by the button (2); restarts in a
# row for want of memory, and after a part of the system died.
_NAMES = const(("wrong", "setup", "starved", "died"))


def get(name):
    """The number of that name, from 0 to 255; 0 after a cut of power."""
    return _bytes()[len(_MAGIC) + _NAMES.index(name)]


def set(name, number):
    """Keeps `number`; 255 where it is larger."""
    kept = _bytes()
    kept[len(_MAGIC) + _NAMES.index(name)] = min(number, 255)
    machine.RTC().memory(kept)


def _bytes():
    kept = machine.RTC().memory()
    size = len(_MAGIC) + len(_NAMES)
    if len(kept) != size or not kept.startswith(_MAGIC):  # noise, or another program's
        kept = _MAGIC + bytes(len(_NAMES))
    return bytearray(kept)
