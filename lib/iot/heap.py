"""Grows MicroPython's heap by what ESP-IDF can spare, before it grows by what ESP-IDF cannot.

The heap starts with 56 KiB. Where that is full it doubles, out of the largest block that ESP-IDF has free,
and TLS, which needs 16 KiB in one piece and 40 in all, may never connect again. How much it takes cannot be
set, but never is more than that largest block: so threads hold all larger ones as their stacks, while the
heap is filled and grows by a small one that is left.
"""

import _thread
import gc
import time

import esp32
from micropython import const

_STEP_BYTES = const(12 * 1024)  # larger by a third where a free block happens to be so
_THREADS_MOST = const(4)
_PIECE_ITEMS = const(126)  # of a tuple of 512 bytes
_PIECES_MOST = const(400)
_PLENTY_BYTES = const(1 << 20)  # only a chip with PSRAM has such a block, and no need
_WAIT_MS = const(200)


def grow():
    """Grows the heap by 12 to 16 KiB. Takes 40 ms, in which nothing else gets memory: no radio may be on.

    Returns an object that has to be kept for ever: MicroPython gives back what nothing is in.
    """
    before = _largest()
    if before > _PLENTY_BYTES:
        return None
    lock = _thread.allocate_lock()
    lock.acquire()
    default = _thread.stack_size()
    try:
        for _ in range(_THREADS_MOST):
            if _largest() < _STEP_BYTES * 4 // 3:
                break
            _thread.stack_size(_largest() - _STEP_BYTES)
            _thread.start_new_thread(_hold, (lock,))
        kept = _fill()
    except (OSError, MemoryError):  # no thread, or nothing to grow by: then as MicroPython would
        kept = None
    finally:
        _thread.stack_size(default)
        lock.release()
    start_ms = time.ticks_ms()
    while _largest() < before - 2 * _STEP_BYTES and time.ticks_diff(time.ticks_ms(), start_ms) < _WAIT_MS:
        time.sleep_ms(5)  # FreeRTOS's idle task takes back the stacks
    return kept


def _largest():
    return max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])


def _hold(lock):
    with lock:
        pass


def _fill():
    """Fills the heap until it has grown; returns a small piece of what was added, or None."""
    pieces: list = [None] * _PIECES_MOST  # at once: a list that grows leaves holes
    size = gc.mem_alloc() + gc.mem_free()
    added = 0
    for i in range(_PIECES_MOST):
        pieces[i] = (None,) * (1 if added else _PIECE_ITEMS)
        if added:
            if 0 < id(pieces[i]) - added < _STEP_BYTES // 2:  # not in a hole of what was there before
                return pieces[i]
        elif gc.mem_alloc() + gc.mem_free() != size:
            added = id(pieces[i])  # an address, and the lowest of what was added
    return None
