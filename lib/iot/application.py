"""Runs the application, and again where it fails: the cloud stays reachable and may send a better one."""

import asyncio
import gc

from micropython import const

from iot.backoff import Backoff

_FIRST_MS = const(10000)
_MOST_MS = const(300000)
_WELL_MS = const(600000)  # after a run of that length the pauses begin anew
_POLL_MS = const(50)
_POLLS = const(120)  # a cancelled task may take so long to clean up
_POLLS_A_CANCEL = const(40)


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
        self._tasks = []  # main's, and what was started beside it
        self._news = asyncio.Event()  # one of them has ended, or shall
        self._error = None  # what ends the present run
        self._leaving = False  # whether the tasks are being cancelled from here

    async def run(self):
        """For ever: what main has registered or started goes on when main has returned."""
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        while True:
            start_ms = self._log.uptime_ms()
            await self._once()
            if self._log.uptime_ms() - start_ms > _WELL_MS:
                backoff.reset()
            await asyncio.sleep_ms(backoff.next_ms())

    def start(self, coroutine):
        """Runs a coroutine as a part of the application, which an error in it ends; returns the task.

        Raises:
            TypeError: it is none, but e.g. the function that would make it.
            RuntimeError: the application is being ended.
        """
        if not hasattr(coroutine, "send"):
            raise TypeError("run() takes a coroutine: call the function")
        if self._leaving:
            coroutine.close()
            raise RuntimeError("the application is being ended")
        self._is_running()
        task = asyncio.create_task(self._part(coroutine))
        self._tasks.append(task)
        return task

    def end(self, error):
        """Ends its present run as if `error` had been raised in it; False where there is none."""
        if self._error or not self._is_running():
            return False
        self._error = error
        self._news.set()
        return True

    async def _once(self):
        """Returns when the application has failed, with nothing left of it."""
        self._error, self._leaving = None, False
        self.start(self._main())
        try:
            while not self._error:
                self._news.clear()
                await self._news.wait()
        finally:
            await self._leave()
        self._log.exception("application", "failed, will start again", self._error)
        self._thing.close()
        self._error = None  # with its traceback
        gc.collect()

    async def _main(self):
        main = getattr(self._load(), self._name, None)
        if main:
            try:
                await main(self._thing)
            except asyncio.CancelledError:
                if self._leaving:
                    raise
                raise RuntimeError("it was cancelled, by itself")

    async def _part(self, coroutine):
        """Whatever the application raises must stop here, but Ctrl-C: SystemExit would end every task."""
        try:
            return await coroutine
        except asyncio.CancelledError:
            if not self._leaving:  # as one part may do to another
                self._log.info("application", "a task was cancelled")
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.end(error)
        raise asyncio.CancelledError  # to whoever awaits it

    async def _leave(self):
        """Cancels all its tasks and sees them end. RuntimeError where one does not."""
        self._leaving = True
        for poll in range(_POLLS):
            if not self._is_running():
                return
            if poll % _POLLS_A_CANCEL == 0:  # one that went on in spite of it is cancelled again
                for task in self._tasks:
                    task.cancel()
            await asyncio.sleep_ms(_POLL_MS if poll else 0)
        raise RuntimeError("a task of it does not end")

    def _is_running(self):
        """Whether one of its tasks has not ended; those that have are let go."""
        self._tasks = [task for task in self._tasks if not task.done()]
        return bool(self._tasks)
