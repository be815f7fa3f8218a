"""The local cloud against paho-mqtt."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.patience import block_until
from tests.peers.cloud_thread import DEADLINE_S, CloudThread
from tools.cloud import Limits


class Client:
    """A paho client that remembers what happened to it."""

    def __init__(
        self, cloud: CloudThread, client_id: str, identity: tuple[str, str], clean: bool = True
    ) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self.granted: list[int] = []
        self.connected: list[bool] = []
        self.disconnected: list[str] = []
        self._cloud = cloud
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=clean)
        self.paho.tls_set(str(cloud.root_ca), *identity)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = lambda client, data, message: self.messages.append(message)
        self.paho.on_subscribe = self._on_subscribe

    def _on_connect(
        self,
        client: paho.Client,
        data: Any,
        flags: paho.ConnectFlags,
        code: ReasonCode,
        more: Properties | None,
    ) -> None:
        if not code.is_failure:
            self.connected.append(flags.session_present)

    def _on_disconnect(
        self,
        client: paho.Client,
        data: Any,
        flags: paho.DisconnectFlags,
        code: ReasonCode,
        more: Properties | None,
    ) -> None:
        self.disconnected.append(str(code))

    def _on_subscribe(
        self, client: paho.Client, data: Any, mid: int, codes: list[ReasonCode], more: Properties | None
    ) -> None:
        self.granted += [code.value for code in codes]

    def connect(self) -> "Client":
        """Connect and wait for the CONNACK."""
        self.paho.connect("localhost", self._cloud.port)
        self.paho.loop_start()
        block_until(lambda: self.connected, "CONNACK")
        return self

    def subscribe(self, topic_filter: str, qos: int) -> None:
        before = len(self.granted)
        self.paho.subscribe(topic_filter, qos)
        block_until(lambda: len(self.granted) > before, "SUBACK")
        assert self.granted[-1] == qos

    def has(self, count: int) -> bool:
        return len(self.messages) >= count

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool = False) -> None:
        """Publish and wait until it is sent (QoS 0) or acknowledged."""
        published = self.paho.publish(topic, payload, qos, retain)
        published.wait_for_publish(DEADLINE_S)
        assert published.is_published()

    def disconnect(self) -> None:
        self.paho.disconnect()
        block_until(lambda: self.disconnected, "end of the connection")
        self.paho.loop_stop()

    def drop(self) -> None:
        """Lose the connection."""
        self.paho.loop_stop()
        sock = self.paho.socket()
        assert sock is not None
        sock.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudThread]:
    with CloudThread(tmp_path, limits=Limits.unthrottled()) as running:
        yield running


@pytest.mark.parametrize("qos", [0, 1])
def test_both_ways(cloud: CloudThread, qos: int) -> None:
    one, two = [Client(cloud, name, cloud.identity(name)).connect() for name in ("one", "two")]
    for sender, receiver in ((one, two), (two, one)):
        receiver.subscribe("from/#", qos)
        for size in (0, 1, 200, 20_000, 128 * 1024):
            sender.publish("from/it", bytes(size), qos)
        block_until(partial(receiver.has, 5), "five messages")
        assert [len(message.payload) for message in receiver.messages[:5]] == [0, 1, 200, 20_000, 128 * 1024]
        assert {message.qos for message in receiver.messages} == {qos}
    for client in (one, two):
        client.disconnect()


def test_retained(cloud: CloudThread) -> None:
    identity = cloud.identity("any")
    publisher = Client(cloud, "publisher", identity).connect()
    publisher.publish("lamp", b"on", 1, retain=True)
    subscriber = Client(cloud, "subscriber", identity).connect()
    subscriber.subscribe("lamp", 1)
    block_until(lambda: subscriber.messages, "the retained message")
    assert (subscriber.messages[0].payload, subscriber.messages[0].retain) == (b"on", True)
    publisher.disconnect()
    subscriber.disconnect()


def test_will(cloud: CloudThread) -> None:
    identity = cloud.identity("any")
    watcher = Client(cloud, "watcher", identity).connect()
    watcher.subscribe("wills", 1)
    polite = Client(cloud, "polite", identity)
    polite.paho.will_set("wills", b"polite", 1)
    polite.connect().disconnect()
    lost = Client(cloud, "lost", identity)
    lost.paho.will_set("wills", b"lost", 1)
    lost.connect().drop()
    block_until(lambda: watcher.messages, "the will")
    assert [message.payload for message in watcher.messages] == [b"lost"]
    watcher.disconnect()


def test_persistent_session(cloud: CloudThread) -> None:
    identity = cloud.identity("any")
    away = Client(cloud, "away", identity, clean=False).connect()
    assert away.connected == [False]
    away.subscribe("a", 1)
    away.disconnect()
    publisher = Client(cloud, "publisher", identity).connect()
    for i in range(300):
        publisher.publish("a", str(i).encode(), 1)
    back = Client(cloud, "away", identity, clean=False).connect()
    assert back.connected == [True]
    block_until(lambda: len(back.messages) == 300, "300 messages kept")
    assert [int(message.payload) for message in back.messages] == list(range(300))
    back.disconnect()
    publisher.disconnect()


def test_takeover_and_denial_end_the_connection(cloud: CloudThread) -> None:
    identity = cloud.identity("any")
    old = Client(cloud, "same", identity)
    old.paho.reconnect_delay_set(60, 60)
    old.connect()
    new = Client(cloud, "same", identity).connect()
    block_until(lambda: old.disconnected, "end of the old connection")
    old.paho.loop_stop()
    new.publish("alive", b"", 1)
    new.paho.reconnect_delay_set(60, 60)
    new.paho.publish("$aws/events/mine", b"", 1)
    block_until(lambda: new.disconnected, "end of the connection that published to a reserved topic")
    new.paho.loop_stop()


def test_a_client_of_mqtt_5_is_told_so_by_mqtt_5(cloud: CloudThread) -> None:
    codes: list[ReasonCode] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "five", protocol=paho.MQTTv5)
    client.tls_set(str(cloud.root_ca), *cloud.identity("any"))
    client.on_connect = lambda client, data, flags, code, more: codes.append(code)
    client.reconnect_delay_set(60, 60)
    client.connect("localhost", cloud.port)
    client.loop_start()
    block_until(lambda: codes, "CONNACK")
    assert (codes[0].value, str(codes[0])) == (0x84, "Unsupported protocol version")
    client.loop_stop()


def test_shared_subscription(cloud: CloudThread) -> None:
    identity = cloud.identity("any")
    members = [Client(cloud, name, identity).connect() for name in ("one", "two")]
    for member in members:
        member.subscribe("$share/group/a/#", 1)
    publisher = Client(cloud, "publisher", identity).connect()
    for i in range(10):
        publisher.publish("a/b", str(i).encode(), 1)
    block_until(lambda: all(len(member.messages) == 5 for member in members), "half of the messages at each")
    for client in (*members, publisher):
        client.disconnect()


@pytest.mark.parametrize("qos", [0, 1])
def test_throughput(cloud: CloudThread, qos: int) -> None:
    """Not a benchmark, but what is far slower than this stalls a fleet: 1000 messages within the deadline."""
    identity = cloud.identity("any")
    subscriber = Client(cloud, "subscriber", identity, clean=False).connect()
    subscriber.subscribe("a/#", qos)
    publisher = Client(cloud, "publisher", identity).connect()
    for i in range(1000):
        publisher.paho.publish(f"a/{i % 10}", bytes(100), qos)
    block_until(lambda: len(subscriber.messages) == 1000, "1000 messages")
    subscriber.disconnect()
    publisher.disconnect()
