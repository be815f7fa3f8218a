"""Greengrass at home: a core with its MQTT broker and bridge, and AWS's discovery, which tells of it."""

from .bridge import SERVICES_DOWN, SERVICES_UP
from .core import Core
from .discovery import Discovery
from .rights import template_body

__all__ = ["SERVICES_DOWN", "SERVICES_UP", "Core", "Discovery", "template_body"]
