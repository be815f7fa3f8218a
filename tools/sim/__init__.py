"""A simulated ESP32: a process of its own for each device, and the world around them.

In the caller's process, on CPython, is all that does not run on a chip:

- device: power, restarts and the console of one chip; its flash from outside: files, flash;
  its process: forked.
- world: what is around the chips: radio (Wi-Fi), ble/ (the air, phones), relay (the network), ntp.
- chip: what a chip keeps over its programs: memory, interrupts, peripherals; what those are wired to: wiring,
  buses, onewire.
- cli, files_cli, port, running, seldom: the verb `sim`.

In the device's process, which start begins, boot.py and main.py find a chip's modules:

- shims/: the hardware's, in MicroPython's own Python; each asks the world over a socket (`_world`).
- cpython/: what CPython lacks of MicroPython: its asyncio, streams, tls, json, littlefs. MicroPython's own
  unix port needs none of it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.sim.device import Device
    from tools.sim.world import World

__all__ = ["Device", "World"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: the device's own process, in this package too, has no use for them."""
    if name == "Device":
        from tools.sim.device import Device  # noqa: PLC0415

        return Device
    if name == "World":
        from tools.sim.world import World  # noqa: PLC0415

        return World
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
