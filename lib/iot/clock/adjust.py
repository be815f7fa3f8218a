"""Decides what the chip's clock is set to. Imported for that and forgotten again.

A time is a claim until TLS has borne it out: one server may lie, and so may what a device remembers. What is
far from all that is known counts only where two servers agree; else it is an estimate, which gives way to the
next one when a certificate's dates speak against it (docs/configuration.md, The time).
"""

import asyncio
import time

import machine
from micropython import const

from iot.events import within
from iot.memory import borrow

_LAST = const("last_time")  # of the last times that the cloud bore out
_TOLD = const("told_time")  # by phone, cable or console, since then
_DEPLOYED = const("/built.txt")  # year, month, day, hour, minute, second
_UNIX_2000_S = const(946684800)
_LIFE_S = const(30 * 365 * 86400)  # of a firmware, at most
_NEAR_S = const(86400)
_SAME_S = const(10)  # two servers that differ by less agree
_LAST_EVERY_S = const(3 * 3600)
_ESTIMATE_MS = const(8000)  # without an answer for so long, an estimate has to do
_DOUBT_MS = const(2000)  # and where a time was wrong already


async def adjust(clock, wait_ms):
    """Sets the chip's clock as well as can be; True for SNTP, None where no network came to ask it.

    Args:
        wait_ms: for a network: what needs none is done meanwhile; 0 where there is one.

    Raises:
        OSError, MemoryError: it is left as it is.
    """
    built_s, kept, sntp = _built(clock.built), _kept(clock.nvs), borrow("iot.clock.sntp")
    if wait_ms and not await within(wait_ms, clock.online()):
        return None
    state = await _adjust(clock, sntp, built_s, *kept)
    if state not in (None, clock.state):
        _become(clock, state)
        clock.log.info("clock", "set by {}", state)
        clock.notify("clock_set", state)
    return state == "sntp"


async def _adjust(clock, sntp, built_s, told_s, last_s):
    """Sets the chip's clock; returns "sntp", "estimate" or, where it is left as it is, None."""
    last_s = max(last_s, built_s)
    near = [told_s, last_s]
    if clock.borne_out or clock.source == ("told",):  # the latter perhaps since `told_s` was read
        near.append(time.time())
    if clock.borne_out:
        _remember(clock)

    def accepted(answers):
        for host in answers:
            for other in answers:
                if other != host and abs(answers[host] - answers[other]) <= _SAME_S:
                    return host, other
        for host in answers:
            for known_s in near:
                if abs(answers[host] - known_s) < _NEAR_S:
                    return (host,)
        return None

    answers = await _ask(clock, sntp, built_s, accepted)
    for host in tuple(answers):
        # What was wrong once may be right again, by the time with which the cloud was reached.
        if host in clock.doubted and not (clock.borne_out and abs(answers[host] - time.time()) < _NEAR_S):
            del answers[host]
    source = accepted(answers)
    if source:
        _set_to(clock, answers[source[0]], source)
        return "sntp"
    if clock.state == "sntp":
        for host in answers:
            clock.log.warning("clock", "{}: far from what is known, and no other says so", host)
        return None
    claims = [(answers[host], host) for host in answers if answers[host] > last_s]
    if clock.state == "unset":
        chip_s = 0 if clock.source else int(time.time())  # a time that was set in this life is no news
        claims += [
            (_kept(clock.nvs)[0], "told"),  # perhaps a moment ago
            (chip_s, "its own clock"),
            (last_s, "what is kept"),
            (built_s, "built"),
        ]
        claims += [(answers[host], host) for host in answers if answers[host] <= last_s]
    for seconds, name in claims:
        if name not in clock.doubted and 0 <= seconds - built_s <= _LIFE_S:
            _set_to(clock, seconds, (name,))
            return "estimate"
    if clock.state == "unset":
        clock.doubted.clear()  # all were wrong: perhaps it is the certificate that is
    return None


