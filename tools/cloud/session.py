"""One client's session: its subscriptions, and the messages that it has not acknowledged."""

from collections import deque
from typing import Protocol

from .errors import InternalFailureException
from .limits import Limits
from .packet import Publish
from .store import Message, Store

_LAST_PACKET_ID = 65535


class Receiver(Protocol):
    """The connected client, as its session sees it."""

    @property
    def writable(self) -> bool:
        """Whether the connection takes more at this moment."""

    def may_receive(self, topic: str) -> bool:
        """Whether its policies allow iot:Receive."""

    def deliver(self, packet: Publish) -> None:
        """Send a message."""

    def fail(self, error: InternalFailureException) -> None:
        """End the connection: the session's state cannot be written."""


class Session:
    """Queue and in-flight window of one client; what the store refuses has not changed here either.

    Args:
        client_id: whose session it is.
        store: keeps a persistent session's state; None for a clean session, which ends with its connection.
        limits: the window and the bounds of the queue.
    """

    def __init__(self, client_id: str, store: Store | None, limits: Limits) -> None:
        self.client_id = client_id
        self.subscriptions: dict[str, int] = {}
        self.dropped = 0
        self._store = store
        self._limits = limits
        self._queue: deque[Message] = deque()
        self._inflight: dict[int, Message] = {}
        self._again: deque[int] = deque()  # packet ids to send once more
        self._bytes = 0
        self._last_id = 0
        self._receiver: Receiver | None = None

    @property
    def connected(self) -> bool:
        return self._receiver is not None

    @property
    def persistent(self) -> bool:
        return self._store is not None

    def restore(self, subscriptions: dict[str, int], messages: list[tuple[int | None, Message]]) -> None:
        """Take up what the store kept."""
        self.subscriptions = subscriptions
        for packet_id, message in messages:
            self._bytes += len(message.payload)
            if packet_id is None:
                self._queue.append(message)
            else:
                self._inflight[packet_id] = message
                self._last_id = packet_id

    def attach(self, receiver: Receiver) -> None:
        """The client is connected: send what it did not acknowledge again, with DUP (4.4), then the rest."""
        self._receiver = receiver
        self._again = deque(self._inflight)
        self.pump()

    def detach(self) -> None:
        """The connection is gone, and with it what was for that connection alone."""
        self._receiver = None
        for packet_id in [i for i, message in self._inflight.items() if message.private]:
            self.acknowledge(packet_id)
        waiting, self._queue = self._queue, deque()
        for message in waiting:
            if message.private:
                self._forget(message)
            else:
                self._queue.append(message)

    def keep(self, message: Message) -> bool:
        """Store a QoS 1 message; False if the queue is full. `enqueue` follows once that is certain."""
        full = len(self._queue) + len(self._inflight) >= self._limits.queued_messages
        if full or self._bytes + len(message.payload) > self._limits.queued_bytes:
            self.dropped += 1
            return False
        if self._store is not None and not message.private:
            self._store.add_message(self.client_id, message)
        return True

    def enqueue(self, message: Message) -> None:
        """Hold a kept message until it is acknowledged; `pump` sends it."""
        self._bytes += len(message.payload)
        self._queue.append(message)

    def offer(self, message: Message) -> bool:
        """Both: where no transaction is under way."""
        kept = self.keep(message)
        if kept:
            self.enqueue(message)
        return kept

    def pump(self) -> None:
        """Send what waits, as far as the window and the connection allow."""
        while (receiver := self._receiver) is not None and receiver.writable:
            try:
                if self._again:
                    self._send_again(receiver, self._again.popleft())
                elif self._queue and len(self._inflight) < self._limits.unacknowledged:
                    self._send_next(receiver, self._queue[0])
                else:
                    return
            except InternalFailureException as error:  # not the error of whoever published
                receiver.fail(error)
                return

    def _send_again(self, receiver: Receiver, packet_id: int) -> None:
        message = self._inflight.get(packet_id)
        if message is None:  # acknowledged meanwhile
            return
        if receiver.may_receive(message.topic):
            receiver.deliver(Publish(message.topic, message.payload, 1, message.retain, True, packet_id))
        else:
            self.acknowledge(packet_id)

    def _send_next(self, receiver: Receiver, message: Message) -> None:
        if not receiver.may_receive(message.topic):
            self._forget(message)
            self._queue.popleft()
            return
        packet_id = self._next_id()
        if self._store is not None and message.row is not None:
            self._store.set_packet_id(message.row, packet_id)
        self._inflight[packet_id] = self._queue.popleft()
        receiver.deliver(Publish(message.topic, message.payload, 1, message.retain, False, packet_id))

    def send_qos_0(self, message: Message) -> None:
        """Send at once or never."""
        receiver = self._receiver
        if receiver is None or not receiver.may_receive(message.topic):
            return
        if not receiver.writable:
            self.dropped += 1
            return
        receiver.deliver(Publish(message.topic, message.payload, 0, message.retain))

    def holds(self, message: Message) -> bool:
        """Whether a message still waits, to be sent or acknowledged."""
        return any(waiting is message for waiting in (*self._queue, *self._inflight.values()))

    def acknowledge(self, packet_id: int) -> None:
        """PUBACK came; one for an unknown packet id is of an earlier time and ignored."""
        message = self._inflight.get(packet_id)
        if message is not None:
            self._forget(message)
            del self._inflight[packet_id]

    def _forget(self, message: Message) -> None:
        if self._store is not None and message.row is not None:
            self._store.remove_message(message.row)
        self._bytes -= len(message.payload)

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % _LAST_PACKET_ID + 1
            if self._last_id not in self._inflight:
                return self._last_id
