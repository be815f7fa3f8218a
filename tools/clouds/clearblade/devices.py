"""What a ClearBlade IoT Core keeps of its devices."""

from collections import deque
from dataclasses import dataclass, field

from .token import PublicKey

_KEPT_STATES = 10
_REPORTS_AT_ONCE = 60  # one a second, over a minute: how it is measured is not said
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

    _reports: float = _REPORTS_AT_ONCE
    _reported_s: float = 0.0

    def may_report(self, now_s: float, per_s: float) -> bool:
        """Whether its state may change again; counts as if it did."""
        self._reports += (now_s - self._reported_s) * per_s
        self._reports = min(self._reports, _REPORTS_AT_ONCE) - 1
        self._reported_s = now_s
        return self._reports >= 0

    @property
    def topic(self) -> str:
        """What its topics begin with."""
        return f"/devices/{self.id}"
