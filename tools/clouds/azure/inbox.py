"""Messages to one device, which a hub keeps until the device has them.

Source: "Understand cloud-to-device messaging from an IoT hub".
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tools.cloud.store import Message

from ..manners import Peer
from . import bag
from .errors import ServiceError

_LONGEST = 50


def topic_of(device_id: str) -> str:
    """What the topics of messages to a device begin with."""
    return f"devices/{device_id}/messages/devicebound/"


@dataclass(frozen=True)
class _Letter:
    topic: str
    payload: bytes
    until_s: float


class Inbox:
    """The queue of one device: in order, at most 50, each until its time is over.

    Args:
        device_id: whose.
        clock: seconds since 1970.
    """

    def __init__(self, device_id: str, clock: Callable[[], float]) -> None:
        self._device_id = device_id
        self._clock = clock
        self._waiting: deque[_Letter] = deque()
        self._sent: list[tuple[_Letter, Message]] = []

    def put(
        self, payload: bytes, properties: bag.Properties, message_id: str, ttl_s: float, client: Peer | None
    ) -> None:
        """Take a message, and send it to a client that is connected and subscribed. Raises ServiceError."""
        if self.length(client) >= _LONGEST:
            raise ServiceError(403004, f"{_LONGEST} messages wait for {self._device_id}")
        system = {"$.mid": message_id} if message_id else {}
        to = {"$.to": f"/{topic_of(self._device_id)}".rstrip("/")}
        topic = topic_of(self._device_id) + bag.encode({**system, **to, **properties})
        self._waiting.append(_Letter(topic, payload, self._clock() + ttl_s))
        if client is not None:
            self.deliver(client)

    def length(self, client: Peer | None) -> int:
        """How many the device has not acknowledged."""
        self._forget_delivered(client)
        return len(self._waiting) + len(self._sent)

    def deliver(self, client: Peer) -> None:
        """Send what waits, if the client is subscribed."""
        if client.granted(topic_of(self._device_id)) is None:
            return
        self._forget_delivered(client)
        while self._waiting:
            letter = self._waiting.popleft()
            if letter.until_s <= self._clock():
                continue
            message = client.send(letter.topic, letter.payload)
            if message is not None and message.qos:
                self._sent.append((letter, message))

    def take_back(self, client: Peer) -> None:
        """The client's connection ended: what it did not acknowledge waits again."""
        self._forget_delivered(client)
        self._waiting.extendleft(letter for letter, _ in reversed(self._sent))
        self._sent.clear()

    def clear(self) -> None:
        """The device begins a clean session: it gets what is sent after that."""
        self._waiting.clear()

    def _forget_delivered(self, client: Peer | None) -> None:
        self._sent = [(letter, m) for letter, m in self._sent if client is not None and client.holds(m)]
