"""`time` of the simulated chip: its own clock, which starts in 2000 and counts from there."""

import sys

import utime
from utime import sleep_us, ticks_add, ticks_cpu, ticks_diff, ticks_ms, ticks_us

_SECONDS_1970_TO_2000 = 946684800
_SECONDS_A_DAY = 86400
_DAYS_TO_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)

_offset = [0.0]  # seconds by which the chip's clock is ahead of the host's; kept by the world over a reset


def sleep_ms(ms):
    """Sleep, while what interrupts the program is handled."""
    irq = sys.modules.get("_irq")
    if irq:
        irq.wait(utime.sleep_ms, ms)
    else:
        utime.sleep_ms(ms)


def sleep(seconds):
    """As `sleep_ms`, in seconds."""
    sleep_ms(int(seconds * 1000))


def time():
    """Seconds since 2000 on the chip's clock, an integer."""
    return time_ns() // 1000000000


def time_ns():
    """Nanoseconds since 2000 on the chip's clock."""
    return utime.time_ns() + int(_offset[0] * 1000000) * 1000 - _SECONDS_1970_TO_2000 * 1000000000


def gmtime(secs=None):
    """(year, month, day, hour, minute, second, weekday with Monday 0, day of the year from 1)."""
    days, second = divmod(time() if secs is None else int(secs), _SECONDS_A_DAY)
    weekday = (days + 5) % 7  # 2000-01-01 was a Saturday
    year = 2000 + days // 366
    while days >= _days_to_year(year + 1):
        year += 1
    days -= _days_to_year(year)
    month = 1
    while month < 12 and days >= _days_to_month(year, month + 1):
        month += 1
    day = days - _days_to_month(year, month) + 1
    return (year, month, day, second // 3600, second // 60 % 60, second % 60, weekday, days + 1)


localtime = gmtime  # the chip has no time zone


def mktime(local_time):
    """Seconds since 2000 of a tuple as `gmtime` gives; weekday and day of the year are not looked at."""
    year, month, day, hour, minute, second = local_time[:6]
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    days = _days_to_year(year) + _days_to_month(year, month) + day - 1
    return days * _SECONDS_A_DAY + hour * 3600 + minute * 60 + second


def _set(seconds, microseconds=0):
    """Set the chip's clock and return its new offset from the host's, for the world to keep."""
    _offset[0] += seconds + microseconds / 1000000 - time_ns() / 1000000000
    return _offset[0]


def _days_to_year(year):
    before = year - 1
    return (year - 2000) * 365 + (before // 4 - before // 100 + before // 400) - 484


def _days_to_month(year, month):
    leap = month > 2 and ((year % 4 == 0 and year % 100 != 0) or year % 400 == 0)
    return _DAYS_TO_MONTH[month - 1] + leap
