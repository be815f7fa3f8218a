"""What of the library the rescue needs is imported piece by piece: one that is broken is named."""

import sys


class Broken(ValueError):
    """A module of this version cannot be imported. It is a ValueError for who has imported another Broken:
    this module may be forgotten, and loaded anew.
    """

    def __init__(self, name, error):
        super().__init__("{} cannot be imported: {}: {}".format(name, type(error).__name__, error))


def need(*names):
    """Imports modules; returns the last one. Broken names the one that fails, and why."""
    for name in names:
        try:
            __import__(name)
        except Exception as error:  # whatever a broken module raises
            raise Broken(name, error)
    return sys.modules[names[-1]]
