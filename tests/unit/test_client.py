"""The MQTT client against a scripted broker in memory."""

import asyncio

from check import araises, raises
from iot.mqtt.client import Client
from iot.mqtt.packet import MQTTError, Refused
from stream import Broker, Notes, packet_id, payload, publish


class Fixture:
    """A client, its broker and its notes."""

    def __init__(self, **options):
        self.broker = Broker()
        self.notes = Notes()
        options.setdefault("connect_interval_ms", 0)
        self.client = Client("thing-1", self.broker.open_stream, self.notes, self.notes.notify, **options)

    async def __aenter__(self):
        await self.client.connect()
        return self

    async def __aexit__(self, *exception):
        await self.client.disconnect()


async def test_connects_publishes_and_disconnects():
    async with Fixture() as f:
        assert f.client.connected
        zero = f.client.publish("a/b", b"zero")
        one = f.client.publish("a/b", {"n": 1}, qos=1)
        assert zero and one
        assert await zero.wait(1000)
        assert await one
        assert f.broker.packets[1][1] == b"\x00\x03a/bzero"
        assert payload(f.broker.packets[2][1]) == b'{"n": 1}'
    assert f.broker.packets[0] == (0x10, b"\x00\x04MQTT\x04\x00\x00\x3c\x00\x07thing-1")
    assert f.broker.packets[-1] == (0xE0, b"")
    assert f.broker.stream.closed and not f.client.connected
    assert f.notes.events == [("connected", False), ("published", 1), ("disconnected", "disconnect asked")]


async def test_receives_what_it_subscribed_to():
    async with Fixture() as f:
        sub = f.client.subscribe("a/+")
        assert await sub.acknowledged(1000)
        f.broker.stream.feed(publish("a/b", b"one", 1, 7) + publish("a/c", b"two") + publish("x", b"no"))
        assert await sub.__anext__() == ("a/b", b"one")
        assert await sub.__anext__() == ("a/c", b"two")
        assert sub.read() is None
        await f.broker.until_sent(0x40)
        assert f.broker.sent(0x40) == [(0x40, b"\x00\x07")]
        assert f.client.inbox.unclaimed == 1
