"""Memory beside both heaps: what ESP-IDF keeps for the Bluetooth controller of a classic ESP32.

The controller's code in the chip's ROM works on memory at fixed addresses, which an image with Bluetooth
leaves out of its heap, whether that is on or not (ESP-IDF: esp_bt_mem_release, memory_layout.c). A life in
which it never is on may have them: docs/memory.md.
"""

import sys

import esp32
import machine
from micropython import const

_START = const(0x3FFB0000)
_SIZE = const(25480)
# Of ESP-IDF's heap: the sizes of the regions before it and behind it, and how many there are.
_BEFORE = const(240)
_BEHIND = const(7288)
_REGIONS = const(6)
_LEAST = const(6144)  # what a claim has need of (iot.aws.claim), which so takes nothing of the heap either


def take(flash, *sizes):
    """A bytearray of each of these sizes at least; None where the chip has no such memory, or not for all.

    The pack's index goes there, too, and the 256 bytes of `flash`, a Flash or None. Bluetooth cannot be
    switched on in this life.
    """
    pack = getattr(getattr(sys.modules.get("pack"), "Pack", None), "mounted", None)  # older ones tell none
    moved = [(owner, name) for owner, name in ((pack, "index"), (flash, "memory")) if owner]
    needed = [len(getattr(owner, name)) for owner, name in moved] + [max(size, _LEAST) for size in sizes]
    if not _is_free(sum(needed)):
        return None
    import bluetooth
    import uctypes

    names = {name: getattr(bluetooth, name) for name in dir(bluetooth) if name != "BLE" and name[0] != "_"}
    sys.modules["bluetooth"] = type("Bluetooth, whose memory NORMAL uses,", (), names)()
    buffers, at = [], _START
    for size in needed:
        buffers.append(uctypes.bytearray_at(at, size))
        at += size
    for owner, name in moved:
        buffers[0][:] = getattr(owner, name)
        setattr(owner, name, buffers.pop(0))
    return buffers


def _is_free(size):
    """Whether so much of it is nobody's, as far as can be known."""
    regions = [region[0] for region in esp32.idf_heap_info(esp32.HEAP_DATA)]
    if len(regions) != _REGIONS or _BEFORE not in regions or _BEHIND not in regions or size > _SIZE:
        return False  # another chip, PSRAM, or an image without Bluetooth, or that has given this memory back
    import bluetooth

    if not hasattr(bluetooth, "BLE") or "aioble" in sys.modules:
        return False  # taken before, or by who means to switch Bluetooth on
    return machine.reset_cause() != machine.SOFT_RESET  # Bluetooth may have been on, and not have ended well
