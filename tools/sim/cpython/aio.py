"""MicroPython's `asyncio` on CPython's loop: its surface and no more, its streams and its manners.

What differs from CPython's asyncio here as there: no Queue, Semaphore, Condition, TaskGroup or timeout();
TimeoutError is no OSError; what `sleep` returns is no coroutine, so `wait_for(sleep(…))` raises TypeError; a
Task can be cancelled, awaited and asked if it is done, nothing else; close() of a stream does nothing.
"""

import asyncio as _aio
import sys as _sys
import weakref as _weakref
from asyncio import CancelledError, Event, Lock

from tools.sim.cpython import clock as _clock
from tools.sim.cpython import streams as _streams
from tools.sim.cpython.streams import StreamReader, StreamWriter, open_connection
from tools.sim.cpython.ticks import _limited

__all__ = [
    "CancelledError",
    "Event",
    "Lock",
    "Loop",
    "StreamReader",
    "StreamWriter",
    "Task",
    "ThreadSafeFlag",
    "TimeoutError",
    "create_task",
    "current_task",
    "gather",
    "get_event_loop",
    "new_event_loop",
    "open_connection",
    "run",
    "sleep",
    "sleep_ms",
    "wait_for",
    "wait_for_ms",
]

_tasks = _weakref.WeakKeyDictionary()  # CPython's task -> weak reference to ours, which holds it
_running = set()  # MicroPython's scheduler keeps its tasks alive, CPython's does not


class TimeoutError(Exception):  # in MicroPython there is no builtin of this name
    """A `wait_for` took too long."""


class Task:
    """A task, made by `create_task`."""

    def __init__(self, task, coro):
        self.coro = coro
        self._task = task

    def done(self):
        """Whether it has ended."""
        return self._task.done()

    def cancel(self):
        """Throw CancelledError into it; False if it has ended."""
        if self._task.done():
            return False
        if self._task is _aio.current_task():
            raise RuntimeError("can't cancel self")
        return self._task.cancel()

    def __await__(self):
        return self._task.__await__()


class _Sleep:
    def __init__(self, seconds):
        self._seconds = max(0, _limited(seconds * 1000) / 1000)

    def __await__(self):
        return _aio.sleep(self._seconds).__await__()


def sleep(t):
    """Wait `t` seconds."""
    return _Sleep(t)


def sleep_ms(t):
    """Wait `t` milliseconds."""
    return _Sleep(t / 1000)


def create_task(coro):
    """Start a coroutine as a task."""
    if not hasattr(coro, "send"):
        raise TypeError("coroutine expected")
    task = _aio.get_running_loop().create_task(coro)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return _wrap(task, coro)


def current_task():
    """The task that runs."""
    task = _aio.current_task()
    ours = _tasks[task]() if task in _tasks else None
    return ours or _wrap(task, task.get_coro())


def _wrap(task, coro):
    ours = Task(task, coro)
    _tasks[task] = _weakref.ref(ours)
    return ours


def _promote(aw):
    return aw if isinstance(aw, Task) else create_task(aw)


async def wait_for(aw, timeout):
    """Wait for `aw`, at most `timeout` seconds (None for ever); then cancel it and raise TimeoutError."""
    task = _promote(aw)._task
    if timeout is not None:
        timeout = max(0, _limited(timeout * 1000) / 1000)  # where it raises, what runs already is left behind
    try:
        await _aio.wait({task}, timeout=timeout)
    except CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    task.cancel()
    await _aio.wait({task})
    raise TimeoutError


def wait_for_ms(aw, timeout):
    """As `wait_for`, in milliseconds."""
    return wait_for(aw, None if timeout is None else timeout / 1000)


async def gather(*aws, return_exceptions=False):
    """Wait for all and return the list of their results."""
    return await _aio.gather(*(_promote(aw)._task for aw in aws), return_exceptions=return_exceptions)


class ThreadSafeFlag:
    """An event for one waiter that clears itself and may be set from an interrupt."""

    def __init__(self):
        self._event = Event()

    def set(self):
        """Wake the waiter."""
        self._event.set()

    def clear(self):
        """Forget that it was set."""
        self._event.clear()

    async def wait(self):
        """Wait until it is set, and clear it."""
        await self._event.wait()
        self._event.clear()


class Loop:
    """The event loop, of which there is one."""

    _exc_handler = None

    @staticmethod
    def create_task(coro):
        """Start a coroutine as a task."""
        return create_task(coro)

    @staticmethod
    def run_until_complete(aw):
        """Run the loop until `aw` has ended and return its result."""
        return run(aw)

    @staticmethod
    def set_exception_handler(handler):
        """Have `handler(loop, context)` called for the exception that ends a task nobody awaits."""
        Loop._exc_handler = handler

    @staticmethod
    def get_exception_handler():
        """The handler, None for the default."""
        return Loop._exc_handler

    @staticmethod
    def default_exception_handler(loop, context):
        """Print the exception to the error output."""
        print(context["message"], file=_sys.stderr)
        _sys.print_exception(context["exception"], _sys.stderr)

    @staticmethod
    def call_exception_handler(context):
        """Call the handler."""
        (Loop._exc_handler or Loop.default_exception_handler)(Loop, context)


def get_event_loop():
    """The event loop."""
    return Loop


def new_event_loop():
    """Start afresh: nothing waits for a stream any more."""
    Loop._exc_handler = None
    _streams.begin_anew()
    return Loop


def run(coro):
    """Run a coroutine as the main task and return its result; tasks left over stay as they are."""

    async def main():
        _aio.get_running_loop().set_exception_handler(_report)
        return await coro

    loop = _clock.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        for task in _aio.all_tasks(loop):
            task._log_destroy_pending = False


def _report(_loop, context):
    if "exception" in context:
        Loop.call_exception_handler(context | {"message": "Task exception wasn't retrieved"})
