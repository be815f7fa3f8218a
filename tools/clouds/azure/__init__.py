"""A stand-in for Azure IoT Hub and its Device Provisioning Service."""

from .azure import Azure
from .devices import Device, Telemetry
from .errors import ServiceError

__all__ = ["Azure", "Device", "ServiceError", "Telemetry"]
