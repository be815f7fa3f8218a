"""What is free, truly: MicroPython also counts what its heap could take of ESP-IDF's, and must never."""

import gc

import esp32


def idf_largest():
    """Bytes of the largest free block of ESP-IDF's heap: where Wi-Fi and TLS live."""
    return max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])


def heap_free():
    """Bytes free in MicroPython's heap as it is; garbage counts as in use until it is collected."""
    return gc.mem_free() - idf_largest()


def heap_total():
    """Bytes of MicroPython's heap, without its own tables."""
    return gc.mem_alloc() + heap_free()
