"""What CPython lacks of MicroPython's language layer.

`install_language` only adds, for a process that also runs host code (pytest).
"""

import asyncio
import gc
import os
import sys
import time
import traceback

from tools.sim.cpython import micropython, ticks

__all__ = ["install_language"]

HEAP_BYTES = 111 * 1024  # what an idle ESP32 has; CPython cannot say how much of it would be in use


def install_language() -> None:
    """Add MicroPython's names to CPython's own modules; nothing CPython has is changed. Safe to repeat."""
    sys.modules["micropython"] = micropython
    for name in ("ticks_ms", "ticks_us", "ticks_add", "ticks_diff", "sleep_ms", "sleep_us"):
        setattr(time, name, getattr(ticks, name))
    asyncio.sleep_ms = lambda ms: asyncio.sleep(ms / 1000)
    asyncio.wait_for_ms = lambda awaitable, timeout_ms: asyncio.wait_for(awaitable, timeout_ms / 1000)
    sys.print_exception = _print_exception
    gc.mem_free = lambda: HEAP_BYTES
    gc.mem_alloc = lambda: 0
    os.ilistdir = _ilistdir


def _print_exception(exception, file=None):
    traceback.print_exception(exception, file=file or sys.stdout)


def _ilistdir(path="."):
    for entry in os.scandir(path):
        is_directory = entry.is_dir()
        yield (entry.name, 0x4000 if is_directory else 0x8000, 0, 0 if is_directory else entry.stat().st_size)
