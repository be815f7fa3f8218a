"""Runs the application, and again where it fails: the cloud stays reachable and may send a better one."""

import asyncio

from micropython import const

from iot.backoff import Backoff

_FIRST_MS = const(10000)
_MOST_MS = const(300000)


class Application:
    """The application's one task.

    Args:
        load: imports the application and returns its coroutine function `main(thing)`.
        thing: what it is handed, with `close()`, which takes back what a run has registered.
        log: a Log.
    """

    def __init__(self, load, thing, log):
        self._load = load
        self._thing = thing
        self._log = log

    async def run(self):
        """Returns when the application does; its handlers and subscriptions then stay."""
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        while True:
            try:
                await self._load()(self._thing)
                return
            except Exception as error:  # whatever the application raises must stop here
                self._log.exception("application", "failed, will start again", error)
            await asyncio.sleep_ms(backoff.next_ms())
            self._thing.close()
