"""How the system's tasks end, and a run of the application: nothing of it is left, and the next one waits.

Forgotten in between.
"""

import asyncio
import gc

from micropython import const

_WELL_MS = const(600000)  # after a run of that length the pauses begin anew
_TOLD_CHARS = const(100)
_POLL_MS = const(50)
_POLLS = const(120)  # a cancelled task may take so long to clean up
_POLLS_A_CANCEL = const(40)


async def end(system, names):
    """Cancels tasks of the system's, and waits for their ends."""
    for name in names:
        system.tasks[name].cancel()
    for name in names:
        try:
            await system.tasks.pop(name)
        except asyncio.CancelledError:
            pass  # it is what was asked for; the system's own task is cancelled by nobody
        except Exception as error:  # whatever a task dies of, the supervisor has to know
            system.log.exception("system", name + " died", error)


async def leave(application):
    """Cancels all its tasks and sees them end. RuntimeError where one does not."""
    application.leaving = True
    for poll in range(_POLLS):
        running = [task for task in application.tasks if not task.done()]
        if not running:
            application.tasks = running
            return
        if poll % _POLLS_A_CANCEL == 0:  # one that went on in spite of it is cancelled again
            for task in running:
                task.cancel()
        await asyncio.sleep_ms(_POLL_MS if poll else 0)
    raise RuntimeError("a task of it does not end")


def part(application, error, is_main):
    """A part has ended by `error`, though nobody asked for it: of all that is a death, but that one part may
    cancel another.
    """
    if isinstance(error, asyncio.CancelledError):
        if not is_main:
            application.log.info("application", "a task was cancelled")
            return
        error = RuntimeError("it was cancelled, by itself")
    application.end(error)


def refuse(coroutine):
    """What cannot be started."""
    if not hasattr(coroutine, "send"):
        raise TypeError("run() takes a coroutine: call the function")
    coroutine.close()
    raise RuntimeError("the application is being ended")


def failed(application, backoff, start_ms):
    """Logs why, takes back what it registered; returns the pause before the next run, in ms."""
    application.log.exception("application", "failed, will start again", application.error)
    application.thing.close()
    error, application.error = application.error, None  # with its traceback
    application.failure = "{}: {}".format(type(error).__name__, error)[:_TOLD_CHARS]
    gc.collect()
    if application.log.uptime_ms() - start_ms > _WELL_MS:
        backoff.reset()
    return backoff.next_ms()
