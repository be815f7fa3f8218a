"""Small numbers that outlive every reset but not a cut of power: in the 2 KB of the RTC's memory.

The application leaves that memory alone.
"""

import machine
from micropython import const

_MAGIC = const(b"iot1")
# Wrong proofs in a row; the next start shall go to CONFIG (1), or not even by the button (2); restarts in a
# row for want of memory, and after a part of the system died: main.py reads that one by its place.
_NAMES = const(("wrong", "setup", "starved", "died"))
# Behind them: 1 + the number of the network that was joined last, 0 for none; whether with a BSSID; that.
_STATION = const(8)
_SIZE = const(16)  # of all that; behind it the text of the last crash


def get(name):
    """The number of that name, from 0 to 255; 0 after a cut of power."""
    return _bytes()[len(_MAGIC) + _NAMES.index(name)]


def set(name, number):
    """Keeps `number`; 255 where it is larger."""
    kept = _bytes()
    kept[len(_MAGIC) + _NAMES.index(name)] = min(number, 255)
    machine.RTC().memory(kept)


def station():
    """Which network was joined last, by its number, and the BSSID; (-1, None) after a cut of power."""
    kept = _bytes()[_SIZE - _STATION : _SIZE]
    return kept[0] - 1, bytes(kept[2:]) if kept[1] else None


def set_station(number, bssid):
    """Keeps them; bssid: None where any access point of that name will do."""
    kept = _bytes()
    own = bytes((number + 1, 1)) + bssid if bssid else bytes((number + 1,)) + bytes(_STATION - 1)
    kept[_SIZE - _STATION : _SIZE] = own
    machine.RTC().memory(kept)


def crash(text=None):
    """What iot.crash keeps, as bytes; b"" for nothing. `text` takes its place."""
    kept = _bytes()
    if text is not None:
        machine.RTC().memory(kept[:_SIZE] + text)
    return bytes(kept[_SIZE:])


def _bytes():
    kept = machine.RTC().memory()
    noise = len(kept) < _SIZE or kept[_SIZE : _SIZE + 1] not in (b"", b"{")
    if noise or not kept.startswith(_MAGIC):  # or another program's
        kept = _MAGIC + bytes(_SIZE - len(_MAGIC))
    return bytearray(kept)
