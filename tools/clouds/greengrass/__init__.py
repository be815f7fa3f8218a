"""Greengrass at home: a core with its MQTT broker and bridge, and AWS's discovery, which tells of it."""

from .core import Core
from .discovery import Discovery

__all__ = ["Core", "Discovery"]
