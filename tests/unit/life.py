"""A client's connections one after the other, to a broker that hangs up on some packets."""

import asyncio
import time

from iot.backoff import Backoff
from iot.mqtt import culprit
from stream import Broker, Notes, client, payload

CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ = 0x10, 0x30, 0x80, 0xA0, 0xC0


class Life:
    """A client whose connections follow each other without pauses; the broker keeps its session."""

    def __init__(self, **options):
        self.broker = Broker()
        self.notes = Notes()
        self.connections = 0
        options["backoff"] = Backoff(1000, 64000)
        self.client = client(self.broker.open_stream, self.notes, **options)

    async def connection(self):
        """One connection, to its end or until nothing is queued any more: returns whether it lived."""
        client = self.client
        since_ms = time.ticks_ms()
        await client.connect()
        self.broker.connack = b"\x20\x02\x01\x00"
        self.connections += 1
        connection = client.connection
        while not connection.closed:
            await asyncio.sleep_ms(0)
            if not len(client.outbox) and not client.inbox.due() and not culprit._requested(client):
                return True
        culprit.ended(client, connection.error, since_ms)
        return False

    async def settle(self, most):
        """Connect again and again until all is answered or given up, `most` times at most."""
        while not await self.connection():
            assert self.connections < most, self.notes.lines
        await self.client.disconnect()

    def got(self):
        """The payloads of the messages that the broker took."""
        return [
            payload(body) for first, body in self.broker.sent(PUBLISH) if not self.broker.hates(first, body)
        ]


def hates(*topics):
    """A broker's dislike for these, in messages and in filters."""

    def condition(first, body):
        at = 0 if first & 0xF0 == PUBLISH else 2
        return first & 0xF0 in (PUBLISH, SUBSCRIBE, UNSUBSCRIBE) and topic(body, at) in topics

    return condition


def topic(body, at):
    return str(bytes(body[at + 2 : at + 2 + (body[at] << 8 | body[at + 1])]), "utf-8")
