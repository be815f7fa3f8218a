"""What CPython lacks of MicroPython's language layer.

`install_language` only adds, for a process that also runs host code (pytest). The process of a simulated
device goes further: `install_device` replaces whole modules by MicroPython's surface.
"""

import asyncio
import binascii
import gc
import importlib.util
import os
import struct
import sys
import time
import traceback
import types
from pathlib import Path

from tools.sim.cpython import cryptolib, deflate, micropython, ticks

__all__ = ["install_device", "install_language", "join_packed_with_text", "load_shim"]

HEAP_BYTES = 111 * 1024  # what an idle ESP32 has; CPython cannot say how much of it would be in use


def install_language() -> None:
    """Add MicroPython's names to CPython's own modules; nothing CPython has is changed. Safe to repeat."""
    sys.modules |= {"micropython": micropython, "cryptolib": cryptolib, "deflate": deflate}
    for name in ("ticks_ms", "ticks_us", "ticks_add", "ticks_diff", "sleep_ms", "sleep_us"):
        setattr(time, name, getattr(ticks, name))
    asyncio.sleep_ms = lambda ms: asyncio.sleep(ticks._limited(ms) / 1000)
    asyncio.wait_for_ms = lambda awaitable, ms: asyncio.wait_for(awaitable, ticks._limited(ms) / 1000)
    sys.print_exception = _print_exception
    gc.mem_free = lambda: HEAP_BYTES
    gc.mem_alloc = lambda: 0
    gc.threshold = lambda amount=-1: -1
    os.ilistdir = _ilistdir


def install_device() -> None:
    """Replace CPython's modules by MicroPython's surface: for the process of a simulated device only."""
    # Slow to import, of no use to host code; `lfs` needs what is replaced here.
    from tools.sim.cpython import aio, heap, lfs, tls, uio, ujson, ussl

    install_language()
    asyncio.get_event_loop_policy()  # made now: asyncio looks itself up in sys.modules for it
    sys.modules |= {"asyncio": aio, "ssl": ussl, "tls": tls, "gc": heap, "io": uio, "json": ujson}
    sys.implementation._machine = "Generic ESP32 module with ESP32"
    sys.implementation._mpy = 10 << 10 | 3 << 8 | 6  # as MicroPython 1.25: xtensawin, .mpy files of 6.3
    sys.modules |= {"binascii": _chip_binascii()}
    sys.dont_write_bytecode = True  # the chip writes none to its flash
    gc.freeze()  # from here on what there is to collect, or to count, is the program's


def join_packed_with_text() -> None:
    """Have `struct.pack(…) + "text"` give bytes, as all bytes do in MicroPython; aioble counts on it."""

    class Packed(bytes):
        def __add__(self, other: bytes | str) -> bytes:
            return super().__add__(other.encode() if isinstance(other, str) else other)

    chip_struct = types.ModuleType("struct")
    vars(chip_struct).update(vars(struct))
    chip_struct.pack = lambda *arguments: Packed(struct.pack(*arguments))
    sys.modules["struct"] = chip_struct


def _chip_binascii() -> types.ModuleType:
    """Its `crc32` takes a text for its bytes, as all do in MicroPython; lib/pack.py counts on it."""
    module = types.ModuleType("binascii")
    vars(module).update(vars(binascii))
    module.crc32 = lambda data, value=0: binascii.crc32(
        data.encode() if isinstance(data, str) else data, value
    )
    return module


def load_shim(name: str) -> types.ModuleType:
    """Load a hardware shim under its name on the chip, in front of a module of CPython that has it too."""
    from tools.sim.cpython import usocket, utime  # before `socket` and `time` are the chip's

    sys.modules |= {"usocket": usocket, "utime": utime}
    path = Path(__file__).parent.parent / "shims" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _print_exception(exception, file=None):
    traceback.print_exception(exception, file=file or sys.stdout)


def _ilistdir(path="."):
    for entry in os.scandir(path):
        is_directory = entry.is_dir()
        yield (entry.name, 0x4000 if is_directory else 0x8000, 0, 0 if is_directory else entry.stat().st_size)
