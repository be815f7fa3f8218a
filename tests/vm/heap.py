"""Measures in the MicroPython VM what importing each module takes of the heap: `async def main(modules)`.

Prints `module bytes` for each. What an ESP32 has in C and the VM lacks is stood in for: it costs no heap.
"""

import asyncio
import gc
import sys


class _StandIn:
    def __getattr__(self, name):
        return self


async def _allocated():
    gc.collect()
    await asyncio.sleep_ms(1)  # the VM collects when all tasks wait
    return gc.mem_alloc()


async def main(modules):
    for name in (
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
    ):
        sys.modules[name] = _StandIn()
    after = await _allocated()
    for name in modules:
        before = after
        __import__(name)
        after = await _allocated()
        print(name, after - before)
    return 0
