"""The chip's clock in its program: the host's, of which it runs ahead while the program waits."""

import asyncio
import math
import selectors
import time

_SLICE_S = 0.01  # of waiting: then the world is asked for more
_LEAST_S = 0.002
_EPOLL_S = 0.001  # of less it makes as much


class _Clock:
    ahead_ns = 0
    speed = 1.0
    ask = None


def run_ahead(speed, ahead_s, ask):
    """Be ahead by so much, and from now on count waiting `speed` times; `ask(us)` comes before each step.

    The world answers when it has done what it had to do, e.g. sent the message that the program waits for:
    that it is slow therefore brings no deadline nearer.
    """
    _Clock.speed, _Clock.ahead_ns, _Clock.ask = speed, int(ahead_s * 1_000_000) * 1000, ask


def monotonic_ns():
    """Nanoseconds of the host's clock, and what was skipped."""
    return time.monotonic_ns() + _Clock.ahead_ns


def time_ns():
    """Nanoseconds since 1970 by the host's clock, and what was skipped."""
    return time.time_ns() + _Clock.ahead_ns


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
        return _wait(self._found, timeout)

    def _found(self, timeout):
        if timeout and 0 < timeout < _EPOLL_S:
            time.sleep(timeout)
            timeout = 0
        return super().select(timeout)


def _wait(wait, seconds):
    """Call `wait` for as long as `seconds` of this clock take, or until it returns something; returns that.

    None: without an end.
    """
    if _Clock.speed == 1:
        return wait(seconds)
    left_s = math.inf if seconds is None else seconds
    while left_s > _LEAST_S:
        pause_s = min(_SLICE_S, left_s / _Clock.speed)
        if found := wait(pause_s):
            return found
        skipped_us = int(pause_s * (_Clock.speed - 1) * 1_000_000)
        _Clock.ask(skipped_us)
        _Clock.ahead_ns += skipped_us * 1000
        left_s -= pause_s * _Clock.speed
    return wait(max(0, left_s))
