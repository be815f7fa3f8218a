"""A simulated ESP32: a process of its own for each device, and the world around them."""

from tools.sim.device import Device
from tools.sim.world import World

__all__ = ["Device", "World"]
