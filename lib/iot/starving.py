"""Knows want of memory by its many faces, and what heals it. Imported for the moment and forgotten.

TLS and Wi-Fi live on ESP-IDF's heap, and say in their own ways that it has nothing left for them; most of
these look like something else.
"""

import errno
import gc

from micropython import const

from iot.memory import borrow, heap_free, heap_total, idf_largest

_RECORD_BYTES = const(17 * 1024)  # mbedTLS's buffer for what it receives, in one piece
_EBUSY = const(16)  # as MicroPython passes on mbedTLS's MPI_ALLOC_FAILED
_PUBKEY = const(-0x3B00)  # PK_INVALID_PUBKEY alone: the numbers of a certificate's RSA key found no room
# mbedTLS's numbers are a sum of two: of what failed, and of why. Allocations have these, among the first
# SSL, X509, PK, ECP, MD, CIPHER and PEM, among the second MPI and ASN1.
_HIGH = const((0x7F00, 0x2880, 0x3F80, 0x4D80, 0x5180, 0x6180, 0x1180))
_LOW = const((0x10, 0x6A))
# What mbedTLS says of all it cannot parse, for want of memory too. Where it is so for good, restarts that
# come ever more rarely do no harm.
_UNPARSED = const(("invalid key", "invalid cert"))
_TRIES = const(3)
_DOUBLINGS_MOST = const(5)
_WELL_MS = const(600000)  # after so long without it the restart before has helped


def is_starved(error):
    """Whether `error`, of a connection that is closed again, means want of memory, whatever else it says."""
    text = str(error)
    if isinstance(error, MemoryError) or "0x0101" in text:  # ESP_ERR_NO_MEM
        return True
    if isinstance(error, ValueError) and text in _UNPARSED:
        return True
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOMEM, _EBUSY, _PUBKEY):
        return True
    if isinstance(number, int) and number < 0 and (-number & 0xFF80 in _HIGH or -number & 0x7F in _LOW):
        return True
    return idf_largest() < _RECORD_BYTES


def heal(system, reason):
    """Counts it, and restarts the chip once that is the last thing that helps.

    What MicroPython's heap took of ESP-IDF's comes back by a restart alone. After each that did not help,
    twice as many tries have to fail.
    """
    gc.collect()
    retained = borrow("iot.storage.rtc")
    if not system.starved and system.log.uptime_ms() > _WELL_MS:
        retained.set("starved", 0)
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
    retained = borrow("iot.storage.rtc")
    if retained.get("starved"):
        retained.set("starved", 0)


def settle(system, least):
    """Ends the application, which is started again, and where that does not help, has the chip restart.

    Args:
        system: the System.
        least: bytes that have to be free in the heap.
    """
    gc.collect()  # may be enough; and gives back an area of which nothing is in use any more
    free, grown = heap_free(), heap_total() - system.heap_total
    if free >= least and grown <= 0:
        return
    if system.application and system.application.end(
        MemoryError(
            "the application takes too much: {} bytes of heap are free, {} too many taken".format(free, grown)
        )
    ):
        return  # the next look tells whether it was enough
    if grown > 0:
        heal(system, "the heap has grown by {} bytes".format(grown))
