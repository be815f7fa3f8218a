"""The chip's clock in its program: it runs ahead of the host's while the program waits, if the world wants that."""

import asyncio
import selectors
import time

_SLICE_S = 0.01  # of waiting: then the world is asked for more
_LEAST_S = 0.002

_ahead_ns = 0
_speed = 1.0
_skip = None


def run_ahead(speed, ahead_s, skip):
    """Be ahead by so much, and from now on count waiting `speed` times; `skip(us)` asks before each step.

    The world answers when it has done what it had to do, e.g. answered the message that the program waits
    for: that it is slow therefore brings no deadline nearer.
    """
    global _ahead_ns, _speed, _skip
    _ahead_ns, _speed, _skip = int(ahead_s * 1_000_000) * 1000, speed, skip


def monotonic_ns():
    """Nanoseconds of the host's clock, and what was skipped."""
    return time.monotonic_ns() + _ahead_ns


def time_ns():
    """Nanoseconds since 1970, by the host's clock and what was skipped."""
    return time.time_ns() + _ahead_ns


def sleep(seconds):
    """Block for so many seconds of this clock."""
    _wait(time.sleep, max(0, seconds))


def new_event_loop():
    """An event loop by this clock."""
    return _Loop(_Selector())


class _Loop(asyncio.SelectorEventLoop):
    def time(self):
        return monotonic_ns() / 1_000_000_000


class _Selector(selectors.DefaultSelector):
    def select(self, timeout=None):
        return _wait(super().select, timeout)


def _wait(wait, seconds):
    """Call `wait` for as long as that takes by this clock, or until it returns something, and return that."""
    global _ahead_ns
    while _speed > 1 and seconds is not None and seconds > _LEAST_S:
        pause = min(_SLICE_S, seconds / _speed)
        if found := wait(pause):
            return found
        skipped_us = int(pause * (_speed - 1) * 1_000_000)
        _skip(skipped_us)
        _ahead_ns += skipped_us * 1000
        seconds -= pause * _speed
    return wait(seconds if seconds is None else max(0, seconds))
