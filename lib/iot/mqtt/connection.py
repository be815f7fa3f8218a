"""One MQTT connection: a stream, and the reader, writer and watch that live exactly as long as it does.

What bites in asyncio's streams decides the shape. Only the writer writes, and drains after each write: what
is written while another task drains gets lost. No read or drain is cancelled to be tried again, which loses
bytes or sends them twice: what is late ends the connection. The reader reads in bulk, since asyncio polls
TLS sockets every 10 ms.
"""

import asyncio
import time

from micropython import const

from iot.events import within
from iot.memory import borrow
from iot.mqtt import packet
from iot.mqtt.packet import MQTTError, Refused, malformed

_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_UNSUBACK = const(0xB0)
_PINGRESP = const(0xD0)
_DISCONNECT = const(0xE0)

_ACKS_BYTES = const(4 * 32)  # PUBACKs that wait for the writer; while there are more, the reader waits
_PACKETS_PER_TURN = const(8)  # then the reader lets other tasks run
_REQUESTS_BYTES = const(512)  # of subscriptions in one write, or one over it


class Connection:
    """Runs a stream that the broker has accepted, from now on and until it ends.

    A write or a PINGRESP that takes `timeout_ms` ends it, and so does the end of a task, for whatever reason.

    client: the Client it belongs to.
    wake: to be set when there is something to send.
    pinging: True until what `probe` sent is answered.
    answered: whether the broker has answered anything on it; in doubt it is asked by a PINGREQ at once.
    closed: True once the stream is closed and the tasks have ended.
    error, bug: the exception that ended it; a bug is none that the network can cause.
    acks: PUBACKs that wait to be sent.
    """

    def __init__(self, client, stream):
        self.wake = asyncio.Event()
        self.pinging = self._ping_due = client.doubt > 0
        self.closed = self.answered = False
        self.bug = self.error = self._requests = None
        self._client = client
        self._stream = stream
        self._changed = asyncio.Event()
        self._leaving = self._writing = False
        self.acks = b""
        self._received_ms = self._sent_ms = self._ping_ms = time.ticks_ms()
        self._tasks = []
        for part in (self._read, self._write, self._watch):
            self._tasks.append(asyncio.create_task(self._part(part)))

    def leave(self):
        """End it with a DISCONNECT, after what is being written."""
        self._leaving = True
        self.wake.set()

    def probe(self):
        """Send a PINGREQ: a dead connection then ends after `timeout_ms`."""
        if not self.pinging:
            self.pinging = self._ping_due = True
            self.wake.set()

    async def change(self):
        """Wait for a pong, for room among the PUBACKs, or for the end."""
        self._changed.clear()
        await self._changed.wait()

    async def wait_closed(self):
        """Wait for the end."""
        while not self.closed:
            await self.change()

    async def end(self, reason, bug=None):
        """End it now and tell the client; where another has begun to, wait until that is done."""
        tasks = self._tasks
        if tasks is None:
            await self.wait_closed()
            return
        self._tasks = None
        self.bug = bug
        client = self._client
        client.connected = False
        client.reason = reason
        if asyncio.current_task() in tasks:
            tasks.remove(asyncio.current_task())
        try:
            for task in tasks:
                task.cancel()
            for task in tasks:
                try:
                    await task
                except asyncio.CancelledError:
                    pass
            self._stream.close()
            await within(client.timeout_ms, self._stream.wait_closed())
        except OSError:
            pass  # the stream is gone either way
        finally:
            # With the tasks some 2 KB, of which the next connection has need.
            self._stream = self._requests = None
            client.outbox.rewind()
            if bug:
                client.log.exception("mqtt", reason, bug)
            client.tell("disconnected", reason)
            self.closed = True
            self._changed.set()

    async def _part(self, run):
        bug = None
        try:
            await run()
            reason = "disconnect asked"
        except (OSError, MQTTError, MemoryError) as error:  # a new connection begins with a tidier heap
            reason = str(error)
            self.error = error
        except Exception as error:
            reason = "internal error"
            bug = error
        await self.end(reason, bug)

    async def _read(self):
        framer = self._client.inbox.framer
        turn = 0
        while True:
            while (first := framer.next()) is not None:
                if packet_id := self._packet(first, framer):
                    while len(self.acks) >= _ACKS_BYTES:
                        await self.change()
                    self.acks += packet.puback(packet_id)
                    self.wake.set()
                turn += 1
                if turn % _PACKETS_PER_TURN == 0:
                    await asyncio.sleep_ms(0)
            count = await self._stream.readinto(framer.room())
            if count:
                self._received_ms = time.ticks_ms()
                framer.fed(count)
            elif count is not None:  # None: a TLS record that is not complete yet
                raise Refused("closed by the broker")

    def _packet(self, first, framer):
        """Do what a packet asks for; returns the packet id to acknowledge, or 0."""
        client = self._client
        kind = first & 0xF0
        if kind == _PUBLISH:
            try:
                if framer.body is not None and client.inbox.deliver(framer.topic, framer.body):
                    return framer.packet_id
            except MemoryError:
                framer.body = None
            return borrow("iot.mqtt.unclaimed").put(client, framer)
        if kind == _PUBACK:
            if client.outbox.acknowledge(framer.packet_id):
                client.tell("published", framer.packet_id)
        elif kind == _PINGRESP:
            self.pinging = False
            self._changed.set()
        elif kind in (_SUBACK, _UNSUBACK):
            self._requests = self._requests or borrow("iot.mqtt.requests")  # the next answer comes soon
            self._requests.answer(client, first, framer)
        else:
            raise malformed(first, "kind")
        if kind != _PINGRESP:
            client.doubt = min(client.doubt, 1)
        self.answered = True
        self.wake.set()  # the window has room again
        return 0

    async def _write(self):
        outbox = self._client.outbox
        while True:
            view = self._next()
            if view is None:
                self.wake.clear()
                await self.wake.wait()
                continue
            first = view[0]  # not after the write: the view's bytes may be another message's by then
            self._sent_ms = time.ticks_ms()
            self._writing = True
            self._stream.write(view)
            await self._stream.drain()
            self._writing = False
            if first == _DISCONNECT:
                return
            outbox.written()

    def _next(self):
        """What to send next, or None."""
        client = self._client
        if self._leaving:
            return b"\xe0\x00"  # DISCONNECT
        if self.acks:
            acks, self.acks = self.acks, b""
            self._changed.set()
            return acks
        if self._ping_due:
            self._ping_due = False
            self._ping_ms = time.ticks_ms()
            return b"\xc0\x00"  # PINGREQ
        if client.doubt and borrow("iot.mqtt.culprit").wait(client):
            return None
        requests = b""  # in one write: each would take TLS and lwIP as long as all together
        while len(requests) < _REQUESTS_BYTES and (subscription := client.inbox.due()):
            subscription.packet_id = -subscription.packet_id or client.packet_id()
            subscription.sent_ms = time.ticks_ms()
            qos = None if subscription.closed else subscription.qos
            requests += packet.request(subscription.packet_id, subscription.topic_filter.encode(), qos)
            if client.doubt or subscription.closed:  # to look for the next one that is, takes a module
                break
        return requests or client.outbox.take(client.doubt)

    async def _watch(self):
        client = self._client
        timeout_ms = client.timeout_ms
        keep_alive_ms = client.keep_alive_s * 1000
        look_ms = min(1000, timeout_ms // 8 + 1, keep_alive_ms // 8 or 1000)
        while True:
            await asyncio.sleep_ms(look_ms)
            self._requests = None
            now_ms = time.ticks_ms()
            idle_ms = time.ticks_diff(now_ms, self._sent_ms)
            if self._writing and idle_ms >= timeout_ms:
                raise MQTTError("a write took more than {} ms".format(timeout_ms))
            if self.pinging:
                if not self._ping_due and time.ticks_diff(now_ms, self._ping_ms) >= timeout_ms:
                    raise MQTTError("no PINGRESP within {} ms".format(timeout_ms))
            elif keep_alive_ms and (
                idle_ms * 4 >= keep_alive_ms * 3
                # One that sends QoS 0 alone must notice too that its peer is dead.
                or time.ticks_diff(now_ms, self._received_ms) >= keep_alive_ms
            ):
                self.probe()
            client.inbox.expire(timeout_ms)
            client.outbox.expire(timeout_ms)
            if client.inbox.waiting:
                borrow("iot.mqtt.unclaimed").take(client, None)
            self.wake.set()  # what has expired is due again
