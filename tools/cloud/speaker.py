"""Who speaks MQTT 3.1.1 on one connection, whatever the cloud: what its packets mean is the cloud's."""

from collections.abc import Callable
from typing import Protocol

from . import connection as wire
from . import packet as mqtt
from .errors import InternalFailureException
from .events import Event
from .limits import Limits
from .router import Router
from .session import Session


class Server(Protocol):
    """What one connects to."""

    router: Router
    tell: Callable[[Event], None]


class Speaker:
    """A peer, from the TLS handshake to the end.

    Args:
        server: where it is.
        limits: that server's.
        address: the peer's.
    """

    _connection: wire.Connection  # once it is opened

    def __init__(self, server: Server, limits: Limits, address: str) -> None:
        self.address = address
        self.client_id = ""
        self.certificate_id = ""
        self._server = server
        self._limits = limits
        self._session: Session | None = None
        self._will: mqtt.Will | None = None

    # wire.Handler

    def drained(self) -> None:
        if self._session is not None:
            self._session.pump()

    def closed(self, reason: str, detail: str) -> None:
        if self._session is None:
            self._tell("refused", reason, detail)
            return
        session, self._session = self._session, None
        if session.dropped:
            detail += f"; {session.dropped} messages to it were dropped"
        will = None if reason == wire.CLIENT_INITIATED_DISCONNECT else self._will
        self._left(session, reason, detail, will)

    # session.Receiver

    @property
    def writable(self) -> bool:
        return self._connection.writable

    def deliver(self, packet: mqtt.Publish) -> None:
        self._connection.send(mqtt.publish(packet))

    def fail(self, error: InternalFailureException) -> None:
        self._close(wire.SERVER_ERROR, str(error))

    # For the cloud's own

    def _accept(self, packet: mqtt.Connect, session: Session, present: bool, detail: str) -> None:
        """Answer a CONNECT with the session that is the client's from now on."""
        self._session = session
        self._connection.send(mqtt.connack(mqtt.ACCEPTED, present))
        self._connection.established(self._limits.keep_alive_s(packet.keep_alive_s))
        self._tell("connected", "session kept" if present else "new session", detail)

    def _dispatch(self, session: Session, packet: mqtt.Packet) -> None:
        match packet:
            case mqtt.Publish():
                self._publish(packet)
            case mqtt.Puback():
                session.acknowledge(packet.packet_id)
                session.pump()
            case mqtt.Subscribe():
                self._subscribe(session, packet)
            case mqtt.Unsubscribe():
                self._server.router.unsubscribe(session, packet.filters)
                self._connection.send(mqtt.unsuback(packet.packet_id))
            case mqtt.Pingreq():
                self._connection.send(mqtt.pingresp())
            case mqtt.Disconnect():
                self._close(wire.CLIENT_INITIATED_DISCONNECT, "")

    def _tell(self, kind: str, reason: str, detail: str) -> None:
        self._server.tell(Event(kind, self.address, self.client_id, self.certificate_id, reason, detail))

    def _close(self, reason: str, detail: str, last: bytes = b"") -> None:
        self._connection.close(reason, detail, last)

    def _publish(self, packet: mqtt.Publish) -> None:
        raise NotImplementedError

    def _subscribe(self, session: Session, packet: mqtt.Subscribe) -> None:
        raise NotImplementedError

    def _left(self, session: Session, reason: str, detail: str, will: mqtt.Will | None) -> None:
        """It had connected, and its connection ended; `will` is due."""
        raise NotImplementedError
