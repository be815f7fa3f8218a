"""The chip's `gc` on CPython, which cannot tell how much of a heap is in use: that is the world's word.

Of what the program makes, its large lists are seen. What does not fit makes the heap grow, as on the chip.
"""

import gc
import linecache
from gc import disable, enable, isenabled

__all__ = ["collect", "disable", "enable", "isenabled", "mem_alloc", "mem_free", "threshold"]

_LARGE_ITEMS = 500
_ITEM_BYTES = 4
_BLOCK_BYTES = 16
_threshold = [-1]


def collect():
    """Collect; unlike CPython's it does not say how much."""
    gc.collect()


def mem_alloc():
    """Bytes in use."""
    return figures()[0]


def mem_free():
    """Bytes free in the heap, and of the largest block of ESP-IDF's heap, by which it could grow."""
    _, free, largest, _ = figures()
    return free + largest


def threshold(*amount):
    """Get or set the bytes after which it collects, in whole blocks, -1 for when memory is full.

    It is kept, and that is all: CPython collects by numbers of objects.
    """
    if not amount:
        return _threshold[0]
    (wanted,) = amount
    _threshold[0] = -1 if wanted < 0 else wanted - wanted % _BLOCK_BYTES
    return None


def figures():
    """Bytes in use, free and of the block it could grow by, and the heap's largest free piece."""
    import _world

    linecache.clearcache()  # lists of lines, which a traceback leaves
    lists = [len(made) for made in gc.get_objects() if type(made) is list]
    return _world.call("python", sum(_ITEM_BYTES * items for items in lists if items >= _LARGE_ITEMS))
