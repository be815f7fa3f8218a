"""`gc` of the simulated chip on MicroPython's unix port (on CPython: tools/sim/cpython/heap.py).

Its heap cannot grow. Yet, as on the chip, the block of ESP-IDF's heap by which it could counts as free.
"""

import gc
from gc import disable, enable, isenabled, mem_alloc, threshold

import _memory


def collect():
    """Collect; unlike the unix port's it does not say how much."""
    gc.collect()


def mem_free():
    """Bytes free in the heap, and of the largest block of ESP-IDF's heap."""
    free = gc.mem_free()  # before anything is allocated here
    return free + _memory.idf_largest()
