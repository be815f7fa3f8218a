"""One MQTT connection: a stream, and the reader, writer and watch that live exactly as long as it does.

What bites in asyncio's streams decides the shape. Only the writer writes, one packet at a time, and drains after each:
writing while another task drains loses data. No read or drain is ever cancelled to be tried again (bytes get lost or go
out twice): what is late ends the connection. The reader reads in bulk, since TLS sockets are polled every 10 ms.
"""

import asyncio
import time

from micropython import const

from iot.mqtt import packet
from iot.mqtt.packet import MQTTError

_ACKS_BYTES = const(4 * 32)  # PUBACKs that wait for the writer; the reader waits when there are more
_PACKETS_PER_TURN = const(8)  # then the reader lets other tasks run


class Connection:
    """Runs a stream until it ends, for an owner that gives these plain functions:

    packet_in(first, framer)   a packet arrived; returns the packet id to acknowledge, or 0
    packet_out()               a view of what to send next, or None; asked again after `wake`
    packet_written()           what it gave was written
    look(now_ms)               called every `look_ms`: time to check deadlines
    gone(reason)               the connection is closed, and all its tasks with it

    Times in ms. A write that takes `write_timeout_ms`, or a PINGRESP that takes `ping_timeout_ms`, ends it.
    """

    def __init__(
        self, stream, framer, packet_in, packet_out, packet_written, look, gone,
        write_timeout_ms, ping_timeout_ms, look_ms,
    ):  # fmt: skip
        self.reason = None  # why it ended
        self.error = None  # the exception that ended it, if one did
        self.answered = asyncio.Event()  # the broker accepted, or it is over
        self.closed = asyncio.Event()
        self._stream = stream
        self._framer = framer
        self._packet_in = packet_in
        self._packet_out = packet_out
        self._packet_written = packet_written
        self._look = look
        self._gone = gone
        self._write_timeout_ms = write_timeout_ms
        self._ping_timeout_ms = ping_timeout_ms
        self._look_ms = look_ms
        self._keep_alive_ms = 0
        self._established = False
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._acks = bytearray(_ACKS_BYTES)
        self._acks_length = 0
        self._acks_left = asyncio.Event()
        self._ping_due = False
        self._ping_sent = False
        self._pong = asyncio.Event()
        self._leaving = False
        self._writing = False
        self._received_ms = self._sent_ms = self._ping_ms = time.ticks_ms()
        self.task = None

    def start(self, connect_packet):
        """Send CONNECT and begin to read."""
        self.task = asyncio.create_task(self._live(connect_packet))

    @property
    def established(self):
        """True from the CONNACK until the end."""
        return self._established and self.reason is None

    def establish(self, keep_alive_s):
        """The broker accepted: the owner's packets and the keep-alive may begin."""
        self._established = True
        self._keep_alive_ms = keep_alive_s * 1000
        self.answered.set()
        self._wake.set()

    def wake(self):
        """The owner has something to send."""
        self._wake.set()

    def end(self, reason, error=None):
        """End it now; await `closed` to see it gone. The first reason counts."""
        if self.reason is None:
            self.reason = reason
            self.error = error
            self._ended.set()

    def leave(self):
        """End it in good manners: what is being written, a DISCONNECT, then the end."""
        self._leaving = True
        self._wake.set()

    async def ping(self):
        """Send a PINGREQ and wait for the answer; the watch ends the connection if none comes."""
        self._pong.clear()
        self._ping_due = True
        self._wake.set()
        await self._pong.wait()
        if self.reason is not None:
            raise MQTTError(self.reason)

    async def acknowledge(self, packet_id):
        """Have a PUBACK sent. Waits only if too many are waiting already."""
        while self._acks_length == len(self._acks):
            self._acks_left.clear()
            await self._acks_left.wait()
        self._acks_length = packet.puback_into(self._acks, self._acks_length, packet_id)
        self._wake.set()

    async def _live(self, connect_packet):
        parts = (self._read(), self._write(connect_packet), self._watch())
        tasks = [asyncio.create_task(self._part(part)) for part in parts]
        try:
            await self._ended.wait()
        finally:
            self.end("cancelled")
            try:
                await self._stop(tasks)
            finally:
                self._gone(self.reason)
                for event in (self.answered, self._pong, self.closed):
                    event.set()

    async def _stop(self, tasks):
        for task in tasks:
            task.cancel()
        bug = None
        for task in tasks:
            try:
                await task
            except asyncio.CancelledError:
                pass
            except Exception as error:  # not one of those that _part expects: let it be seen
                bug = error
        try:
            self._stream.close()
            await asyncio.wait_for_ms(self._stream.wait_closed(), self._write_timeout_ms)
        except (OSError, asyncio.TimeoutError):
            pass  # it is gone either way
        if bug:
            raise bug

    async def _part(self, coroutine):
        try:
            await coroutine
        except EOFError as error:
            self.end("closed by the broker", error)
        except OSError as error:
            self.end(str(error), error)
        except MQTTError as error:
            self.end(str(error), error)
        except ValueError as error:
            if self._established:
                raise
            self.end("TLS: {}".format(error), error)  # so MicroPython says that a certificate did not pass
        finally:
            self.end("internal error")

    async def _read(self):
        framer = self._framer
        framer.reset()
        turn = 0
        while True:
            count = await self._stream.readinto(framer.room())
            if count is None:  # a TLS record that is not complete yet
                continue
            if not count:
                raise EOFError
            self._received_ms = time.ticks_ms()
            framer.fed(count)
            while (first := framer.next()) is not None:
                await self._packet(first)
                turn += 1
                if turn % _PACKETS_PER_TURN == 0:
                    await asyncio.sleep_ms(0)

    async def _packet(self, first):
        framer = self._framer
        if first & 0xF0 == packet.PINGRESP and self._established:
            packet.pingresp_from(first, framer.body)
            self._ping_sent = False
            self._pong.set()
            return
        packet_id = self._packet_in(first, framer)
        if packet_id:
            await self.acknowledge(packet_id)

    async def _write(self, view):
        while True:
            while view is None:
                self._wake.clear()
                await self._wake.wait()
                view = self._next()
            self._sent_ms = time.ticks_ms()
            self._writing = True
            self._stream.write(view)
            await self._stream.drain()
            self._writing = False
            if view is packet.DISCONNECT_PACKET:
                self.end("disconnect asked")
                return
            self._packet_written()
            view = self._next()

    def _next(self):
        if self._leaving:
            return packet.DISCONNECT_PACKET
        if not self._established:
            return None
        if self._acks_length:
            # The stream sends or copies what it is given at once, so that the buffer is free again.
            view = memoryview(self._acks)[: self._acks_length]
            self._acks_length = 0
            self._acks_left.set()
            return view
        if self._ping_due:
            self._ping_due = False
            if not self._ping_sent:
                self._ping_sent = True
                self._ping_ms = time.ticks_ms()
            return packet.PINGREQ_PACKET
        return self._packet_out()

    async def _watch(self):
        while True:
            await asyncio.sleep_ms(self._look_ms)
            now_ms = time.ticks_ms()
            if self._writing and time.ticks_diff(now_ms, self._sent_ms) >= self._write_timeout_ms:
                raise MQTTError("a write took more than {} ms".format(self._write_timeout_ms))
            if self._ping_sent and time.ticks_diff(now_ms, self._ping_ms) >= self._ping_timeout_ms:
                raise MQTTError("no PINGRESP within {} ms".format(self._ping_timeout_ms))
            if not self._established:
                continue
            if self._keep_alive_ms and not self._ping_sent:
                idle_ms = time.ticks_diff(now_ms, self._sent_ms)
                silent_ms = time.ticks_diff(now_ms, self._received_ms)
                # Also when only nothing came: one that sends QoS 0 alone must notice a dead peer too.
                if idle_ms * 4 >= self._keep_alive_ms * 3 or silent_ms >= self._keep_alive_ms:
                    self._ping_due = True
                    self._wake.set()
            self._look(now_ms)
