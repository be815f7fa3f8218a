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
        make_thing: makes what a run of it is handed, with `close()`.
        log: a Log.
    """

    def __init__(self, load, make_thing, log):
        self._load = load
        self._make_thing = make_thing
        self._log = log
        self._thing = None

    async def run(self):
        """Returns when the application does; its handlers and subscriptions then stay."""
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        while True:
            self.close()
            self._thing = self._make_thing()
            try:
                await self._load()(self._thing)
                return
            except Exception as error:  # whatever the application raises must stop here
                self._log.exception("application", "failed, will start again", error)
            await asyncio.sleep_ms(backoff.next_ms())

    def close(self):
        """Takes back what the last run registered."""
        if self._thing:
            self._thing.close()
            self._thing = None
