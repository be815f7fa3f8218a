"""A client for a person at a terminal: shows the messages of a cloud, and sends some (paho-mqtt)."""

import secrets
import ssl
import time
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tools.board.errors import BoardError

from .clients import Client

_TURN_S = 0.5
_DEADLINE_S = 10.0
_RETRY_S = 1.0
_KEEP_ALIVE_S = 60
_LOG = "Its own log tells why: python3 -m tools cloud"

OnMessage = Callable[[mqtt.MQTTMessage], None]


class Visitor:
    """One connection to a cloud, in the thread that calls it.

    Args:
        client: who it is.
        on_message: called with each message.

    Raises:
        BoardError: from each method, where the cloud is not there or does not do it within 10 s.
    """

    def __init__(self, client: Client, on_message: OnMessage = lambda message: None) -> None:
        self.where = f"{client.endpoint.host} port {client.endpoint.port}"
        self._address = client.endpoint.host, client.endpoint.port
        self._granted: bool | None = None
        self._accepted = False
        self._mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"{client.name}-{secrets.token_hex(4)}"
        )
        try:
            context = ssl.create_default_context(cafile=str(client.root_ca))
            context.load_cert_chain(client.certificate, client.key)
        except OSError as error:  # ssl.SSLError is one: written by two programs at once
            raise BoardError(f"{client.key}: {error.strerror or error}", "Try again.") from None
        self._mqtt.tls_set_context(context)
        self._mqtt.on_connect = self._connected
        self._mqtt.on_subscribe = self._subscribed
        self._mqtt.on_message = lambda _client, _data, message: on_message(message)

    def connect(self) -> None:
        """Connect."""
        self._accepted = False
        try:
            self._mqtt.connect(*self._address, keepalive=_KEEP_ALIVE_S)
        except ssl.SSLCertVerificationError as error:
            raise BoardError(
                f"{self.where}: it is not the cloud of this state directory: {error.verify_message}",
                "Name that cloud's: --state DIR.",
            ) from None
        except OSError as error:
            raise BoardError(
                f"{self.where}: no cloud answers: {error.strerror or error}",
                "Start it: python3 -m tools cloud. Or name the state of one that runs: --state DIR.",
            ) from None
        self._until(lambda: self._accepted)

    def subscribe(self, *topic_filters: str) -> None:
        """Subscribe with QoS 1."""
        self._granted = None
        self._mqtt.subscribe([(topic_filter, 1) for topic_filter in topic_filters])
        self._until(lambda: self._granted is not None)
        if not self._granted:
            raise BoardError(f"{', '.join(topic_filters)}: the cloud refuses the subscription", _LOG)

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Send a message; with QoS 1 it returns when the cloud has it."""
        sent = self._mqtt.publish(topic, payload, qos, retain)
        self._until(sent.is_published)

    def run(self, until: Callable[[], bool]) -> bool:
        """Hand out messages until that is true; false where the connection is gone before."""
        while not until():
            if self._mqtt.loop(_TURN_S) != mqtt.MQTT_ERR_SUCCESS:
                return until()
        return True

    def follow(self, until: Callable[[], bool], say: Callable[[str], None], *topic_filters: str) -> None:
        """As run, but a cloud that goes is waited for."""
        while not self.run(until):
            say(f"{self.where}: the cloud is gone; waiting for it to come back")
            while not self._again(topic_filters):
                if until():
                    return
                time.sleep(_RETRY_S)
            say("connected again")

    def close(self) -> None:
        """Disconnect, as far as there is a connection."""
        self._mqtt.disconnect()

    def _again(self, topic_filters: tuple[str, ...]) -> bool:
        try:
            self.connect()
            self.subscribe(*topic_filters)
        except BoardError:
            return False
        return True

    def _until(self, condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + _DEADLINE_S
        if not self.run(lambda: condition() or time.monotonic() > give_up):
            raise BoardError(f"{self.where}: the cloud closed the connection", _LOG)
        if not condition():
            raise BoardError(f"{self.where}: the cloud does not answer within {_DEADLINE_S:g} s", _LOG)

    def _connected(
        self, _client: object, _data: object, _flags: object, reason: mqtt.ReasonCode, _properties: object
    ) -> None:
        self._accepted = not reason.is_failure

    def _subscribed(
        self, _client: object, _data: object, _mid: int, reasons: list[mqtt.ReasonCode], _properties: object
    ) -> None:
        self._granted = not any(reason.is_failure for reason in reasons)
