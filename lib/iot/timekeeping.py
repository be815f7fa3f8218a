"""Sets the chip's clock: by SNTP, or by the best that is known without it."""

import time

import machine
from micropython import const

from iot import sntp

_KEY = const("last_time")
_DEPLOYED = const("/built.txt")  # year, month, day, hour, minute, second


async def adjust(hosts, built, nvs, estimate, log):
    """Sets the chip's clock; returns "sntp", "estimate" or, where it could not, None.

    Args:
        hosts: names or addresses of NTP servers, asked one after another.
        built: (year, month, day) of the build: no time before it is believed.
        nvs: an esp32.NVS, which keeps the last time known.
        estimate: whether, without an answer, it is set to the latest of the chip's own time, the last time
            known and the time of the build.
        log: a Log.
    """
    built_s = max(_seconds(built), _deployed_s())
    for host in hosts:
        try:
            _set_to(await sntp.ask(host, built_s))
        except (OSError, ValueError) as error:
            log.warning("clock", "{}: {}", host, error)
            continue
        _remember(nvs, log)
        return "sntp"
    if not estimate:
        return None
    try:
        known = nvs.get_i32(_KEY)
    except OSError:  # never stored
        known = 0
    _set_to(max(int(time.time()), known, built_s))
    return "estimate"


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


def _set_to(seconds):
    year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)[:8]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))


def _remember(nvs, log):
    try:
        nvs.set_i32(_KEY, int(time.time()))
        nvs.commit()
    except OSError as error:
        log.warning("clock", "the time is not remembered: {}", error)
