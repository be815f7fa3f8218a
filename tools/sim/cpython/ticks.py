"""The parts of MicroPython's `time` that CPython lacks."""

from tools.sim.cpython import clock as _clock

_PERIOD = 1 << 30  # as on the ESP32: ticks wrap after 12.4 days (ticks_ms) or 18 minutes (ticks_us)
_HALF = _PERIOD >> 1


def ticks_ms():
    """Milliseconds of a counter that wraps at 2**30."""
    return _clock.monotonic_ns() // 1_000_000 % _PERIOD


def ticks_us():
    """Microseconds of a counter that wraps at 2**30."""
    return _clock.monotonic_ns() // 1_000 % _PERIOD


def ticks_add(ticks, delta):
    """Return `ticks` moved by `delta`, wrapped; OverflowError for half the period or more."""
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) % _PERIOD


def ticks_diff(end, start):
    """Signed distance from `start` to `end`, right for at most half the period."""
    return (end - start + _HALF) % _PERIOD - _HALF


def _limited(ms):
    """`ms`; OverflowError where asyncio's queue of tasks could not tell it from the past."""
    if ms >= _HALF:
        raise OverflowError("ticks interval overflow")
    return ms


def sleep_ms(ms):
    """Block for `ms` milliseconds."""
    _clock.sleep(ms / 1000)


def sleep_us(us):
    """Block for `us` microseconds."""
    _clock.sleep(us / 1_000_000)
