"""A part of the system has died: the chip restarts, after pauses that grow from life to life.

What it died of is kept in the RTC's memory, which a cut of power empties, until the cloud was told.
"""

import asyncio
import io
import json
import sys
import time

import machine
from micropython import const

from iot.memory import borrow

_FIRST_MS = const(5000)  # a fault that is there again at once shall not wear the chip
_DOUBLINGS_MOST = const(5)
_RESCUED = const(6)  # in a row, none of which has reached the cloud: main.py begins with the rescue
_WELL_MS = const(600000)  # a life of that length begins to count anew
_STEP_MS = const(500)
_TRACEBACK_CHARS = const(600)  # its end, which has the place
_MESSAGE_CHARS = const(120)
_WATCHDOG = const(3)  # of machine.reset_cause()


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
        _tell(system, name + " died", RuntimeError("it was cancelled"))
    except Exception as error:  # whatever a task dies of
        _tell(system, name + " died", error)
    for _ in range(_count(system) // _STEP_MS):
        if system.event and borrow("iot.modes").following(system.mode, system.event)[0] == "RESTART":
            return
        system.watchdog.feed()
        await asyncio.sleep_ms(_STEP_MS)
    system.restart(name + " died")


def of_loop(system, error):
    """Waits and resets the chip: the loop has ended by `error`, and nothing goes on."""
    _tell(system, "its loop has ended", error)
    for _ in range(_count(system) // _STEP_MS):
        system.watchdog.feed()
        time.sleep_ms(_STEP_MS)
    machine.reset()


def last():
    """What the last life died of, with the reset's cause; None where it did not, or was told."""
    kept = borrow("iot.storage.rtc").crash()
    cause = machine.reset_cause()
    if not kept and cause != _WATCHDOG:
        return None
    try:
        told = json.loads(kept) if kept else {"what": "the watchdog bit"}
    except ValueError:
        return None
    told["reset_cause"] = cause
    return told


def forget():
    """The cloud was told."""
    borrow("iot.storage.rtc").crash(b"")


def _tell(system, what, error):
    system.log.exception("system", what, error)
    try:
        borrow("iot.storage.rtc").crash(_crash(what, error, system.log.uptime_ms()))
    except (OSError, MemoryError):  # the restart matters more
        pass


def _crash(what, error, uptime_ms):
    printed = io.StringIO()
    sys.print_exception(error, printed)
    crash = {
        "what": what,
        "type": type(error).__name__,
        "message": str(error)[:_MESSAGE_CHARS],
        "traceback": printed.getvalue()[-_TRACEBACK_CHARS:],
        "uptime_s": uptime_ms // 1000,
    }
    return json.dumps(crash).encode()


def _count(system):
    """Counts a death; returns how long the pause before the restart is, in ms."""
    rtc = borrow("iot.storage.rtc")
    deaths = rtc.get("died") if system.log.uptime_ms() < _WELL_MS else 0
    reached = system.clock and system.clock.borne_out
    rtc.set("died", min(deaths + 1, _RESCUED - 1) if reached else deaths + 1)
    pause_ms = _FIRST_MS << min(deaths, _DOUBLINGS_MOST)
    system.log.warning("system", "restarts in {} s, unless asked to sooner", pause_ms // 1000)
    return pause_ms
