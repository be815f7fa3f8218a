"""Runs the application, and again where it fails: the cloud stays reachable and may send a better one."""

import asyncio

from micropython import const

from iot.backoff import Backoff
from iot.memory import borrow

_FIRST_MS = const(10000)
_MOST_MS = const(300000)


class Application:
    """What firmware/ brings, as long as a mode lasts.

    Args:
        load: imports the application and returns the module.
        name: of its coroutine function: `main`, or for the mode CONFIG `setup`, which need not be there.
        thing: what it is handed, with `close()`, which takes back what a run has registered.
        log: a Log.

    Attributes:
        tasks: main's, and what was started beside it.
        error: what ends the present run, None while nothing does.
        failure: of what kind that was the last time, as text; None where there was none.
        leaving: whether the tasks are being cancelled by the system.
    """

    def __init__(self, load, name, thing, log):
        self._load = load
        self._name = name
        self.thing = thing
        thing._start = self.start  # behind thing.run()
        self.log = log
        self.tasks, self.leaving, self.failure = [], False, None
        self._failed = asyncio.Event()

    async def run(self):
        """For ever: what main has registered or started goes on when main has returned."""
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        while True:
            start_ms = self.log.uptime_ms()
            self.error, self.leaving = None, False
            self._failed.clear()
            self.tasks = [asyncio.create_task(self._part(self._main(), True))]
            try:
                await self._failed.wait()
            finally:
                endings = borrow("iot.endings")
                await endings.leave(self)
            pause_ms = endings.failed(self, backoff, start_ms)
            endings = None  # which would keep it in memory
            await asyncio.sleep_ms(pause_ms)

    def start(self, coroutine):
        """Runs a coroutine as a part of the application, which an error in it ends; returns the task.

        Raises:
            TypeError: it is none, but e.g. the function that would make it.
            RuntimeError: the application is being ended.
        """
        if self.leaving or not hasattr(coroutine, "send"):
            borrow("iot.endings").refuse(coroutine)
        task = asyncio.create_task(self._part(coroutine, False))
        self.tidy()
        self.tasks.append(task)
        return task

    def tidy(self):
        """Lets go of tasks that have ended: their frames keep the code in memory that they have run."""
        for task in self.tasks:
            if task.done() and not self.leaving:
                self.tasks = [other for other in self.tasks if not other.done()]
                return

    def end(self, error):
        """Ends its present run as if `error` had been raised in it; False where there is none."""
        if not [task for task in self.tasks if not task.done()] or self.error:
            return False
        self.error = error
        self._failed.set()
        return True

    async def _main(self):
        main = getattr(self._load(), self._name, None)
        if main:
            await main(self.thing)

    async def _part(self, coroutine, is_main):
        """Whatever the application raises must stop here, but Ctrl-C: SystemExit would end every task."""
        try:
            return await coroutine
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if not self.leaving:
                try:
                    borrow("iot.endings").part(self, error, is_main)
                except MemoryError:  # for that module; then also what one part does to another is a failure
                    self.end(error)
        raise asyncio.CancelledError  # to whoever awaits it
