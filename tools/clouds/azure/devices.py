"""What a hub knows of a device, and what it has from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .inbox import Inbox
from .twin import Section


@dataclass(frozen=True)
class Telemetry:
    """A message of a device's.

    Args:
        device_id: whose.
        payload: its bytes.
        properties: the application's, and the system's by their names in a topic, such as `$.ct`.
        qos: with which it was sent.
    """

    device_id: str
    payload: bytes
    properties: Mapping[str, str | None] = field(default_factory=dict)
    qos: int = 0


@dataclass
class Device:
    """One device identity; it has either keys or a thumbprint.

    Args:
        device_id: its name.
        inbox: messages to it.
        keys: primary and secondary, in base64.
        thumbprint: SHA-256 of its certificate, in hex.
        enabled: False refuses it.
    """

    device_id: str
    inbox: Inbox
    keys: tuple[str, ...] = field(default=(), repr=False)
    thumbprint: str = ""
    enabled: bool = True
    desired: Section = field(default_factory=Section)
    reported: Section = field(default_factory=Section)
