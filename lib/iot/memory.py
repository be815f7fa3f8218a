"""Memory is worth more than time: code for a moment is forgotten, and what is free is told truly.

MicroPython also counts as free what its heap could take of ESP-IDF's, and must never.
"""

import asyncio
import gc
import sys

from micropython import const

_ALIAS = const("module")  # by which lib/pack.py has another module found: a name that is in ROM
# The library's modules that stay in this mode; none before the first one. As sys.modules it is the process's:
# it says what in that is no cache.
_STAYING = []  # type: list[str]


def _import(name):
    """The module of that name, which sys.modules has from then on.

    MicroPython keeps for ever by what path a module was found, and what the last part of its name is. So a
    pack has each found by the same.
    """
    if name in sys.modules:
        return sys.modules[name]
    pack = getattr(getattr(sys.modules.get("pack"), "Pack", None), "mounted", None)
    path = "/" + name.replace(".", "/")
    try:
        found = name.startswith("iot.") and pack.alias is not None and pack.stat(path + ".mpy")
    except (AttributeError, OSError):  # no pack, or an older reader of it; it has no such module
        found = None
    if not found:
        return __import__(name, None, None, "_")  # with any name: not the package
    outer = sys.modules.pop(_ALIAS, None)  # of one that is being imported, or an application's own
    pack.alias = path
    try:
        module = sys.modules[name] = __import__(_ALIAS)
    finally:
        pack.alias = ""
        sys.modules.pop(_ALIAS, None)
        if outer:
            sys.modules[_ALIAS] = outer
    return module


async def load(*names):
    """Imports modules one by one, each before those that need it: a large one holds the loop long enough."""
    for name in names:
        _import(name)
        await asyncio.sleep_ms(0)


def borrow(name):
    """A module for a moment: imports it, returns it, and lets go at once of what does not stay in this mode.

    What was taken out of it goes on working, and keeps its code in memory for as long as that is referred to.
    """
    module = _import(name)
    if name not in _STAYING:
        _forget(name)
    if _STAYING:
        sweep()
    return module


def stay(names):
    """From now on these modules stay, and no other of the library's: a mode begins."""
    _STAYING[:] = names
    sweep()


def keep(*names):
    """Imports modules that stay for the rest of this mode, too, each before those that need it."""
    for name in names:
        _import(name)
        if name not in _STAYING:
            _STAYING.append(name)


def sweep():
    """Lets go of the library's modules that do not stay, and of their packages; the application's are its.

    The next import loads them again: so it may come while others are in the midst of imports.
    """
    for name in tuple(sys.modules):
        if name.startswith("iot."):
            if name in _STAYING:
                _STAYING[_STAYING.index(name)] = name  # of the same text, which so is in memory but once
            else:
                _forget(name)


def _forget(name):
    del sys.modules[name]
    package, _, module = name.rpartition(".")
    package = sys.modules.get(package)
    # An import leaves a reference there, too. hasattr() would keep the name for ever.
    if package and module in package.__dict__:
        delattr(package, module)


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
