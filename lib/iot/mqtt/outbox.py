"""Messages on their way out: a ring of ready-made PUBLISH packets in one preallocated buffer."""

import asyncio
import time

from micropython import const

_DUP = const(0x08)  # MQTT 3.1.1, 3.3.1.1
_SPAN_BYTES = const(1440)  # neighbours leave in one write up to about a TCP segment
_BYTES_PER_MESSAGE = const(64)  # bounds the number of receipts, which cost heap too, by the size of the buffer
_QUEUED, _SENT, _OVERDUE, _DONE, _LOST = const(0), const(1), const(2), const(3), const(4)


class Receipt:
    """What became of one message. True in a boolean context if the outbox took it."""

    def __init__(self, offset=-1, size=0, packet_id=0):
        self.packet_id = packet_id
        self.offset = offset
        self.size = size
        self.state = _QUEUED if size else _LOST
        self.sent_ms = 0
        self._event = None

    def __bool__(self):
        return self.size > 0

    @property
    def done(self):
        """True once the message was acknowledged (QoS 1) or written (QoS 0)."""
        return self.state == _DONE

    def settle(self, state):
        self.state = state
        if self._event:
            self._event.set()

    async def wait(self, timeout_ms=None):
        """Wait for the PUBACK (QoS 1) or until it is written (QoS 0).

        Returns False if that has not happened after `timeout_ms`, or never will: the message was refused, or a
        QoS 0 message was lost together with its connection.
        """
        if self.state < _DONE:
            if not self._event:
                self._event = asyncio.Event()
            try:
                if timeout_ms is None:
                    await self._event.wait()
                else:
                    await asyncio.wait_for_ms(self._event.wait(), timeout_ms)
            except asyncio.TimeoutError:
                pass
        return self.done

    def __await__(self):
        return self.wait().__await__()

    def __iter__(self):  # MicroPython's await asks for this
        return self.wait()


class Outbox:
    """A bounded queue of encoded PUBLISH packets, sent in order; QoS 1 ones stay until their PUBACK.

    size_bytes: the buffer all packets share, allocated once; also bounds their number, to one per 64 bytes.
    window: QoS 1 messages in flight at most.
    `refused` counts messages that found no room, `lost` QoS 0 messages whose write failed.
    """

    def __init__(self, size_bytes, window):
        self.buffer = bytearray(size_bytes)
        self.refused = 0
        self.lost = 0
        self._view = memoryview(self.buffer)
        self._window = window
        self._most = max(1, size_bytes // _BYTES_PER_MESSAGE)
        self._queue = []  # not sent on this connection; younger than all in _sent
        self._sent = []  # QoS 1 without a PUBACK, and QoS 0 while it is being written
        self._in_flight = 0  # QoS 1 messages in _sent
        self._tail = 0  # where the youngest packet ends
        self._any_overdue = False
        self._emptied = None

    def __len__(self):
        return len(self._queue) + len(self._sent)

    def holds(self, packet_id):
        """True if a message with this packet id waits for its PUBACK or to be sent."""
        for receipt in self._sent:
            if receipt.packet_id == packet_id:
                return True
        for receipt in self._queue:
            if receipt.packet_id == packet_id:
                return True
        return False

    def add(self, size, packet_id):
        """Make room for a packet of `size` bytes (packet id 0: QoS 0), to be encoded at `receipt.offset` of `buffer`.

        Returns a false receipt, and counts it, if there is no room.
        """
        offset = self._place(size) if len(self) < self._most else -1
        if offset < 0:
            self.refused += 1
            return Receipt()
        self._tail = offset + size
        receipt = Receipt(offset, size, packet_id)
        self._queue.append(receipt)
        return receipt

    def _place(self, size):
        oldest = self._sent[0] if self._sent else self._queue[0] if self._queue else None
        if oldest is None:
            return 0 if size <= len(self.buffer) else -1
        head, tail = oldest.offset, self._tail
        if tail <= head:
            return tail if size <= head - tail else -1
        if size <= len(self.buffer) - tail:
            return tail
        return 0 if size <= head else -1

    def take(self):
        """A view of what is to be written now: one overdue packet, or the next neighbours; None if nothing is."""
        if self._any_overdue:
            for receipt in self._sent:
                if receipt.state == _OVERDUE:
                    return self._view[self._send(receipt) : receipt.offset + receipt.size]
            self._any_overdue = False
        queue = self._queue
        start = end = count = 0
        for receipt in queue:
            if receipt.packet_id and self._in_flight == self._window:
                break
            if count and (receipt.offset != end or end + receipt.size - start > _SPAN_BYTES):
                break
            start = start if count else receipt.offset
            end = self._send(receipt) + receipt.size
            self._sent.append(receipt)
            self._in_flight += 1 if receipt.packet_id else 0
            count += 1
        del queue[:count]
        return self._view[start:end] if count else None

    def _send(self, receipt):
        receipt.state = _SENT
        receipt.sent_ms = time.ticks_ms()
        return receipt.offset

    def written(self):
        """What `take` gave was written: this settles QoS 0."""
        self._settle_qos0(_DONE)

    def _settle_qos0(self, state):
        if len(self._sent) != self._in_flight:
            settled = [receipt for receipt in self._sent if not receipt.packet_id]
            self._sent = [receipt for receipt in self._sent if receipt.packet_id]
            self._freed()
            for receipt in settled:
                receipt.settle(state)
            if state == _LOST:
                self.lost += len(settled)

    def acknowledge(self, packet_id):
        """Settle the message with this packet id; False if none is in flight."""
        for i, receipt in enumerate(self._sent):
            if receipt.packet_id == packet_id:
                del self._sent[i]
                self._in_flight -= 1
                self._freed()
                receipt.settle(_DONE)
                return True
        return False

    def expire(self, now_ms, timeout_ms):
        """Mark messages without a PUBACK for `timeout_ms` to be sent once more; True if there are any."""
        for receipt in self._sent:
            if receipt.packet_id and time.ticks_diff(now_ms, receipt.sent_ms) >= timeout_ms:
                receipt.state = _OVERDUE
                self.buffer[receipt.offset] |= _DUP
                self._any_overdue = True
        return self._any_overdue

    def rewind(self):
        """The connection is gone: what is in flight goes first on the next one, with DUP set and in order (4.4)."""
        self._settle_qos0(_LOST)
        for receipt in self._sent:
            receipt.state = _QUEUED
            self.buffer[receipt.offset] |= _DUP
        self._queue = self._sent + self._queue
        self._sent = []
        self._in_flight = 0
        self._any_overdue = False

    def _freed(self):
        if self._emptied and not self._queue and not self._sent:
            self._emptied.set()
            self._emptied = None

    async def emptied(self):
        """Wait until nothing is queued or in flight."""
        while self._queue or self._sent:
            self._emptied = self._emptied or asyncio.Event()
            await self._emptied.wait()
