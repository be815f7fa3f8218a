"""The device's MQTT client against mosquitto, over TLS with client certificates; paho-mqtt as its peer."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from iot.backoff import Backoff
from iot.mqtt.client import Client
from iot.mqtt.packet import MQTTError, Refused

from tests.patience import PATIENCE_S, until
from tools.bench import mosquitto
from tools.bench.streams import client_context, device_client, opener
from tools.cloud.ca import Authority

DEADLINE_S = PATIENCE_S


async def ended(device: Client) -> None:
    """Wait until the device has noticed that its connection is gone."""
    await until(lambda: not device.connected, "the connection's end")


class Peer:
    """paho-mqtt with a certificate of its own and a persistent session; keeps all messages that come."""

    def __init__(self, broker: mosquitto.Mosquitto, folder: Path, topic_filter: str) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self.subscribed = False
        self._port = broker.port
        self._filter = topic_filter
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "peer", clean_session=False)
        self._client.tls_set_context(
            client_context(broker.authority.root_pem, broker.authority.issue(), folder)
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._filter, qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self.subscribed = True

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        self.messages.append(message)

    async def heard(self, count: int) -> None:
        await until(lambda: len(self.messages) >= count, f"{count} messages")

    def payloads(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.messages if message.topic == topic]

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos, retain)

    async def __aenter__(self) -> "Peer":
        self._client.connect_async("localhost", self._port)
        self._client.loop_start()
        await until(lambda: self.subscribed, "the peer's subscription")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)


class House:
    """A broker, a peer that hears everything under up/, and devices."""

    def __init__(self, broker: mosquitto.Mosquitto, folder: Path) -> None:
        self.broker = broker
        self.peer = Peer(broker, folder, "up/#")
        self.context = client_context(broker.authority.root_pem, broker.authority.issue(), folder)

    def device(self, name: str = "device", context: Any = None, **options: Any) -> Client:
        open_stream = opener("localhost", self.broker.port, context or self.context)
        return device_client(name, open_stream, **options)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    if mosquitto.find() is None:
        pytest.skip("mosquitto is not installed: on Debian and Ubuntu, apt install mosquitto")
    async with mosquitto.Mosquitto(tmp_path / "broker") as broker:
        made = House(broker, tmp_path)
        async with made.peer:
            yield made


async def test_both_qualities_of_service_both_ways(house: House) -> None:
    device = house.device()
    assert await device.connect() is False
    down = device.subscribe("down/+", qos=1, depth=20)
    assert await down.acknowledged(10_000)
    receipts = [device.publish(f"up/{i}", {"n": i}, qos=i % 2) for i in range(20)]
    assert all([await receipt.wait(10_000) for receipt in receipts])
    await house.peer.heard(20)
    assert [json.loads(message.payload) for message in house.peer.messages] == [{"n": i} for i in range(20)]
    assert [message.qos for message in house.peer.messages] == [i % 2 for i in range(20)]
    for i in range(20):
        house.peer.publish(f"down/{i}", bytes([i]) * i, qos=i % 2)
    received = [await asyncio.wait_for(anext(down), DEADLINE_S) for _ in range(20)]
    assert sorted(received) == sorted((f"down/{i}", bytes([i]) * i) for i in range(20))
    await device.ping()
    await device.disconnect()


async def test_a_retained_message_waits_for_its_subscriber(house: House) -> None:
    device = house.device()
    await device.connect()
    assert await device.publish("state/led", "on", qos=1, retain=True).wait(10_000)
    state = device.subscribe("state/#")
    assert await asyncio.wait_for(anext(state), DEADLINE_S) == ("state/led", b"on")
    state.close()
    await device.publish("state/led", "off", qos=1).wait(10_000)
    await device.ping()
    assert state.read() is None
    await device.disconnect()


async def test_the_broker_keeps_the_session_over_a_restart_of_the_device(house: House) -> None:
    device = house.device()
    await device.connect()
    assert await device.subscribe("down/a").acknowledged(10_000)
    await device.disconnect()
    for i in range(5):
        house.peer.publish("down/a", bytes([i]))
    again = house.device()
    down = again.subscribe("down/a")
    assert await again.connect() is True
    received = [await asyncio.wait_for(anext(down), DEADLINE_S) for _ in range(5)]
    assert received == [("down/a", bytes([i])) for i in range(5)]
    await again.disconnect()
    clean = house.device(clean=True)
    assert await clean.connect() is False
    await clean.disconnect()


async def test_the_will_is_sent_for_a_device_that_vanishes_only(house: House) -> None:
    for vanishes in (False, True):
        device = house.device()
        device.set_last_will("up/will", "gone", qos=1)
        await device.connect()
        if vanishes:
            device.connection._stream.transport.abort()
            await ended(device)
        await device.disconnect()
    await until(lambda: house.peer.payloads("up/will"), "the will")
    assert house.peer.payloads("up/will") == [b"gone"]


async def test_oversize_is_refused_or_dropped_and_nothing_else_suffers(house: House) -> None:
    device = house.device(outbox_bytes=1024, packet_limit=1024)
    await device.connect()
    with pytest.raises(ValueError, match='publish to "up/big": 2011 bytes; the limit is 1024'):
        device.publish("up/big", bytes(2000))
    down = device.subscribe("down/#")
    assert await down.acknowledged(10_000)
    house.peer.publish("down/big", bytes(300_000))
    house.peer.publish("down/big", bytes(300_000), qos=0)
    house.peer.publish("down/small", b"after")
    assert await asyncio.wait_for(anext(down), DEADLINE_S) == ("down/small", b"after")
    assert device.inbox.counts["oversize"] == 2
    await device.disconnect()
    again = house.device(packet_limit=1024)  # the broker has it acknowledged, so it does not come back
    await again.connect()
    await again.ping()
    assert again.inbox.counts["oversize"] == 0
    await again.disconnect()


async def test_every_accepted_message_arrives_though_the_broker_is_killed_in_the_middle(house: House) -> None:
    window = 8
    events: list[str] = []
    device = house.device(
        window=window, backoff=Backoff(100, 1000), notify=lambda event, detail: events.append(event)
    )
    running = asyncio.create_task(device.run())
    accepted = []
    down = False
    for i in range(500):
        if i in (150, 350):
            await house.peer.heard(i // 2)
            await house.broker.stop()
            await ended(device)
            down = True
        receipt = device.publish("up/count", str(i), qos=1)
        if down and (not receipt or i in (200, 400)):  # the outbox is full sooner where the broker was slow
            await house.broker.start()
            down = False
        while not receipt:
            await asyncio.sleep(0.01)
            receipt = device.publish("up/count", str(i), qos=1)
        accepted.append(receipt)
        await asyncio.sleep(0)
    assert all([await receipt.wait(DEADLINE_S * 1000) for receipt in accepted])
    await until(lambda: len(set(house.peer.payloads("up/count"))) == 500, "500 messages")
    # DUP marks what the broker itself sends the peer again: that is none of the device's doing.
    copies = Counter(message.payload for message in house.peer.messages if not message.dup)
    assert sum(copies.values()) - len(copies) <= 2 * window
    assert events.count("connected") == 3
    await device.disconnect()
    await running


async def test_without_the_right_certificates_there_is_no_connection(house: House, tmp_path: Path) -> None:
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger")
    device = house.device("x", client_context(house.broker.authority.root_pem, stranger.issue(), tmp_path))
    for count in (1, 2):
        with pytest.raises(Refused, match="closed by the broker"):
            await device.connect()
        assert device.refusals == count
    device = house.device("x", client_context(stranger.root_pem, stranger.issue(), tmp_path))
    with pytest.raises(MQTTError, match="certificate verify failed"):
        await device.connect()
    assert device.refusals == 0
