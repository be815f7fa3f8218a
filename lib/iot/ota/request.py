"""What a job "OTA" asks for, on its way to the next life. In memory for a moment.

All judging is for that life, as is the document: beside an application there is no room for them.
"""

import asyncio
import binascii
import hashlib
import random
import time

from micropython import const

from iot.events import within

_READY_MS = const(600000)
_VETO_S = const(86400)  # for which the application may put it off
_DAY_S = const(86400)
_HOUR_S = const(3600)
_PIECE = const(256)
_BEFORE = const(16)
_NAME = const(7)  # '"jobId"'


def job_id(notice):
    """The id of the job that the cloud tells of where its action is "OTA", else None; `notice` is a view."""
    at = _find(notice, b'"OTA"')
    before = bytes(notice[max(at - _BEFORE, 0) : max(at, 0)]).replace(b" ", b"")
    at = _find(notice, b'"jobId"') if before[-9:] == b'"action":' else -1
    text = bytes(notice[at + _NAME : at + _PIECE]) if at >= 0 else b""
    start = text.find(b'"') + 1
    end = text.find(b'"', start)
    return str(text[start:end], "utf-8") if 0 < start < end else None


def _find(view, text):
    """Where a text begins, -1 for nowhere; in pieces, since none is free for all of it."""
    for at in range(0, len(view), _PIECE):
        found = bytes(view[at : at + _PIECE + len(text)]).find(text)
        if found >= 0:
            return at + found
    return -1


def order(document):
    """What iot.ota.pending stores of a job's document; ValueError where it is not what it has to be."""
    text = document.get("root") or document.get("manifest")
    signatures, url = document.get("signatures"), document.get("url")
    if "root" in document:
        url = ""
    elif not isinstance(url, str) or not url.startswith("https://"):
        raise ValueError("url: not https://")
    if not isinstance(text, str) or not isinstance(signatures, list):
        raise ValueError("a manifest or a root, and a list of signatures are needed: docs/updates.md")
    return {"text": text, "signatures": signatures, "url": url, "again": bool(document.get("again"))}


def mark(text):
    """What a job is marked by that is about these bytes."""
    return str(binascii.hexlify(hashlib.sha256(text).digest()), "ascii")


async def make_ready(system, later):
    """Waits for the hours in which an update may begin, and has the application make ready for its end.

    Its `before_update(thing)` may take ten minutes for that, and return minutes for which it is to be asked
    again: a day in all.

    later: coroutine function that is called before a wait, which a restart may end.
    """
    log, settings = system.log, system.settings
    spread_s = random.randint(0, settings.UPDATE_SPREAD_S)
    vetoed_s = 0
    is_told = False
    while True:
        wait_s = seconds_to(settings.UPDATE_HOURS, time.time() + 60 * settings.UTC_OFFSET_MIN)
        if not wait_s and not spread_s:
            wait_s = 60 * await _asked(system)
            if not wait_s or vetoed_s >= _VETO_S:
                return
            vetoed_s += wait_s
        if not is_told:
            is_told = await later()
        log.info("update", "begins in {} min", (wait_s + spread_s + 59) // 60)
        await asyncio.sleep(wait_s + spread_s)
        spread_s = 0


def seconds_to(hours, now_s):
    """Seconds until these hours begin, 0 where they have.

    Args:
        hours: (from, to), 0 to 24 each, of which `to` may be the smaller; None for all day.
        now_s: local time.
    """
    if not hours:
        return 0
    start_s, end_s, now_s = hours[0] * _HOUR_S, hours[1] * _HOUR_S, now_s % _DAY_S
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
