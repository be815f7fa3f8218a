"""What the packets of one connection mean: identity, authorisation, limits, and AWS's manners."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from . import checks, speaker, topics
from . import connection as wire
from . import packet as mqtt
from .authorization import Authorization, connect_variables, connection_variables
from .ca import certificate_id
from .errors import InternalFailureException, ResourceNotFoundException
from .events import shown
from .limits import Limits, TokenBucket
from .registry import Registry
from .session import Session
from .speaker import Speaker
from .store import Message

_LOOK_S = 0.02


class Service(Protocol):
    """Something that answers on reserved topics."""

    def claims(self, topic: str) -> bool:
        """Whether a publish to the topic is for this service."""

    def handle(self, client: "Client", topic: str, payload: bytes) -> None:
        """Answer it with client.answer()."""

    def sweep(self) -> None:
        """Do what is due and drop what has expired; called once a second."""


class Server(speaker.Server, Protocol):
    """The broker, as one of its clients sees it."""

    registry: Registry
    limits: Limits
    tell_messages: bool
    misbehaves: Callable[["Client", mqtt.Packet], str]
    monotonic: Callable[[], float]

    def service(self, topic: str) -> Service | None:
        """The service that claims a reserved topic."""

    def not_allowed(self, client: "Client") -> None:
        """A CONNECT that its policies do not allow."""

    def joining(self, client: "Client", clean: bool) -> tuple[Session, bool]:
        """A CONNECT is accepted: gives its session, and whether there was one."""

    def joined(self, client: "Client") -> None:
        """The CONNACK is sent."""

    def left(
        self, client: "Client", session: Session, reason: str, detail: str, will: mqtt.Will | None
    ) -> None:
        """A connected client's connection ended; `will` is to be published."""


