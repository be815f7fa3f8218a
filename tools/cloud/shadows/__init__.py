"""The Device Shadow service: classic and named shadows, over MQTT and as boto3's `iot-data` has them."""

from .service import Shadows

__all__ = ["Shadows"]
