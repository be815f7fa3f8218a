"""Measures in MicroPython what a device's way into a mode takes of the heap: `async def main(arguments)`.

The argument is a file with an action a line, of those that tools/board/start.py has, each for one name:

    step NAME   prints `STEP NAME`
    show        prints what micropython.mem_info says
    VERB NAME   does it, prints `USED VERB NAME bytes`, and what micropython.qstr_info says

`USED bytes` comes first, and `FAILED why` last where an allocation failed.

What an ESP32 has in C and MicroPython elsewhere lacks is stood in for: it costs no heap.
"""

import asyncio
import gc
import os
import sys

import micropython

_STOOD_IN = (
    "_thread",
    "aioble",
    "bluetooth",
    "cryptolib",
    "esp32",
    "machine",
    "network",
    "ntptime",
    "socket",
    "tls",
    "umqtt",
    "umqtt.simple",
)
_PACK = "firmware.pack"  # beside the file with the actions
_held = {}


class _StandIn:
    def __getattr__(self, name):
        return self


async def _collect():
    for _ in range(3):  # at first a task's frame may still refer to what it has let go of
        gc.collect()
        await asyncio.sleep_ms(1)  # the VM collects when all tasks wait


async def _tell(*what):
    await _collect()
    print("USED", *what, gc.mem_alloc())
    micropython.qstr_info()


async def _do(verb, what):
    """Carries an action out."""
    if verb == "import":
        __import__(what)
        if what == "pack":  # boot.py has it begin with the pack that is due
            sys.modules["pack"].mount(_PACK)
        return
    from iot import memory

    if verb == "stay":
        memory.stay(_held["iot.transitions"].modes.staying(*what.split("/")))
    elif verb == "load":
        await memory.load(what)
    elif verb == "keep":
        memory.keep(what)
    elif verb == "borrow":
        memory.borrow(what)
    elif verb == "hold":
        _held[what] = memory.borrow(what)
    elif verb == "make":
        _held[what] = _buffers()
    elif verb == "drop":
        del _held[what]
        memory.sweep()
    else:
        raise ValueError(verb)


def _buffers():
    """Those of a connection."""
    from firmware import settings

    return bytearray(settings.OUTBOX_BYTES), bytearray(settings.PACKET_LIMIT)


async def _do_all(lines):
    gc.threshold(4096)  # as main.py has it
    await _tell()
    try:
        for line in lines:
            verb, _, what = line.strip().partition(" ")
            if verb == "step":
                print("STEP", what)
            elif verb == "show":
                await _collect()
                micropython.mem_info()
            else:
                await _do(verb, what)
                await _tell(verb, what)
    except MemoryError as error:
        print("FAILED", error)


async def main(arguments):
    for name in _STOOD_IN:
        sys.modules[name] = _StandIn()
    os.chdir(arguments[0].rpartition("/")[0] or "/")
    with open(arguments[0]) as lines:  # one by one: they are not to take what is measured
        await _do_all(lines)
    return 0
