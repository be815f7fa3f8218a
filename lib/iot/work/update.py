"""What NORMAL does before an update: waits for its hours, and the application. In memory for a moment."""

import random
import time

from micropython import const

from iot.events import within

_READY_MS = const(600000)
_VETO_S = const(86400)  # for which the application may put it off
_DAY_S = const(86400)
_HOUR_S = const(3600)
_INTERRUPTED = const("interrupted")


def why_not(over):
    """Why an update has failed, "" where it has not; `over` is what iot.ota.pending has of it."""
    return _INTERRUPTED if over is None or over["why"] is None else over["why"]


async def make_ready(system, is_wanted, changed):
    """Waits for the hours in which an update may begin, and has the application make ready for its end; False
    where the job is over meanwhile.

    Its `before_update(thing)` may take ten minutes for that, and return minutes for which it is to be asked
    again: a day in all.

    Args:
        system: the System.
        is_wanted: tells whether it still is.
        changed: coroutine function that returns when that may have changed.
    """
    hours = system.settings.UPDATE_HOURS
    spread_s = random.randint(0, hours[3]) if hours else 0
    vetoed_s = 0
    while is_wanted():
        wait_s = _seconds_to(hours, time.time())
        if not wait_s and not spread_s:
            wait_s = 60 * await _asked(system) if vetoed_s < _VETO_S else 0
            if not wait_s:
                return is_wanted()
            vetoed_s += wait_s
        wait_s += spread_s
        spread_s = 0
        system.log.info("update", "begins in {} min", (wait_s + 59) // 60)
        await within(1000 * wait_s, changed())
    return False


def _seconds_to(hours, now_s):
    """Seconds until these hours begin, 0 where they have.

    Args:
        hours: as firmware/settings.py has them.
        now_s: in UTC.
    """
    if not hours:
        return 0
    start_s, end_s, now_s = hours[0] * _HOUR_S, hours[1] * _HOUR_S, (now_s + 60 * hours[2]) % _DAY_S
    is_open = start_s <= now_s < end_s if start_s <= end_s else now_s >= start_s or now_s < end_s
    return 0 if is_open else (start_s - now_s) % _DAY_S


async def _asked(system):
    """Minutes for which the application puts it off."""
    hook = getattr(system.load_application(), "before_update", None)
    minutes = []

    async def ask():
        minutes.append(await hook(system.thing))

    try:
        if hook and not await within(_READY_MS, ask()):
            system.log.warning("update", "before_update took more than {} min", _READY_MS // 60000)
        return max(0, int(minutes[0] or 0)) if minutes else 0
    except Exception as error:  # a fault in the old version must not keep the new one away
        system.log.exception("update", "before_update", error)
        return 0
