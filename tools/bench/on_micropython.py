"""The measurements on a MicroPython unix binary: a task as JSON on stdin, the figures as JSON on stdout."""

import asyncio
import json
import sys
import time
from binascii import a2b_base64

from iot import tls, trust
from iot.log import Log
from iot.mqtt.client import Client
from iot.mqtt.packet import Framer
from iot.mqtt.queues import Inbox, Outbox


class Ussl:
    """The module `ussl` that umqtt.simple imports; this MicroPython has only `ssl`."""

    @staticmethod
    def wrap_socket(sock, context):
        return context.wrap_socket(sock, server_hostname="localhost")


class Bench:
    """One broker, and what to send it."""

    def __init__(self, task):
        self.task = task
        self.context = trust.context(*self.certificates())

    def certificates(self):
        return (a2b_base64(der) for der in self.task["der"])

    def run(self):
        slow, slow_count = self.task["slow_port"], self.task["acknowledged"]
        fast, fast_count = self.task["port"], self.task["messages"]
        figures = {
            "ours_s": asyncio.run(self.ours(slow, slow_count, 1)),
            "umqtt_s": self.umqtt(slow, slow_count, 1),
            "ours_per_s": fast_count / asyncio.run(self.ours(fast, fast_count, 0)),
            "umqtt_per_s": fast_count / self.umqtt(fast, fast_count, 0),
        }
        print(json.dumps(figures))

    async def ours(self, port, count, qos):
        """Seconds for `count` messages with this client."""
        opener = tls.Opener("localhost", port, self.certificates)
        counts = dict.fromkeys(("refused", "lost", "oversize", "unclaimed", "dropped"), 0)
        outbox, inbox = Outbox(8192, 16, counts), Inbox(Framer(4096), counts)
        client = Client("bench", opener.open, outbox, inbox, Log("error"), clean=True)
        await client.connect()
        start_ms = time.ticks_ms()
        for _ in range(count):
            while not client.publish(self.task["topic"], self.task["payload"], qos=qos):
                await asyncio.sleep_ms(0)
        if not await client.flush(120_000):
            raise OSError("not all messages went out")
        await client.ping()
        seconds = time.ticks_diff(time.ticks_ms(), start_ms) / 1000
        await client.disconnect()
        return seconds

    def umqtt(self, port, count, qos):
        """Seconds for `count` messages with umqtt.simple."""
        from umqtt_simple import MQTTClient  # needs ussl

        topic, payload = self.task["topic"].encode(), self.task["payload"].encode()
        client = MQTTClient(b"bench", "localhost", port, ssl=True, ssl_params={"context": self.context})
        client.connect()
        start_ms = time.ticks_ms()
        for _ in range(count):
            client.publish(topic, payload, qos=qos)
        client.ping()
        client.wait_msg()
        seconds = time.ticks_diff(time.ticks_ms(), start_ms) / 1000
        client.disconnect()
        return seconds


sys.modules["ussl"] = Ussl
Bench(json.loads(sys.stdin.readline())).run()
