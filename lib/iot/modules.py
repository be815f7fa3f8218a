"""Modules that are needed for a moment only: their heap is worth more than the time of the next import."""

import sys


def forget(name):
    """Lets go of the imported module `name`, e.g. "iot.commands"; the next import loads it again."""
    package, _, module = name.rpartition(".")
    del sys.modules[name]
    delattr(sys.modules[package], module)  # an import leaves a reference there, too
