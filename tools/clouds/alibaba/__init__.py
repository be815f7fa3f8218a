"""Alibaba Cloud's IoT Platform, which its documentation calls deprecated: signatures, Alink messages."""

from .devices import Device
from .platform import Alibaba
from .requests import OfflineError

__all__ = ["Alibaba", "Device", "OfflineError"]
