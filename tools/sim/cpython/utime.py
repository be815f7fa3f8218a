"""MicroPython's built-in `utime` as far as the simulated chip's `time` builds on it."""

from tools.sim.cpython.clock import sleep, time_ns
from tools.sim.cpython.ticks import sleep_ms, sleep_us, ticks_add, ticks_diff, ticks_ms, ticks_us

__all__ = [
    "sleep",
    "sleep_ms",
    "sleep_us",
    "ticks_add",
    "ticks_cpu",
    "ticks_diff",
    "ticks_ms",
    "ticks_us",
    "time_ns",
]

ticks_cpu = ticks_us
