"""A local AWS IoT Core: MQTT broker, registry, fleet provisioning and shadows, as a device sees them."""

from .cloud import Cloud
from .database import StateError
from .events import Event
from .limits import Limits

__all__ = ["Cloud", "Event", "Limits", "StateError"]
