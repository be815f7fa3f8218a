"""What devices of this product do in a month, in what AWS counts.

The numbers are measured on the example application as it comes; tests/system/test_usage.py compares them with
a device. AWS meters CONNECT, each SUBSCRIBE, each PUBLISH either way and each PUBACK of a device, in steps of
5 KB; PINGREQ, UNSUBSCRIBE, DISCONNECT and what AWS answers beside messages cost nothing
(https://aws.amazon.com/iot-core/pricing/additional-details/, which excepts no reserved topic).
"""

import math
from dataclasses import dataclass

from .prices import MONTH_DAYS

TELEMETRY_S = 5.0  # from one message to the next
TELEMETRY_BYTES = 105  # of one, its topic included
CONNECTION_MESSAGES = (
    15  # of a connection without a session: CONNECT, 8 SUBSCRIBE, two requests of three each
)
CONNECTION_OPERATIONS = 1  # of the shadow
DAY_MESSAGES = 3  # of each day: whether a job waits, whose notice was lost
CLAIM_MESSAGES = 11  # once in a device's life: CONNECT, 4 SUBSCRIBE, two requests of three each
CLAIM_OPERATIONS = 2  # of the registry: CreateThing, AttachThingPrincipal
_STEP_BYTES = 5 * 1024
_MONTH_S = MONTH_DAYS * 86_400
_HOOK_GB_S = 0.25 * 0.2  # 256 MB for a fifth of a second


@dataclass(frozen=True)
class Fleet:
    """So many devices, and what each does.

    Args:
        devices: connected all the time.
        every_s: between two messages of telemetry.
        message_bytes: of one, its topic included.
        rules: topic rules that take each of them, with one action each.
        connections_a_day: of each: networks go, and servers end connections.
        updates_a_month: of each one's firmware.
    """

    devices: int
    every_s: float = TELEMETRY_S
    message_bytes: int = TELEMETRY_BYTES
    rules: int = 0
    connections_a_day: float = 1.0
    updates_a_month: float = 1.0

    def month(self) -> dict[str, float]:
        """How many of each item of tools.aws.prices."""
        telemetry = self.devices * _MONTH_S / self.every_s * _steps(self.message_bytes)
        connections = self.devices * self.connections_a_day * MONTH_DAYS
        updates = self.devices * self.updates_a_month
        around = connections * CONNECTION_MESSAGES + self.devices * (
            DAY_MESSAGES * MONTH_DAYS + CLAIM_MESSAGES
        )
        operations = connections * CONNECTION_OPERATIONS + self.devices * CLAIM_OPERATIONS
        ran = telemetry * self.rules
        return {
            "minutes": self.devices * _MONTH_S / 60,
            "messages": telemetry + around,
            "rules": ran,
            "actions": ran,
            "operations": operations,
            "index": 2 * connections
            + self.devices,  # each connection's begin and end, and each thing's making
            "jobs": updates,
            "s3_gets": updates,
            "lambda_requests": float(self.devices),  # the hook, once each
            "lambda_gb_s": self.devices * _HOOK_GB_S,
            "logs_bytes": 0.0,
        }


def _steps(size: int) -> int:
    """How many messages one of so many bytes counts as."""
    return max(1, math.ceil(size / _STEP_BYTES))
