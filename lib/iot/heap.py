"""Gives MicroPython's heap its last size, in one step, before a radio is on.

The heap starts with 56 KiB. Where that is full it doubles, out of the largest block that ESP-IDF has free,
and Wi-Fi and TLS, which live on ESP-IDF's heap, never get it back. How much it takes cannot be set, but never
is more than that largest block: so threads hold all larger ones as their stacks, while the heap is filled and
grows by what was left for it. docs/memory.md has the sums.
"""

import _thread
import gc
import time

import esp32
from micropython import const

_STEP_MOST = const(48 * 1024)  # below the heap's first size: it never takes more at once
_MOST_BYTES = const(108 * 1000)  # more than any step makes of the first 56 KiB, and less than twice those
_STEP_LEAST = const(8 * 1024)
_THREADS_MOST = const(6)
_SPARE_BYTES = const(24 * 1024)
_SLACK_BYTES = const(4096)  # ESP-IDF tells the size of a large block to within this
_PLENTY_BYTES = const(1 << 20)  # only a chip with PSRAM has such a block, and no need
_PIECE_ITEMS = const(1000)  # of a list of 4 KB
_PIECES_MOST = const(32)
_ITEMS_KEPT = const(
    8
)  # with fewer, in the very first block alone, MicroPython takes what was added for empty
_SPARE_MS = const(5000)
_WAIT_MS = const(10000)
_IDLE_MS = const(25)  # for less than two ticks of 10 ms MicroPython keeps the processor busy


def grow(reserved):
    """Grows the heap by what ESP-IDF has free over `reserved` bytes. No radio may be on.

    Returns an object that has to be kept for ever, since MicroPython gives back what nothing is in; None
    where the heap was left as it is.
    """
    free, largest = _idf()
    step = min(free - reserved, _STEP_MOST)
    if largest > _PLENTY_BYTES or step < _STEP_LEAST or largest < step + _SPARE_BYTES:
        return None
    gc.collect()
    soon, late = _thread.allocate_lock(), _thread.allocate_lock()
    held = [soon, late]
    for lock in held:
        lock.acquire()
    default = _thread.stack_size()
    kept = None
    try:
        # What is given back before the heap grows, so that ESP-IDF is never left with nothing.
        spare = min(_SPARE_BYTES, step - _SLACK_BYTES)
        _park(spare, soon)
        for _ in range(_THREADS_MOST):
            if _idf()[1] < step + _SLACK_BYTES:
                break
            _park(_idf()[1] - step, late)
        left = _idf()[0]
        held.pop(0).release()
        _until_free(left + spare, _SPARE_MS)
        kept = _fill()
    except (OSError, MemoryError):  # no thread, or nothing to grow by
        pass
    finally:
        _thread.stack_size(default)
        for lock in held:
            lock.release()
    _until_free(free - step - _SLACK_BYTES, _WAIT_MS)  # else there would be nothing for the radio
    return kept


def most(total):
    """Bytes that the heap may have from now on: less than it has where it doubled before its time, so TLS
    has no room in this life.
    """
    return min(total, _MOST_BYTES) if _idf()[1] < _PLENTY_BYTES else total


def _idf():
    """Bytes free in ESP-IDF's heap, and in its largest block."""
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    return sum([region[1] for region in regions]), max([region[2] for region in regions])


def _park(size, lock):
    """Has a thread hold `size` bytes of ESP-IDF's heap until `lock` is free."""
    _thread.stack_size(size)
    _thread.start_new_thread(_hold, (lock,))


def _hold(lock):
    with lock:
        pass


def _until_free(size, wait_ms):
    """Waits until ESP-IDF has `size` bytes free: FreeRTOS's idle task takes back stacks of ended threads."""
    start_ms = time.ticks_ms()
    while _idf()[0] < size and time.ticks_diff(time.ticks_ms(), start_ms) < wait_ms:
        time.sleep_ms(_IDLE_MS)


def _total():
    """Bytes of the heap; gc.mem_free() counts ESP-IDF's largest block, and a stack may come back late."""
    return gc.mem_alloc() + gc.mem_free() - _idf()[1]


def _fill():
    """Fills the heap until it has grown; returns a list whose items are the first thing in what was added."""
    pieces: list = [None] * _PIECES_MOST  # at once: a list that grows leaves holes
    size = _total()
    for i in range(_PIECES_MOST):
        pieces[i] = [None] * _PIECE_ITEMS
        if _total() != size:
            while len(pieces[i]) > _ITEMS_KEPT:
                pieces[i].pop()  # its memory shrinks where it is
            return pieces[i]
    return None
