"""What the packets of one connection to a front mean: MQTT 3.1.1 is here, all else is its manners'."""

from collections.abc import Callable
from typing import Protocol

from tools.cloud import connection as wire
from tools.cloud import packet as mqtt
from tools.cloud import speaker, topics
from tools.cloud.ca import certificate_id
from tools.cloud.errors import InternalFailureException
from tools.cloud.events import shown
from tools.cloud.session import Session
from tools.cloud.speaker import Speaker
from tools.cloud.store import Message

from .manners import Asked, HangUp, Identity, Manners, Refused

_NOBODY = Identity("")


class Server(speaker.Server, Protocol):
    """The front, as one of its clients sees it."""

    manners: Manners
    tell_messages: bool
    clock: Callable[[], float]

    def joining(self, client: "Client", clean: bool) -> tuple[Session, bool]:
        """A CONNECT is accepted: gives its session, and whether there was one."""

    def left(
        self, client: "Client", session: Session, reason: str, detail: str, will: mqtt.Will | None
    ) -> None:
        """A connected client's connection ended; `will` is due."""


class Client(Speaker):
    """A peer, from the TLS handshake to the end."""

    def __init__(self, front: Server, address: str) -> None:
        super().__init__(front, front.manners.limits, address)
        self.identity = _NOBODY
        self._front = front
        self._manners = front.manners

    # wire.Handler

    def opened(self, connection: wire.Connection) -> None:
        self._connection = connection
        self._certificate = connection.peer_certificate()
        self.certificate_id = certificate_id(self._certificate) if self._certificate else ""

    def received(self, packet: mqtt.Packet) -> None:
        new = self._session is None
        try:
            if isinstance(packet, mqtt.Connect):
                self._connect(packet)
            elif self._session is None:
                raise HangUp(f"{type(packet).__name__.upper()} before CONNECT")
            elif not self.expire():
                self._dispatch(self._session, packet)
        except Refused as error:
            self._close(wire.AUTH_ERROR, str(error), b"" if error.code is None else mqtt.connack(error.code))
        except HangUp as error:
            self._close(error.reason, str(error))
        except InternalFailureException as error:  # MQTT has no answer of its own but to CONNECT
            last = mqtt.connack(mqtt.SERVER_UNAVAILABLE) if new and self._session is None else b""
            self._close(wire.SERVER_ERROR, str(error), last)

    # session.Receiver

    def may_receive(self, topic: str) -> bool:
        return True

    # manners.Peer

    def granted(self, topic: str) -> int | None:
        """The highest QoS of its subscriptions to a topic, None for none."""
        filters = self._session.subscriptions if self._session else {}
        return max((qos for f, qos in filters.items() if _matches(f, topic)), default=None)

    def send(self, topic: str, payload: bytes, qos: int = 1) -> Message | None:
        """Send it a message with a QoS that its subscription allows; None where it has none."""
        granted = self.granted(topic)
        if self._session is None or granted is None:
            return None
        message = Message(topic, payload, min(qos, granted), private=True)
        self._front.router.send(self._session, message)
        return message

    def holds(self, message: Message) -> bool:
        """Whether a message that was sent still waits for its PUBACK, or to go out."""
        session = self._session or self._front.router.session(self.identity.name)
        return session is not None and session.holds(message)

    def subscribe(self, *filters: tuple[str, int]) -> None:
        """Subscribe it, without a word, to filters with their QoS."""
        if self._session is not None:
            self._front.router.subscribe(self._session, filters)

    def end(self, reason: str, detail: str) -> None:
        """Disconnect it."""
        self._close(reason, detail)

    def expire(self) -> bool:
        """Hang up if what it showed at CONNECT has ended; returns whether it has."""
        until_s = self.identity.until_s
        ended = until_s is not None and self._front.clock() >= until_s
        if ended:
            self._close(wire.AUTH_ERROR, f"it has ended: {self.identity.detail}")
        return ended

    def _left(self, session: Session, reason: str, detail: str, will: mqtt.Will | None) -> None:
        self._front.left(self, session, reason, detail, will)

    # Packets

    def _connect(self, packet: mqtt.Connect) -> None:
        if self._session is not None:
            raise HangUp("second CONNECT")
        size = len(packet.client_id.encode())
        if not 1 <= size <= self._limits.client_id_bytes:
            text = f"client id of {size} bytes, must be 1 to {self._limits.client_id_bytes}"
            raise Refused(text, mqtt.IDENTIFIER_REJECTED)
        self.client_id = packet.client_id
        self.identity = self._manners.connect(
            Asked(packet, self._certificate, self._connection.server_name())
        )
        self._will = packet.will
        clean = packet.clean_session or not self.identity.keeps_session
        session, present = self._front.joining(self, clean)
        self._accept(packet, session, present, self.identity.detail)
        session.attach(self)
        self._manners.joined(self)

    def _publish(self, packet: mqtt.Publish) -> None:
        if packet.qos > 1:
            raise HangUp(f"PUBLISH of QoS {packet.qos} on {packet.topic}, which is not to be had here")
        if len(packet.payload) > self._limits.payload_bytes:
            raise HangUp(f"PUBLISH: payload larger than {self._limits.payload_bytes} bytes")
        if error := topics.topic_error(packet.topic, self._limits):
            raise HangUp(f"PUBLISH: {error}")
        work = self._manners.publish(self, packet)
        if self._front.tell_messages:
            self._tell("published", packet.topic, shown(packet.topic, packet.payload))
        if packet.packet_id is not None:
            self._connection.send(mqtt.puback(packet.packet_id))
        work()

    def _subscribe(self, session: Session, packet: mqtt.Subscribe) -> None:
        for topic_filter, _ in packet.filters:
            if error := topics.filter_error(topic_filter, self._limits):
                raise HangUp(f"SUBSCRIBE: {topic_filter}: {error}")
        if len({*session.subscriptions, *dict(packet.filters)}) > self._limits.subscriptions_per_connection:
            raise HangUp(f"SUBSCRIBE: more than {self._limits.subscriptions_per_connection} subscriptions")
        granted = [(f, self._manners.subscribe(self, f, qos)) for f, qos in packet.filters]
        allowed = [(f, qos) for f, qos in granted if qos != mqtt.FAILURE]
        self._front.router.subscribe(session, allowed)
        self._connection.send(mqtt.suback(packet.packet_id, [qos for _, qos in granted]))
        for topic_filter, qos in allowed:
            self._front.router.send_retained(session, topic_filter, qos)
            self._manners.subscribed(self, topic_filter)


def _matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter is for a topic; `a/#` is for `a`, too (4.7.1.2), which it is not on AWS."""
    parent = topic_filter.removesuffix("/#")
    return topics.matches(topic_filter, topic) or (parent != topic_filter and topics.matches(parent, topic))
