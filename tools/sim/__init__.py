"""A simulated ESP32: a process of its own for each device, and the world around them."""

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
