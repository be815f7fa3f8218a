"""A core's MQTT bridge: what it brings to the cloud and from it, and keeps while the cloud is away."""

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tools.cloud import Cloud, topics
from tools.cloud.fleet import MAY_ALL

_RETRY_S = 1, 5

# What shadows and jobs need, for things at home: what they ask, and what AWS says.
SERVICES_UP = ("$aws/things/+/shadow/+", "$aws/things/+/jobs/+/+", "$aws/things/+/jobs/start-next")
SERVICES_DOWN = (
    *("$aws/things/+/shadow/+/+", "$aws/things/+/jobs/+/+/+"),
    *("$aws/things/+/jobs/start-next/+", "$aws/things/+/jobs/notify-next"),
)


class Bridge:
    """Connects to the cloud as the core's thing, whenever that is there.

    Args:
        folder: where its certificate and key may be put, for paho reads files.
        cloud: makes them; it has started by the time `start` is called.
        name: the core's thing.
        up: filters of the messages that `up` brings to the cloud.
        down: filters that are subscribed to there.
        deliver: called in the loop of `start` with topic and payload of what comes.
    """

    def __init__(
        self,
        folder: Path,
        cloud: Cloud,
        name: str,
        up: Sequence[str],
        down: Sequence[str],
        deliver: Callable[[str, bytes], None],
    ) -> None:
        self._cloud = cloud
        self._up, self._down = up, down
        self._deliver = deliver
        self._is_subscribed = False
        identity = folder / "bridge.pem"
        identity.touch(mode=0o600)
        identity.write_text("".join(cloud.create_identity(MAY_ALL)), encoding="ascii")
        context = ssl.create_default_context(cadata=cloud.root_ca)
        context.load_cert_chain(os.fspath(identity))
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._mqtt.tls_set_context(context)
        self._mqtt.reconnect_delay_set(*_RETRY_S)

    def start(self) -> None:
        """Connect, in a thread of its own, now or later."""
        loop = asyncio.get_running_loop()

        def connected(client: mqtt.Client, *_: object) -> None:
            self._is_subscribed = not self._down
            if self._down:
                client.subscribe([(topic_filter, 1) for topic_filter in self._down])

        def subscribed(*_: object) -> None:
            self._is_subscribed = True

        def came(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            loop.call_soon_threadsafe(self._deliver, message.topic, message.payload)

        self._mqtt.on_connect = connected
        self._mqtt.on_subscribe = subscribed
        self._mqtt.on_message = came
        endpoint = self._cloud.endpoint
        self._mqtt.connect_async(endpoint.host, endpoint.port)
        self._mqtt.loop_start()

    def is_up(self) -> bool:
        """Whether the cloud has taken its subscriptions."""
        return self._mqtt.is_connected() and self._is_subscribed

    def up(self, topic: str, payload: bytes) -> None:
        """A message of a client device: to the cloud, now or when that is back, if a filter takes it."""
        if any(topics.matches(topic_filter, topic) for topic_filter in self._up):
            self._mqtt.publish(topic, payload, qos=1)

    async def stop(self) -> None:
        """Disconnect."""
        self._mqtt.disconnect()
        await asyncio.to_thread(self._mqtt.loop_stop)
