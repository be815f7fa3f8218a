"""What a Client needs of Bluetooth: one connection to one device."""

from collections.abc import Callable
from typing import Protocol

from .protocol import MTU_MAX


class Transport(Protocol):
    """A connection to a device's service; all that fails is a BleError, a connection that ends a LinkLost.

    Attributes:
        name: the device's, for people.
        on_disconnect: called, in the event loop, when a connection that was there has ended.
    """

    name: str
    on_disconnect: Callable[[], None]

    @property
    def mtu(self) -> int:
        """The ATT MTU in bytes; 23 as long as nothing else was agreed on, and it may grow."""

    async def connect(self) -> None:
        """Connect and find the service."""

    async def disconnect(self) -> None:
        """End the connection; nothing happens without one."""

    async def read(self, uuid: str) -> bytes:
        """A characteristic's value."""

    async def write(self, uuid: str, data: bytes) -> None:
        """Write with response: returned from when the device has it."""

    async def subscribe(self, uuid: str, callback: Callable[[bytes], None]) -> None:
        """Have `callback` called with each notification, in the event loop."""


def frame_mtu(transport: Transport) -> int:
    """The MTU that frames are made for."""
    return min(transport.mtu, MTU_MAX)
