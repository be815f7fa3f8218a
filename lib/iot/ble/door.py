"""Counts wrong proofs over resets: guessing the code ends after a few, until the power is cut."""

from micropython import const

_WRONG_MOST = const(5)
_KEY = const("wrong")


class Door:
    """Args: retained: keeps numbers until the power is cut, the module iot.retained."""

    def __init__(self, retained):
        self._retained = retained

    def closed(self):
        """Whether too many proofs in a row were wrong."""
        return self._retained.get(_KEY) >= _WRONG_MOST

    def wrong(self):
        """Counts a wrong proof."""
        self._retained.set(_KEY, self._retained.get(_KEY) + 1)

    def right(self):
        """Begins to count anew."""
        self._retained.set(_KEY, 0)