def judge(clock):
    """Remembers a time that TLS has borne out; one against which a certificate's dates speak is wrong."""
    if clock.borne_out:
        _remember(clock)
    elif clock.source:
        names = ", ".join(clock.source)
        clock.log.warning("clock", "a certificate's dates speak against the time of {}", names)
        clock.doubted += clock.source
        _become(clock, "unset")


def _become(clock, state):
    clock.state = state
    clock.changed.set()


def _remember(clock):
    """Keeps the time for a start without an answer from SNTP."""
    now_s = int(time.time())
    try:
        if abs(now_s - _kept(clock.nvs)[1]) > _LAST_EVERY_S and now_s >= _built(clock.built):
            values = borrow("iot.storage.nvs")
            values.set(clock.nvs, _LAST, now_s)
            values.erase_key(clock.nvs, _TOLD)
    except (OSError, OverflowError) as error:
        clock.log.warning("clock", "the time is not remembered: {}", error)


def tell(seconds, built, nvs, clock):
    """Takes a time from phone, cable or console as an estimate; False where the cloud has borne out another.

    Args:
        seconds: since 1970, UTC.
        built: (year, month, day) of the firmware's build.
        nvs: an esp32.NVS, None where flash could not be initialised.
        clock: the Clock, None in a mode without one.

    Raises:
        ValueError: it cannot be, for this firmware.
        OSError: flash fails.
    """
    seconds = seconds - (_UNIX_2000_S if time.gmtime(0)[0] == 2000 else 0)
    ahead_s = seconds - _built(built)
    if not 0 <= ahead_s <= _LIFE_S:
        raise ValueError(
            "time: {} this firmware was built".format("before" if ahead_s < 0 else "30 years after")
        )
    if nvs is None:
        raise OSError("flash could not be initialised")
    if clock and clock.borne_out:
        return False
    borrow("iot.storage.nvs").set(nvs, _TOLD, seconds)
    _write(seconds)
    if clock:
        clock.source = ("told",)
        clock.doubted.clear()
        _become(clock, "unset")
    return True


async def _ask(clock, sntp, built, accepted):
    """What servers say that were not wrong yet; whatever that raises, it takes its time and is in the log."""
    wait_ms = _DOUBT_MS if clock.doubted else _ESTIMATE_MS
    hosts = [host for host in clock.hosts if clock.borne_out or host not in clock.doubted]
    start_ms = time.ticks_ms()
    try:
        answers = await sntp.ask(hosts, built, wait_ms, accepted, clock.log)
        if not answers:
            clock.hosts.append(clock.hosts.pop(0))  # the first one's name may have taken all the time
        return answers
    except Exception as error:  # the network's edge: whatever it raises, the next try may do better
        clock.log.warning("clock", "{}: {}", type(error).__name__, error)
    await asyncio.sleep_ms(max(0, wait_ms - time.ticks_diff(time.ticks_ms(), start_ms)))
    return {}


def _built(date):
    built_s, deployed_s = _seconds(date), _deployed_s()
    return deployed_s if 0 <= deployed_s - built_s <= _LIFE_S else built_s


def _seconds(date):
    year, month, day, hour, minute, second = (tuple(date) + (0, 0, 0))[:6]
    return time.mktime((year, month, day, hour, minute, second, 0, 0, 0))


def _deployed_s():
    """When this firmware came onto the board, by the file that tools/board/deploy.py leaves; else 0."""
    try:
        with open(_DEPLOYED) as file:
            return _seconds([int(number) for number in file.read().split()])
    except (OSError, ValueError, OverflowError):
        return 0


def _kept(nvs):
    """The time that was told, and the last that the cloud bore out; 0 for none, and where flash fails."""
    values = borrow("iot.storage.nvs")
    try:
        return values.get_i32(nvs, _TOLD), values.get_i32(nvs, _LAST)
    except OSError:  # servers may know the time
        return 0, 0


def _set_to(clock, seconds, source):
    if abs(seconds - time.time()) >= _NEAR_S:
        clock.borne_out = False
    clock.source = source
    _write(seconds)


def _write(seconds):
    year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)[:8]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
