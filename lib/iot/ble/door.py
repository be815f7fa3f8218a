"""Pauses after wrong proofs, which grow, and are counted over resets: a rate for guessing, and never the end.

The code has 60 bits: a guess in two minutes finds it in some billions of years. Whoever knows it gets in.
"""

import asyncio

from micropython import const

_FREE = const(2)  # people mistype
_FIRST_MS = const(2000)
_DOUBLINGS_MOST = const(6)
_KEY = const("wrong")


class Door:
    """Args: retained: called for what keeps numbers until the power is cut, the module iot.storage.rtc.

    Attributes: pause_ms: how long no phone is welcome before the next one; 0 where it is at once.
    """

    def __init__(self, retained):
        self._retained = retained
        self.pause_ms = _pause_ms(retained().get(_KEY))  # a reset does not shorten it

    def wrong(self):
        """Counts a wrong proof."""
        retained = self._retained()
        count = retained.get(_KEY) + 1
        retained.set(_KEY, count)
        self.pause_ms = _pause_ms(count)

    def right(self):
        """Begins to count anew."""
        self._retained().set(_KEY, 0)
        self.pause_ms = 0

    async def opened(self):
        """Makes the pause that is due."""
        pause_ms, self.pause_ms = self.pause_ms, 0
        await asyncio.sleep_ms(pause_ms)


def _pause_ms(count):
    if count <= _FREE:
        return 0
    return _FIRST_MS << min(count - _FREE - 1, _DOUBLINGS_MOST)
