"""AWS IoT Device Defender, its device side: what a device measures of itself."""

from .defender import Defender

__all__ = ["Defender"]
