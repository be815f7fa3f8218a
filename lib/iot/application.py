"""Runs the application, and again where it fails: the cloud stays reachable and may send a better one."""

import asyncio

from micropython import const

from iot.backoff import Backoff

_FIRST_MS = const(10000)
_MOST_MS = const(300000)


async def run(load, name, thing, log):
    """Returns when the application does; its handlers and subscriptions then stay.

    Args:
        load: imports the application and returns the module.
        name: of its coroutine function: `main`, or for the mode CONFIG `setup`, which need not be there.
        thing: what it is handed, with `close()`, which takes back what a run has registered.
        log: a Log.
    """
    backoff = Backoff(_FIRST_MS, _MOST_MS)
    while True:
        try:
            main = getattr(load(), name, None)
            if main:
                await main(thing)
            return
        except Exception as error:  # whatever the application raises must stop here
            log.exception("application", "failed, will start again", error)
        await asyncio.sleep_ms(backoff.next_ms())
        thing.close()
