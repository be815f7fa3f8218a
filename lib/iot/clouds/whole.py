"""What is reported, where a cloud has a state whole or not at all: all of this life in one document.

It stays in memory for as long as there is such a cloud.
"""

import asyncio
import time

from micropython import const

from iot.memory import borrow

_EVERY_MS = const(1000)  # ClearBlade takes no more


class Whole:
    """Merges what is reported and sends it whole, at most once a second and one message at a time.

    Args:
        cloud: the Cloud.
    """

    def __init__(self, cloud):
        self._cloud = cloud
        self._state = {}
        self._task = None
        self._is_due = False
        self._sent_ms = time.ticks_add(time.ticks_ms(), -_EVERY_MS)

    def report(self, state):
        """Takes a part of the state, None for what is no more. Returns a task, which ends once the cloud has
        it, false where that hangs up on it.

        Raises:
            ValueError: JSON has no word for it, or no message has room for all that is reported.
        """
        self._state = borrow("iot.clouds.sending").merged(self._cloud, self._state, state)
        self._is_due = True
        if not self._task or self._task.done():
            self._task = asyncio.create_task(self._tell())
        return self._task

    async def _tell(self):
        is_told = False
        while self._is_due:
            passed_ms = time.ticks_diff(time.ticks_ms(), self._sent_ms)
            if 0 <= passed_ms < _EVERY_MS:  # below 0 after a week: ticks wrap
                await asyncio.sleep_ms(_EVERY_MS - passed_ms)
            self._sent_ms = time.ticks_ms()
            receipt = borrow("iot.clouds.sending").report(self._cloud, self._state)
            if receipt:
                self._is_due = False
                is_told = await receipt
        return is_told
