"""A local AWS IoT Core: broker, registry, fleet provisioning, shadows, jobs, commands."""

from .cloud import Cloud
from .database import StateError
from .events import Event
from .limits import Limits
from .misbehaviour import Misbehaviour

__all__ = ["Cloud", "Event", "Limits", "Misbehaviour", "StateError"]
