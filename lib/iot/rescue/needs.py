"""What of the library the rescue needs is imported piece by piece: one that is broken is named."""

import sys


class Broken(ValueError):
    """A module of this version cannot be imported. Attributes: name.

    Who was imported before the module was forgotten knows it by that attribute.
    """

    def __init__(self, name, error):
        super().__init__("{} cannot be imported: {}: {}".format(name, type(error).__name__, error))
        self.name = name


def need(*names):
    """Imports modules; returns the last one. Broken names the one that fails, and why."""
    for name in names:
        try:
            __import__(name)
        except Exception as error:  # whatever a broken module raises
            raise Broken(name, error)
    return sys.modules[names[-1]]
