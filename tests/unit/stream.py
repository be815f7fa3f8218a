"""A stream in memory with MicroPython's methods, and a broker on its other end that does as told."""

import asyncio

from iot.mqtt.client import Client
from iot.mqtt.packet import Framer
from iot.mqtt.queues import Inbox, Outbox


def none_lost():
    """What has not got through as yet."""
    return dict.fromkeys(("refused", "lost", "oversize", "unclaimed", "dropped"), 0)


def client(open_stream, *others, outbox_bytes=8192, window=16, packet_limit=4096, **options):
    """A Client whose queues have these bounds."""
    counts = none_lost()
    outbox, inbox = Outbox(outbox_bytes, window, counts), Inbox(Framer(packet_limit), counts)
    return Client("thing-1", open_stream, outbox, inbox, *others, **options)


class Below:
    """What a Stream reads of, which does not wait."""

    def __init__(self, stream):
        self._stream = stream

    def readinto(self, view):
        return self._stream.taken(view)


class Stream:
    """The client's end. The broker feeds bytes in, and is handed what is written once it is drained."""

    def __init__(self, broker):
        self.closed = False
        self.stuck = False  # drain never ends
        self.write_error = None
        self.most_per_read = 1 << 16
        self.largest_read = 0
        self._broker = broker
        self.s = Below(self)
        self._incoming = bytearray()
        self._taken = 0  # of what came: to move the rest at each byte would take the square of a file
        self._error = None
        self._ended = False
        self._readable = asyncio.Event()
        self._written = bytearray()
        self._draining = False

    def feed(self, data):
        self._incoming.extend(data)
        self._readable.set()

    def hang_up(self, error=None):
        """End of file for the client, or `error`."""
        self._error = error
        self._ended = True
        self._readable.set()

    async def readinto(self, view):
        assert len(view) > 0, "read into nothing"
        self.largest_read = max(self.largest_read, len(view))
        while self._taken == len(self._incoming) and not self._ended:
            self._readable.clear()
            await self._readable.wait()
        return self.taken(view)

    def taken(self, view):
        """What has come, put into `view`; None where that is nothing yet, 0 at the end."""
        if left := len(self._incoming) - self._taken:
            count = min(len(view), left, self.most_per_read)
            view[:count] = memoryview(self._incoming)[self._taken : self._taken + count]
            self._taken = 0 if count == left else self._taken + count
            if not self._taken:
                self._incoming = bytearray()
            return count
        if self._error:
            raise self._error
        return 0 if self._ended else None

    def write(self, data):
        assert not self._draining, "written to while another task drains: a real stream loses data"
        assert not self.closed, "written to after close"
        if self.write_error:
            raise self.write_error
        self._written.extend(data)

    async def drain(self):
        self._draining = True
        await asyncio.sleep_ms(0)
        while self.stuck:
            await asyncio.sleep_ms(5)
        self._draining = False
        data = bytes(self._written)
        self._written = bytearray()
        self._broker.take(self, data)

    def close(self):
        self.closed = True

    async def wait_closed(self):
        assert self.closed


class Broker:
    """Answers as a friendly broker would; the attributes make it less friendly.

    `packets` lists all that came, as (first byte, body) pairs.
    """

    def __init__(self):
        self.connack = b"\x20\x02\x00\x00"  # None: no answer
        self.acknowledges = True  # PUBLISH with PUBACK
        self.grants = True  # SUBSCRIBE and UNSUBSCRIBE; a number: that return code
        self.pongs = True
        self.hates = lambda first, body: False  # the packets that it hangs up on
        self.open_error = None
        self.packets = []
        self.streams = []
        self._rest = b""

    async def open_stream(self):
        if self.open_error:
            raise self.open_error
        self.streams.append(Stream(self))
        self._rest = b""
        return self.streams[-1]

    def sent(self, kind):
        """The packets of one kind (the first byte's upper four bits) that came."""
        return [(first, body) for first, body in self.packets if first & 0xF0 == kind]

    async def until(self, condition):
        """Wait for a condition; the test's own deadline ends it if it never comes."""
        while not condition():
            await asyncio.sleep_ms(1)

    async def until_sent(self, kind, count=1):
        await self.until(lambda: len(self.sent(kind)) >= count)

    def take(self, stream, data):
        self._rest += data
        while True:
            packet = self._cut()
            if packet is None:
                return
            self.packets.append(packet)
            if self.hates(*packet):
                stream.hang_up()
                self._rest = b""
                return
            self._answer(stream, *packet)

    def _cut(self):
        """One packet off the front of what came: a decoder of the broker's own."""
        length = shift = 0
        for i in range(1, len(self._rest)):
            length |= (self._rest[i] & 127) << shift
            shift += 7
            if self._rest[i] < 128:
                end = i + 1 + length
                if len(self._rest) < end:
                    return None
                packet = self._rest[0], self._rest[i + 1 : end]
                self._rest = self._rest[end:]
                return packet
        return None

    def _answer(self, stream, first, body):
        kind = first & 0xF0
        if kind == 0x10 and self.connack:
            stream.feed(self.connack)
        elif kind == 0x30 and first & 0x06 and self.acknowledges:
            stream.feed(b"\x40\x02" + packet_id(body))
        elif kind == 0x80 and self.grants is not False:
            code = body[-1] if self.grants is True else self.grants
            stream.feed(b"\x90\x03" + body[:2] + bytes([code]))
        elif kind == 0xA0 and self.grants is not False:
            stream.feed(b"\xb0\x02" + body[:2])
        elif kind == 0xC0 and self.pongs:
            stream.feed(b"\xd0\x00")


def packet_id(body):
    """The packet id of a PUBLISH with QoS 1, as two bytes."""
    at = 2 + (body[0] << 8 | body[1])
    return body[at : at + 2]


def payload(body, qos=1):
    """The payload of a PUBLISH."""
    return body[2 + (body[0] << 8 | body[1]) + 2 * qos :]


def publish(topic, data, qos=0, identifier=1, flags=0):
    """A PUBLISH as the broker sends it."""
    body = len(topic).to_bytes(2, "big") + topic.encode()
    if qos:
        body += identifier.to_bytes(2, "big")
    body += data
    length = bytearray()
    rest = len(body)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    length.append(rest)
    return bytes([0x30 | qos << 1 | flags]) + bytes(length) + body


class Notes:
    """A log and a notify that remember."""

    def __init__(self):
        self.lines = []
        self.events = []

    def notify(self, event, detail):
        self.events.append((event, detail))

    def details(self, event):
        return [detail for name, detail in self.events if name == event]

    def debug(self, area, text, *args):
        self.lines.append(text.format(*args))

    info = warning = error = debug

    def exception(self, area, text, error):
        self.lines.append("{}: {}".format(text, error))
