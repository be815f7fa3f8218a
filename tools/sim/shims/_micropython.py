"""`micropython` of the simulated chip on MicroPython's unix port: `mem_info` prints what a chip does."""

import gc

import _memory
import _world
from micropython import (
    RingIO,
    const,
    heap_lock,
    heap_unlock,
    opt_level,
    qstr_info,
    schedule,
    stack_use,
)

_PRECISION = 256


def kbd_intr(chr):
    """Set the character that interrupts; -1 for none."""
    _world.call("interrupt_character", chr)


def mem_info(*verbose):
    """Print what is in use of stack and heap; the largest free piece of the heap is found by trying."""
    used, free = gc.mem_alloc(), gc.mem_free()
    _memory.print_info(used, free, _memory.idf_largest(), _largest_piece(free))


def _largest_piece(free):
    least, most = 0, free
    while most - least > _PRECISION:
        size = (least + most) // 2
        try:
            bytearray(size)
            least = size
        except MemoryError:
            most = size
    gc.collect()  # what was tried
    return least
