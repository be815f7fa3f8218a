"""A part of the system has died: the chip restarts, after pauses that grow from life to life."""

import asyncio
import time

import machine
from micropython import const

from iot.memory import borrow

_FIRST_MS = const(5000)  # a fault that is there again at once shall not wear the chip
_DOUBLINGS_MOST = const(6)
_WELL_MS = const(600000)  # a life of that length begins to count anew
_STEP_MS = const(500)


async def of_task(system, name):
    """Looks at a task that has ended, though nobody asked for it. Where that is a death, asks for the restart
    when its pause is over, in which the other parts go on.
    """
    try:
        await system.tasks.pop(name)
        if name not in system.lasting:
            return
        raise RuntimeError("it returned")
    except asyncio.CancelledError:  # not of the system's own task, which is cancelled by nobody
        system.log.exception("system", name + " died", RuntimeError("it was cancelled"))
    except Exception as error:  # whatever a task dies of
        system.log.exception("system", name + " died", error)
    for _ in range(_count(system) // _STEP_MS):
        if system.event and borrow("iot.modes").following(system.mode, system.event)[0] == "RESTART":
            return
        system.watchdog.feed()
        await asyncio.sleep_ms(_STEP_MS)
    system.restart(name + " died")


def of_loop(system, error):
    """Waits and resets the chip: the loop has ended by `error`, and nothing goes on."""
    system.log.exception("system", "its loop has ended", error)
    for _ in range(_count(system) // _STEP_MS):
        system.watchdog.feed()
        time.sleep_ms(_STEP_MS)
    machine.reset()


def _count(system):
    """Counts a death; returns how long the pause before the restart is, in ms."""
    rtc = borrow("iot.storage.rtc")
    deaths = rtc.get("died") if system.log.uptime_ms() < _WELL_MS else 0
    rtc.set("died", deaths + 1)
    pause_ms = _FIRST_MS << min(deaths, _DOUBLINGS_MOST)
    system.log.warning("system", "restarts in {} s, unless asked to sooner", pause_ms // 1000)
    return pause_ms
