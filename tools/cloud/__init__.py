"""A local AWS IoT Core: MQTT broker, registry, fleet provisioning, commands, as a device sees them."""

from .cloud import Cloud
from .database import StateError
from .events import Event
from .limits import Limits
from .misbehaviour import Misbehaviour

__all__ = ["Cloud", "Event", "Limits", "Misbehaviour", "StateError"]
