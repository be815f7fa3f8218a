"""Knows want of memory by its many faces, and what heals it. Imported for the moment and forgotten.

TLS and Wi-Fi live on ESP-IDF's heap, and say in their own ways that it has nothing left for them; most of
these look like something else.
"""

import errno
import gc

from micropython import const

from iot import memory, retained

_RECORD_BYTES = const(17 * 1024)  # mbedTLS's buffer for what it receives, in one piece
_MPI_ALLOC_FAILED = const(0x10)  # added to the number of the layer it happened in
# What mbedTLS calls MBEDTLS_ERR_…_ALLOC_FAILED: SSL, X509, PK, ECP, MD, CIPHER, PEM, ASN1.
_ALLOC_FAILED = const((0x7F00, 0x2880, 0x3F80, 0x4D80, 0x5180, 0x6180, 0x1180, 0x6A))
_TRIES = const(3)
_DOUBLINGS_MOST = const(5)


def is_starved(error):
    """Whether `error`, of a connection that is closed again, means want of memory, whatever else it says."""
    if isinstance(error, MemoryError) or "0x0101" in str(error):  # ESP_ERR_NO_MEM
        return True
    if isinstance(error, OSError) and isinstance(error.errno, int):
        number = -error.errno
        if error.errno == errno.ENOMEM or number in _ALLOC_FAILED:
            return True
        if _MPI_ALLOC_FAILED in (error.errno, number & 0x7F):
            return True
    return memory.idf_largest() < _RECORD_BYTES


def heal(system, reason):
    """Counts it, and restarts the chip once that is the last thing that helps.

    What MicroPython's heap took of ESP-IDF's comes back by a restart alone. After each that did not help,
    twice as many tries have to fail.
    """
    gc.collect()
    system.starved += 1
    system.starved_reason = reason
    restarts = retained.get("starved")
    system.log.error("memory", "not enough for it, {} times in a row: {}", system.starved, reason)
    if system.starved >= _TRIES << min(restarts, _DOUBLINGS_MOST):
        retained.set("starved", restarts + 1)
        system.restart("not enough memory: " + reason)


def fed(system):
    """It worked: the counts begin anew."""
    system.starved = 0
    if retained.get("starved"):
        retained.set("starved", 0)
