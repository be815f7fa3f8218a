"""Greengrass at home: a core with its MQTT broker and bridge, and AWS's discovery, which tells of it."""

from .core import Core
from .discovery import Discovery
from .rights import template_body

__all__ = ["Core", "Discovery", "template_body"]