class Client(Speaker):
    """A peer, from the TLS handshake to the end. Its identity is its certificate.

    What its policies deny closes the connection without a word, CONNECT too: AWS sends no CONNACK then
    (MQTT 3.1.1), so that a device sees a connection that is closed after CONNECT.
    """

    def __init__(self, broker: Server, address: str) -> None:
        super().__init__(broker, broker.limits, address)
        self.keep_alive_s = 0
        self.connected_s = 0.0
        self.local_address = ("", 0)
        self.discarded = 0
        self._broker = broker

    # wire.Handler

    def opened(self, connection: wire.Connection) -> None:
        self._connection = connection
        self.local_address = connection.local_address()
        self._publishes = TokenBucket(self._limits.publishes_per_s, self._broker.monotonic())
        self.certificate_id = certificate_id(connection.peer_certificate())
        try:
            self._has_active_certificate()
        except InternalFailureException as error:
            self.fail(error)

    def received(self, packet: mqtt.Packet) -> None:
        kind = self._broker.misbehaves(self, packet)
        if kind == "deaf":
            return
        try:
            self._received(packet)
        except InternalFailureException as error:  # no answer of MQTT's but to CONNECT: it must ask again
            new = isinstance(packet, mqtt.Connect) and self._session is None
            self._close(wire.SERVER_ERROR, str(error), mqtt.connack(mqtt.SERVER_UNAVAILABLE) if new else b"")
        if kind == "hang-up":
            self._close(wire.SERVER_INITIATED_DISCONNECT, "as it was told to")

    def _received(self, packet: mqtt.Packet) -> None:
        if isinstance(packet, mqtt.Connect):
            self._connect(packet)
        elif self._session is None:
            self._close(wire.CLIENT_ERROR, f"{type(packet).__name__.upper()} before CONNECT")
        else:
            self._dispatch(self._session, packet)

    def closed(self, reason: str, detail: str) -> None:
        if self.discarded:
            detail += f"; {self.discarded} publishes over {self._limits.publishes_per_s:g}/s were discarded"
        super().closed(reason, detail)

    # session.Receiver

    def may_receive(self, topic: str) -> bool:
        return self._authorization.allows("iot:Receive", f"topic/{topic}")

    # For the broker and its services

    def may_publish(self, topic: str, retain: bool) -> bool:
        """Whether its policies allow iot:Publish, and iot:RetainPublish to retain."""
        actions = ("iot:Publish", "iot:RetainPublish") if retain else ("iot:Publish",)
        return all(self._authorization.allows(action, f"topic/{topic}") for action in actions)

    def answer(self, topic: str, payload: bytes, subscribed: bool = True) -> None:
        """Send a service's answer to this connection and no other.

        Args:
            topic, payload: the message.
            subscribed: only if it is subscribed to the topic; False: to one that is not, too, with QoS 1, as
                AWS's jobs answer.
        """
        if self._session is None:
            return
        granted = [q for f, q in self._session.subscriptions.items() if topics.matches(f, topic)]
        if not subscribed and not granted and self.may_receive(topic):
            granted = [1]
        if granted:
            self._broker.router.send(self._session, Message(topic, payload, max(granted), private=True))
        else:
            self._tell(
                "rejected", "not subscribed", f"an answer on {topic} was lost: subscribe before asking"
            )

    def republish(self, topic: str, payload: bytes) -> None:
        """Publish for a rule, which is bound by no device's policies."""
        self._broker.router.publish(topic, payload, 0)

    async def direct(self, message: Message, timeout_s: float) -> bool:
        """Send a message to this connection, subscribed or not; returns whether it got it in time."""
        session = self._session
        if session is None or not self.may_receive(message.topic):
            return False
        self._broker.router.send(session, message)
        until = self._broker.monotonic() + timeout_s
        while session.holds(message):
            if self._broker.monotonic() >= until:
                return False
            await asyncio.sleep(_LOOK_S)
        return self._session is session

    def end(self, reason: str, detail: str, will: bool = True) -> None:
        """Disconnect the client, and publish its will unless told not to."""
        if not will:
            self._will = None
        self._close(reason, detail)

    def _has_active_certificate(self) -> bool:
        """Whether the certificate is ACTIVE at this moment; closes the connection where it is not."""
        try:
            certificate = self._broker.registry.describe_certificate(certificateId=self.certificate_id)
            status = certificate["certificateDescription"]["status"]
        except ResourceNotFoundException:
            status = "not registered"
        if status != "ACTIVE":
            self._close(wire.AUTH_ERROR, f"certificate {self.certificate_id[:12]}… is {status}")
        return status == "ACTIVE"

    def _left(self, session: Session, reason: str, detail: str, will: mqtt.Will | None) -> None:
        self._broker.left(self, session, reason, detail, will)

    # Packets

    def _connect(self, packet: mqtt.Connect) -> None:
        if self._session is not None:
            self._close(wire.CLIENT_ERROR, "second CONNECT")
            return
        size = len(packet.client_id.encode())
        if not 1 <= size <= self._limits.client_id_bytes:
            detail = f"client id of {size} bytes, must be 1 to {self._limits.client_id_bytes}"
            self._close(wire.CLIENT_ERROR, detail, mqtt.connack(mqtt.IDENTIFIER_REJECTED))
            return
        self.client_id = packet.client_id
        if not self._has_active_certificate():  # it was when the handshake was done
            return
        self._authorization = self._authorize(packet)
        if not self._authorization.allows("iot:Connect", f"client/{packet.client_id}"):
            self._close(wire.FORBIDDEN_ACCESS, f"iot:Connect on client/{packet.client_id} is not allowed")
            self._broker.not_allowed(self)
            return
        if packet.will is not None and (error := checks.will_error(packet.will, self._limits)):
            self._close(wire.CLIENT_ERROR, f"will: {error}")
            return
        self._will = packet.will
        self.keep_alive_s = packet.keep_alive_s
        session, present = self._broker.joining(self, packet.clean_session)
        name = self._connection.server_name()
        asked = f"asked for {name}" if name else "no server name (SNI), which AWS requires"
        self._accept(packet, session, present, asked)
        self._broker.joined(self)
        session.attach(self)

    def _authorize(self, packet: mqtt.Connect) -> Authorization:
        registry = self._broker.registry
        will_topic = registry.arn(f"topic/{packet.will.topic}") if packet.will else None
        return Authorization(
            registry,
            self.certificate_id,
            self.client_id,
            connection_variables(self.address, self._connection.server_name()),
            connect_variables(not packet.clean_session, will_topic),
        )

    def _publish(self, packet: mqtt.Publish) -> None:
        if not self._publishes.take(self._broker.monotonic()):
            self._discard(packet)
            return
        topic = packet.topic
        service = self._broker.service(topic) if topics.is_reserved(topic) else None
        if error := checks.publish_error(packet, service is not None, self._limits):
            self._close(wire.CLIENT_ERROR, f"PUBLISH: {error}")
            return
        if not self.may_publish(topic, packet.retain):
            action = (
                "iot:RetainPublish" if packet.retain and self.may_publish(topic, False) else "iot:Publish"
            )
            self._close(wire.AUTH_ERROR, f"{action} on topic/{topic} is not allowed")
            return
        if self._broker.tell_messages:
            self._tell("published", topic, shown(topic, packet.payload))
        if service is None:
            sender = self.client_id, self.certificate_id
            self._broker.router.publish(topic, packet.payload, packet.qos, packet.retain, sender)
        if packet.packet_id is not None:
            self._connection.send(mqtt.puback(packet.packet_id))
        if service is not None:
            service.handle(self, topic, packet.payload)

    def _discard(self, packet: mqtt.Publish) -> None:
        """Over the rate AWS discards the message; a QoS 1 one gets no PUBACK."""
        if not self.discarded:
            rate = f"{self._limits.publishes_per_s:g}"
            self._tell(
                "throttled", wire.THROTTLED, f"over {rate} publishes/s, from {packet.topic} on discarded"
            )
        self.discarded += 1

    def _subscribe(self, session: Session, packet: mqtt.Subscribe) -> None:
        filters = [topic_filter for topic_filter, _ in packet.filters]
        if error := checks.subscribe_error(filters, session.subscriptions, self._limits):
            self._close(wire.CLIENT_ERROR, f"SUBSCRIBE: {error}")
            return
        for topic_filter in filters:
            if not self._authorization.allows("iot:Subscribe", f"topicfilter/{topic_filter}"):
                self._close(wire.AUTH_ERROR, f"iot:Subscribe on topicfilter/{topic_filter} is not allowed")
                return
        try:
            self._broker.router.subscribe(session, packet.filters)
        except InternalFailureException as error:
            self._tell("rejected", wire.SERVER_ERROR, f"SUBSCRIBE: {error}")
            self._connection.send(mqtt.suback(packet.packet_id, [mqtt.FAILURE] * len(packet.filters)))
            return
        self._connection.send(mqtt.suback(packet.packet_id, [qos for _, qos in packet.filters]))
        for topic_filter, qos in packet.filters:
            self._broker.router.send_retained(session, topic_filter, qos)
