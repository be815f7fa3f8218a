"""What NORMAL does with the job of an update: little, since its document has no room there.

The mode OTA asks for that, and judges it. Here is what can be seen of it in a notice, when it may begin, and
what the cloud is told in the end. In memory for a moment.
"""

import random
import time

from micropython import const

from iot.events import within
from iot.memory import borrow

_READY_MS = const(600000)
_TOLD_MS = const(60000)
_VETO_S = const(86400)  # for which the application may put it off
_DAY_S = const(86400)
_HOUR_S = const(3600)
_PIECE = const(256)
_BEFORE = const(16)
_MESSAGE_MAX = const(800)
_INTERRUPTED = const("interrupted")


def job(notice):
    """(id, number or None) of the job that the cloud tells of, where its action is "OTA"; else None.

    notice: a view of what it says.
    """
    at = _find(notice, b'"OTA"')
    before = bytes(notice[max(at - _BEFORE, 0) : max(at, 0)]).replace(b" ", b"")
    if before[-9:] != b'"action":' and _find(notice, b'{"afr_ota":') < 0:  # AWS's own
        return None
    job_id, number = _value(notice, b'"jobId"'), _value(notice, b'"executionNumber"')
    return (job_id, int(number) if number.isdigit() else None) if job_id else None


def _value(view, name):
    """What stands behind a name, without quotes; "" for nothing."""
    at = _find(view, name)
    if at < 0:
        return ""
    text = bytes(view[at + len(name) : at + _PIECE]).lstrip(b" :")
    ends = [end for end in [text.find(mark) for mark in (b",", b"}")] if end >= 0]
    return str(text[: min(ends)], "utf-8").strip(' "') if ends else ""


def _find(view, text):
    """Where a text begins, -1 for nowhere; in pieces, since none is free for all of it."""
    for at in range(0, len(view), _PIECE):
        found = bytes(view[at : at + _PIECE + len(text)]).find(text)
        if found >= 0:
            return at + found
    return -1


async def take(jobs, found):
    """Does what is to be done in NORMAL: tells the cloud what has come of it, or has the next life begin it.

    Args:
        jobs: the Jobs; where its `update` is another meanwhile, this one is none any more.
        found: as `job` gave it.
    """
    system, pending = jobs.system, borrow("iot.ota.pending")
    over = pending.over(system.folder)
    if over and (over["job"], over["number"]) == found:
        why = why_not(over)
        answer = {"status": "FAILED" if why else "SUCCEEDED"}  # type: dict[str, object]
        if found[1]:
            answer["executionNumber"] = found[1]
        if why:
            answer["statusDetails"] = {"message": _plain(why)}
        receipt = jobs.client.publish(jobs.prefix + found[0] + "/update", answer, qos=1)
        if await receipt.wait(_TOLD_MS):  # else the cloud offers it once more
            pending.forget(system.folder)
            if jobs.update == found:  # a notice from before that is none of a job to be begun
                jobs.update = None
            system.log.info("jobs", "{}: {}", found[0], answer["status"])
    elif await _make_ready(jobs, found):
        begin(system, found)


def begin(system, found):
    """Has the next life begin a job, (id, number)."""
    borrow("iot.ota.pending").store(system.folder, {"job": found[0], "number": found[1]})
    system.turn("update_accepted", "job " + found[0])


def why_not(over):
    """Why an update has failed, "" where it has not; `over` is what iot.ota.pending has of it."""
    return _INTERRUPTED if over is None or over["why"] is None else over["why"]


def _plain(why):
    """As AWS takes a detail: without control characters."""
    for character in set(why):
        if not " " <= character < "\x7f":
            why = why.replace(character, " ")
    return why[:_MESSAGE_MAX]


async def _make_ready(jobs, found):
    """Waits for the hours in which an update may begin, and has the application make ready for its end; False
    where the job is over meanwhile.

    Its `before_update(thing)` may take ten minutes for that, and return minutes for which it is to be asked
    again: a day in all.
    """
    system = jobs.system
    hours = system.settings.UPDATE_HOURS
    spread_s = random.randint(0, hours[3]) if hours else 0
    vetoed_s = 0
    while jobs.update == found:
        wait_s = _seconds_to(hours, time.time())
        if not wait_s and not spread_s:
            wait_s = 60 * await _asked(system) if vetoed_s < _VETO_S else 0
            if not wait_s:
                return jobs.update == found
            vetoed_s += wait_s
        wait_s += spread_s
        spread_s = 0
        system.log.info("update", "begins in {} min", (wait_s + 59) // 60)
        await within(1000 * wait_s, jobs.changed(found))
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
