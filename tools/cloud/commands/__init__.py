"""AWS IoT Commands: what an operator defines once and starts on one device, which answers within a time."""

from .service import Commands

__all__ = ["Commands"]
