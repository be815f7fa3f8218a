"""An independent client (paho-mqtt, with a certificate of its own) that watches what arrives at the cloud."""

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

CLIENT_ID = "subscriber"
_SUBACK_S = 20

OnMessage = Callable[[str, bytes], None]
"""Called in the event loop with topic and payload of each message."""


class Subscriber:
    """Subscribes to one topic filter for as long as its context lasts.

    Args:
        folder: where its certificate and key may be put, for paho reads files.
        host, port: the broker.
        root_ca, certificate, key: PEM.
        topic_filter: subscribed to with QoS 1.
        on_message: called with each message.
        clean_session: False to be sent later what comes while the broker is away.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        root_ca: str,
        certificate: str,
        key: str,
        topic_filter: str,
        on_message: OnMessage,
        clean_session: bool = True,
    ) -> None:
        self._host, self._port = host, port
        self._topic_filter = topic_filter
        self._on_message = on_message
        self.redelivered = 0  # messages that the broker has sent before, as it says itself
        self._ready = asyncio.Event()
        files = []
        for name, pem in (("root_ca", root_ca), ("certificate", certificate), ("key", key)):
            path = folder / f"subscriber-{name}.pem"
            path.touch(mode=0o600)
            path.write_text(pem, encoding="ascii")
            files.append(os.fspath(path))
        context = ssl.create_default_context(cafile=files[0])
        context.load_cert_chain(files[1], files[2])
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, clean_session=clean_session
        )
        self._client.tls_set_context(context)
        self._client.reconnect_delay_set(1, 2)

    async def __aenter__(self) -> "Subscriber":
        loop = asyncio.get_running_loop()
        client = self._client

        def on_connect(*_: object) -> None:
            client.subscribe(self._topic_filter, qos=1)

        def on_subscribe(*_: object) -> None:
            loop.call_soon_threadsafe(self._ready.set)

        def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            self.redelivered += message.dup
            loop.call_soon_threadsafe(self._on_message, message.topic, message.payload)

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        await asyncio.to_thread(client.connect, self._host, self._port)
        client.loop_start()
        async with asyncio.timeout(_SUBACK_S):
            await self._ready.wait()
        return self

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Send a message with QoS 1."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
