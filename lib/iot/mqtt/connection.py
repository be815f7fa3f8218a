"""One MQTT connection: a stream, and the reader, writer and watch that live exactly as long as it does.

What bites in asyncio's streams decides the shape. Only the writer writes, and drains after each write: what
is written while another task drains gets lost. No read or drain is cancelled to be tried again, which loses
bytes or sends them twice: what is late ends the connection. The reader reads in bulk, since asyncio polls
TLS sockets every 10 ms.
"""

import asyncio
import time

from micropython import const

from iot.mqtt import packet
from iot.mqtt.packet import MQTTError, Refused

_ACKS_BYTES = const(4 * 32)  # PUBACKs that wait for the writer; while there are more, the reader waits
_PACKETS_PER_TURN = const(8)  # then the reader lets other tasks run


async def within(timeout_ms, coroutine):
    """Await a coroutine; False if that took `timeout_ms` and it was cancelled."""
    try:
        await asyncio.wait_for_ms(coroutine, timeout_ms)
    except asyncio.TimeoutError:
        return False
    return True


class Connection:
    """Runs a stream until it ends, for an owner with these methods, which return at once:

    packet_in(first, framer)   a packet arrived; returns the packet id to acknowledge, or 0
    packet_out()               a view of what to send next, or None; asked again after `wake`
    packet_written()           what it gave was written
    look(now_ms)               every `look_ms`: time to check deadlines
    gone(reason)               the stream is closed, and the tasks have ended

    A write or a PINGRESP that takes `timeout_ms` ends it, and so does the end of a task, for whatever reason.
    """

    def __init__(self, stream, framer, connect_packet, owner, *, timeout_ms, look_ms):
        self.accepted = False  # the CONNACK came
        self.reason = None  # why it ended
        self.error = None  # the exception that ended it, if one did
        self.bug = None  # that exception, if it is none that the network can cause
        self.answered = asyncio.Event()  # accepted, or gone
        self.closed = asyncio.Event()
        self.task = None
        self._stream = stream
        self._framer = framer
        self._connect_packet = connect_packet
        self._owner = owner
        self._timeout_ms = timeout_ms
        self._look_ms = look_ms
        self._keep_alive_ms = 0
        self._ended = asyncio.Event()
        self._wake = asyncio.Event()
        self._writing = False
        self._leaving = False
        self._acks = bytearray(_ACKS_BYTES)
        self._acks_length = 0
        self._acks_left = asyncio.Event()
        self._ping_due = False
        self._ping_sent = False
        self._pong = asyncio.Event()
        self._received_ms = self._sent_ms = self._ping_ms = time.ticks_ms()

    def start(self):
        """Send the CONNECT, and begin to read."""
        self.task = asyncio.create_task(self._live())

    def accept(self, keep_alive_s):
        """The CONNACK came: the owner's packets and the keep-alive begin."""
        self.accepted = True
        self._keep_alive_ms = keep_alive_s * 1000
        self.answered.set()
        self._wake.set()

    def wake(self):
        """The owner has something to send."""
        self._wake.set()

    def leave(self):
        """End it with a DISCONNECT, after what is being written."""
        self._leaving = True
        self._wake.set()

    def end(self, reason, error=None):
        """End it now, if it has not ended yet; `closed` follows."""
        if self.reason is None:
            self.reason = reason
            self.error = error
            self._ended.set()

    def probe(self):
        """Send a PINGREQ: a dead connection then ends after `timeout_ms`."""
        self._ping_due = True
        self._wake.set()

    async def ping(self):
        """Send a PINGREQ and wait for the answer; MQTTError if the connection ends before."""
        self._pong.clear()
        self.probe()
        await self._pong.wait()
        if self.reason is not None:
            raise MQTTError(self.reason)

    async def _live(self):
        tasks = [asyncio.create_task(self._part(part)) for part in (self._read, self._write, self._watch)]
        try:
            await self._ended.wait()
        finally:
            self.end("cancelled")
            for task in tasks:
                task.cancel()
            for task in tasks:
                try:
                    await task
                except asyncio.CancelledError:
                    pass
            self._stream.close()
            try:
                await within(self._timeout_ms, self._stream.wait_closed())
            except OSError:
                pass  # it is gone either way
            self._owner.gone(self.reason)
            for event in (self.answered, self._pong, self.closed):
                event.set()

    async def _part(self, part):
        try:
            await part()
        except (OSError, MQTTError, MemoryError) as error:  # a new connection begins with a tidier heap
            self.end(str(error), error)
        except Exception as error:
            if isinstance(error, ValueError) and not self.accepted:
                # How MicroPython says that a certificate is bad; mbedTLS writes a line for each reason.
                self.end("TLS: " + " ".join(str(error).split()), error)
            else:
                self.bug = error
                self.end("internal error", error)

    async def _read(self):
        framer = self._framer
        framer.reset()
        turn = 0
        while True:
            count = await self._stream.readinto(framer.room())
            if count is None:  # a TLS record that is not complete yet
                continue
            if not count:
                raise (MQTTError if self.accepted else Refused)("closed by the broker")
            self._received_ms = time.ticks_ms()
            framer.fed(count)
            while (first := framer.next()) is not None:
                await self._packet(first)
                turn += 1
                if turn % _PACKETS_PER_TURN == 0:
                    await asyncio.sleep_ms(0)

    async def _packet(self, first):
        if self.accepted and first & 0xF0 == packet.PINGRESP:
            packet.pingresp_from(first, self._framer.body)
            self._ping_sent = False
            self._pong.set()
        elif packet_id := self._owner.packet_in(first, self._framer):
            while self._acks_length == len(self._acks):
                self._acks_left.clear()
                await self._acks_left.wait()
            self._acks_length = packet.puback_into(self._acks, self._acks_length, packet_id)
            self._wake.set()

    async def _write(self):
        view = self._connect_packet
        while True:
            self._sent_ms = time.ticks_ms()
            self._writing = True
            self._stream.write(view)
            await self._stream.drain()
            self._writing = False
            if view is packet.DISCONNECT:
                self.end("disconnect asked")
                return
            self._owner.packet_written()
            while (view := self._next()) is None:
                self._wake.clear()
                await self._wake.wait()

    def _next(self):
        if self._leaving:
            return packet.DISCONNECT
        if not self.accepted:
            return None
        if self._acks_length:
            # A stream sends or copies at once what it is given to write: the buffer is free again.
            view = memoryview(self._acks)[: self._acks_length]
            self._acks_length = 0
            self._acks_left.set()
            return view
        if self._ping_due:
            self._ping_due = False
            if not self._ping_sent:
                self._ping_sent = True
                self._ping_ms = time.ticks_ms()
            return packet.PINGREQ
        return self._owner.packet_out()

    async def _watch(self):
        while True:
            await asyncio.sleep_ms(self._look_ms)
            if not self.accepted:  # connecting has a deadline of its own
                continue
            now_ms = time.ticks_ms()
            idle_ms = time.ticks_diff(now_ms, self._sent_ms)
            if self._writing and idle_ms >= self._timeout_ms:
                raise MQTTError("a write took more than {} ms".format(self._timeout_ms))
            if self._ping_sent:
                if time.ticks_diff(now_ms, self._ping_ms) >= self._timeout_ms:
                    raise MQTTError("no PINGRESP within {} ms".format(self._timeout_ms))
            elif self._keep_alive_ms and (
                idle_ms * 4 >= self._keep_alive_ms * 3
                # One that sends QoS 0 alone must notice too that its peer is dead.
                or time.ticks_diff(now_ms, self._received_ms) >= self._keep_alive_ms
            ):
                self.probe()
            self._owner.look(now_ms)
