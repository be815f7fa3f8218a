"""paho-mqtt as a device, with a password or a certificate; it remembers what happened to it."""

import asyncio
import socket
import ssl
from typing import Any, Self

import paho.mqtt.client as paho

from tests.patience import until


class PahoPeer:
    """A client that connects when it is entered, once, and waits for the CONNACK.

    Args:
        port: on localhost.
        context: TLS's.
        client_id, user, password: what it shows.
        will: (topic, payload).
    """

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext,
        client_id: str,
        user: str = "",
        password: str = "",
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self.granted: list[int] = []
        self.answer = ""  # the CONNACK's, in paho's words
        self.ended = False
        self._port = port
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id)
        self.paho.tls_set_context(context)
        if user:
            self.paho.username_pw_set(user, password)
        if will:
            self.paho.will_set(*will, qos=1)
        self.paho.reconnect_delay_set(3600, 3600)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_subscribe = self._on_subscribe
        self.paho.on_message = lambda client, data, message: self.messages.append(message)

    def _on_connect(self, client: object, data: object, flags: object, code: Any, more: object) -> None:
        self.answer = str(code)

    def _on_disconnect(self, *_: object) -> None:
        self.ended = True

    def _on_subscribe(self, client: object, data: object, mid: int, codes: list[Any], more: object) -> None:
        self.granted += [code.value for code in codes]

    async def subscribe(self, topic_filter: str, qos: int = 1) -> int:
        """The code of the SUBACK."""
        before = len(self.granted)
        self.paho.subscribe(topic_filter, qos)
        await until(lambda: len(self.granted) > before, "SUBACK")
        return self.granted[-1]

    async def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish, and wait until it is sent or acknowledged."""
        sent = self.paho.publish(topic, payload, qos, retain)
        await until(sent.is_published, f"the end of a publish of QoS {qos}")

    async def heard(self, count: int) -> list[tuple[str, bytes]]:
        """The first messages, once there are that many."""
        await until(lambda: len(self.messages) >= count, f"{count} messages")
        return [(message.topic, message.payload) for message in self.messages[:count]]

    def drop(self) -> None:
        """Lose the connection without a goodbye."""
        sock = self.paho.socket()
        assert isinstance(sock, ssl.SSLSocket)
        sock.shutdown(socket.SHUT_RDWR)

    async def __aenter__(self) -> Self:
        self.paho.connect_async("localhost", self._port)
        self.paho.loop_start()
        await until(lambda: self.answer, "CONNACK")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.paho.disconnect()
        await asyncio.to_thread(self.paho.loop_stop)
