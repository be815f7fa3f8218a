"""What is done where the heap has nothing left, or has taken what was Wi-Fi's and TLS's. Then forgotten."""

import gc

from iot import memory, starving


def settle(system, least):
    """Ends the application, which is started again, and where that does not help, has the chip restart.

    Args:
        system: the System.
        least: bytes that have to be free in the heap.
    """
    gc.collect()  # may be enough; and gives back an area of which nothing is in use any more
    free, grown = memory.heap_free(), memory.heap_total() - system.heap_total
    if free >= least and grown <= 0:
        return
    if system.application and system.application.end(
        MemoryError(
            "the application takes too much: {} bytes of heap are free, {} too many taken".format(free, grown)
        )
    ):
        return  # the next look tells whether it was enough
    if grown > 0:
        starving.heal(system, "the heap has grown by {} bytes".format(grown))
