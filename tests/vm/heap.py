"""Measures in MicroPython what modules take of the heap: `async def main(arguments)`.

    MODULE...         imports these one after the other, and prints `module bytes` for each
    --boot STEPS      goes through the steps of a start, a JSON list of [name, modules, modules that then go],
                      prints `STEP name`, what micropython.mem_info says after it, and `FAILED why` at the end
                      where an allocation failed; the name BUFFERS stands for the buffers of a connection

What an ESP32 has in C and MicroPython elsewhere lacks is stood in for: it costs no heap.
"""

import asyncio
import gc
import json
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
)
_BUFFERS = "BUFFERS"
_kept = []


class _StandIn:
    def __getattr__(self, name):
        return self


async def _allocated():
    gc.collect()
    await asyncio.sleep_ms(1)  # the VM collects when all tasks wait
    return gc.mem_alloc()


async def _import(modules):
    after = await _allocated()
    for name in modules:
        before = after
        __import__(name)
        after = await _allocated()
        print(name, after - before)


async def _boot(steps):
    gc.threshold(4096)  # as main.py has it
    try:
        for name, modules, gone in steps:
            print("STEP", name)
            for module in modules:
                _make_buffers() if module == _BUFFERS else __import__(module)
                await _allocated()
            if gone:
                from iot import memory

                for module in gone:
                    memory._forget(module)
            await _allocated()
            micropython.mem_info()
    except MemoryError as error:
        print("FAILED", error)


def _make_buffers():
    from iot.mqtt.packet import Framer
    from iot.mqtt.queues import Inbox, Outbox

    from firmware import settings

    counts = dict.fromkeys(("refused", "lost", "oversize", "unclaimed", "dropped"), 0)
    _kept.append(Outbox(settings.OUTBOX_BYTES, settings.WINDOW, counts))
    _kept.append(Inbox(Framer(settings.PACKET_LIMIT), counts))


async def main(arguments):
    for name in _STOOD_IN:
        sys.modules[name] = _StandIn()
    if arguments[0] == "--boot":
        await _boot(json.loads(arguments[1]))
    else:
        await _import(arguments)
    return 0
