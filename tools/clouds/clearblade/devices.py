"""What a ClearBlade IoT Core keeps of its devices."""

from collections import deque
from dataclasses import dataclass, field

from .token import PublicKey

_KEPT_STATES = 10
_KEPT_EVENTS = 10_000  # for tests and pages; the real one hands them on


class NotSubscribedError(Exception):
    """A command for a device that is not connected, or has not subscribed to commands."""


@dataclass
class Config:
    """A version of a device's configuration; the first is empty and as old as the device."""

    version: int
    data: bytes
    acknowledged_s: float | None = None


@dataclass
class Device:
    """A device of the registry.

    Args:
        id: within the registry.
        keys: any of them may sign its tokens.
        config: what it is to have.
        events: telemetry, as (subfolder or "", payload), the newest last.
        states: what it reported, the newest last.
    """

    id: str
    keys: list[PublicKey]
    config: Config = field(default_factory=lambda: Config(1, b""))
    events: deque[tuple[str, bytes]] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))
    states: deque[bytes] = field(default_factory=lambda: deque(maxlen=_KEPT_STATES))

    @property
    def topic(self) -> str:
        """What its topics begin with."""
        return f"/devices/{self.id}"
