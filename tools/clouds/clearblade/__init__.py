"""A ClearBlade IoT Core, Google's successor: its MQTT bridge, and what an operator does with devices."""

from .bridge import ClearBlade
from .devices import Config, Device, NotSubscribedError

__all__ = ["ClearBlade", "Config", "Device", "NotSubscribedError"]
