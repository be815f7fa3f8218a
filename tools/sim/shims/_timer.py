# Timers of `machine`, which run in the world.

import time

import _irq
import _world

_HARDWARE_TIMERS = 4
_timers = {}  # by their numbers


class Timer:
    """One of four timers, which calls back while the program waits (virtual ones came after 1.25)."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __new__(cls, id, **kwargs):
        if not 0 <= id < _HARDWARE_TIMERS:
            raise ValueError("invalid Timer number")
        if id not in _timers:
            _timers[id] = object.__new__(cls)
            _timers[id]._number = id
            _timers[id]._started = _timers[id]._period_ms = 0
        return _timers[id]

    def __init__(self, id, **kwargs):
        if kwargs:
            self.init(**kwargs)

    def init(self, *, mode=1, callback=None, period=0xFFFFFFFF, tick_hz=1000, freq=None):
        self.deinit()
        period_us = int(1000000 / freq) if freq is not None else (period & 0xFFFFFFFF) * 1000000 // tick_hz
        if period_us == 0:  # 1.25 would do nothing else any more
            raise ValueError("Timer period is too short for this timer")
        if callback is not None:
            _irq.on("timer", self._number, lambda: callback(self))
        self._started, self._period_ms = time.ticks_ms(), period_us // 1000
        _world.call("part", "timer", self._number, period_us / 1000000, bool(mode))

    def deinit(self):
        _irq.on("timer", self._number, None)
        _world.call("part", "timer_stop", self._number)

    def value(self):
        """Milliseconds since it started, or last called back."""
        return time.ticks_diff(time.ticks_ms(), self._started) % max(1, self._period_ms)
