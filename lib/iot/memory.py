"""Memory is worth more than time: code for a moment is forgotten, and what is free is told truly.

MicroPython also counts as free what its heap could take of ESP-IDF's, and must never.
"""

import asyncio
import gc
import sys


async def load(*names):
    """Imports modules one by one, each before those that need it: a large one holds the loop long enough."""
    for name in names:
        __import__(name)
        await asyncio.sleep_ms(0)


def borrow(name, *others):
    """A module for a moment: imports it, forgets it and `others`, which it imports, and returns it."""
    __import__(name)
    module = sys.modules[name]
    forget(name, *others)
    return module


def forget(*names):
    """Lets go of imported modules, e.g. "iot.console.commands"; the next import loads them again.

    What was taken out of one goes on working, and keeps its code in memory for as long as it lives.
    """
    for name in names:
        if name in sys.modules:
            del sys.modules[name]
            package, _, module = name.rpartition(".")
            delattr(sys.modules[package], module)  # an import leaves a reference there, too


def idf_largest():
    """Bytes of the largest free block of ESP-IDF's heap: where Wi-Fi and TLS live."""
    import esp32

    return max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])


def heap_free():
    """Bytes free in MicroPython's heap as it is; garbage counts as in use until it is collected."""
    return gc.mem_free() - idf_largest()


def heap_total():
    """Bytes of MicroPython's heap, without its own tables."""
    return gc.mem_alloc() + heap_free()
