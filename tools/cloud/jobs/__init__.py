"""AWS IoT Jobs: the control plane, what devices ask for, and the MQTT service between them."""

from .control import Jobs
from .placeholders import Presign
from .service import JobsService

__all__ = ["Jobs", "JobsService", "Presign"]
