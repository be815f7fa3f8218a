"""Modules that are needed for a moment only: their heap is worth more than the time of the next import."""

import asyncio
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
    """Lets go of imported modules, e.g. "iot.commands"; the next import loads them again.

    What was taken out of one goes on working, and keeps its code in memory for as long as it lives.
    """
    for name in names:
        if name in sys.modules:
            del sys.modules[name]
            package, _, module = name.rpartition(".")
            delattr(sys.modules[package], module)  # an import leaves a reference there, too
