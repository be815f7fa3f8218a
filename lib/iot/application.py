"""Runs the application, and again where it fails: the cloud stays reachable and may send a better one."""

import asyncio
import gc

from micropython import const

from iot.backoff import Backoff

_FIRST_MS = const(10000)
_MOST_MS = const(300000)


class Application:
    """What firmware/ brings, as long as a mode lasts.

    Args:
        load: imports the application and returns the module.
        name: of its coroutine function: `main`, or for the mode CONFIG `setup`, which need not be there.
        thing: what it is handed, with `close()`, which takes back what a run has registered.
        log: a Log.
    """

    def __init__(self, load, name, thing, log):
        self._load = load
        self._name = name
        self._thing = thing
        self._log = log
        self._task = self._error = None  # the task while the application runs in it; what ended that
        self._leaving = False

    async def run(self):
        """Returns when the application does; its handlers and subscriptions then stay."""
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        while not await self._apart():
            await asyncio.sleep_ms(backoff.next_ms())

    def end(self, error):
        """Ends its present run as if `error` had been raised in it; False where there is none."""
        if not self._task or self._error:
            return False
        self._error = error
        self._task.cancel()
        return True

    async def _apart(self):
        """Runs it in a task of its own: a CancelledError here ends the mode, one there may be its mistake."""
        ended = asyncio.Event()
        task = asyncio.create_task(self._once(ended))
        try:
            await ended.wait()  # awaiting the task would hand a cancellation on to it
        except asyncio.CancelledError:
            self._leaving = True
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
            raise
        return await task

    async def _once(self, ended):
        """Whether the application ended as it wanted to."""
        self._task = asyncio.current_task()
        try:
            main = getattr(self._load(), self._name, None)
            if main:
                await main(self._thing)
            return True
        except asyncio.CancelledError:
            if self._leaving:
                raise
            error = self._error or RuntimeError("it was cancelled, by itself")
        except Exception as caught:  # whatever the application raises must stop here
            error = caught
        finally:
            self._task = self._error = None
            ended.set()
        self._log.exception("application", "failed, will start again", error)
        self._thing.close()
        error = None  # with its traceback
        gc.collect()
        return False
