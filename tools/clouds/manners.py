"""What differs by vendor: who may connect, what a message means, what is answered by hanging up."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from tools.cloud import connection as wire
from tools.cloud import packet as mqtt
from tools.cloud.limits import Limits
from tools.cloud.store import Message

Work = Callable[[], None]


def nothing() -> None:
    """The Work of a message that is taken and goes nowhere."""


class Refused(Exception):
    """A CONNECT is not accepted; its text says why, and never what was secret in it.

    Args:
        text: for the Event.
        code: of the CONNACK; None hangs up without one.
    """

    def __init__(self, text: str, code: int | None = mqtt.NOT_AUTHORIZED) -> None:
        super().__init__(text)
        self.code = code


class HangUp(Exception):
    """What this cloud answers by closing the connection; its text says why.

    Args:
        text: for the Event.
        reason: the Event's word.
    """

    def __init__(self, text: str, reason: str = wire.CLIENT_ERROR) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Asked:
    """All that a CONNECT is judged by.

    Args:
        packet: client id, user name, password, will, clean session.
        certificate: the client's (DER), which the handshake has verified; b"" for none.
        server_name: what the client asked for (SNI), "" for none.
    """

    packet: mqtt.Connect
    certificate: bytes
    server_name: str


@dataclass(frozen=True)
class Identity:
    """Who a connection is.

    Args:
        name: of its session in this front: who connects with the same one throws the older one out.
        detail: for the Event: by what it was let in.
        until_s: when that ends, seconds since 1970: the front then hangs up. None: never.
        keeps_session: False: it is a clean session, whatever the CONNECT asks for.
    """

    name: str
    detail: str = ""
    until_s: float | None = None
    keeps_session: bool = True


class Peer(Protocol):
    """A connected client, as the manners see it."""

    client_id: str
    identity: Identity

    def granted(self, topic: str) -> int | None:
        """The highest QoS of its subscriptions to a topic, None for none."""

    def send(self, topic: str, payload: bytes, qos: int = 1) -> Message | None:
        """Send it a message with a QoS that its subscription allows; None where it has none."""

    def holds(self, message: Message) -> bool:
        """Whether a message that was sent still waits for its PUBACK, or to go out."""

    def subscribe(self, *filters: tuple[str, int]) -> None:
        """Subscribe it, without a word, to filters with their QoS."""

    def end(self, reason: str, detail: str) -> None:
        """Disconnect it."""


class Manners:
    """One vendor's. Its methods never wait; three of them each vendor has.

    Attributes:
        limits: bounds of keep-alive, sizes and numbers; `highest_qos` 2 leaves what a subscription of QoS 2
            gets to `subscribe`, while a PUBLISH of QoS 2 is hung up on by the front.
        verify: whether clients are asked for a certificate, or must have one.
    """

    limits = replace(
        Limits(),
        highest_qos=2,
        keep_alive_min_s=0,
        topic_bytes=65535,
        reserved_topic_bytes=65535,
        topic_slashes=65535,
        client_id_bytes=65535,
    )
    verify = ssl.CERT_NONE

    def connect(self, asked: Asked) -> Identity:
        """Judge a CONNECT. Raises Refused."""
        raise NotImplementedError

    def publish(self, client: Peer, message: mqtt.Publish) -> Work:
        """Judge a PUBLISH of QoS 0 or 1; what is returned is done once it is acknowledged. Raises HangUp."""
        raise NotImplementedError

    def subscribe(self, client: Peer, topic_filter: str, qos: int) -> int:
        """Judge a filter: returns the QoS granted (0 or 1), or mqtt.FAILURE. Raises HangUp."""
        raise NotImplementedError

    def joined(self, client: Peer) -> None:
        """It is connected; the subscriptions of a session that was kept are in force."""

    def subscribed(self, client: Peer, topic_filter: str) -> None:
        """A filter is in force and acknowledged."""

    def will(self, client: Peer, will: mqtt.Will) -> None:
        """Its connection ended without a DISCONNECT."""

    def left(self, client: Peer, reason: str) -> None:
        """Its connection ended, after `will`; it still tells what it holds."""

    def sweep(self) -> None:
        """Do what is due; called several times a second."""
