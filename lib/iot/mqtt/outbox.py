"""Messages on their way out: a ring of ready-made PUBLISH packets in one preallocated buffer."""

import asyncio
import time

from micropython import const

_DUP = const(0x08)  # in a PUBLISH's first byte: MQTT 3.1.1, 3.3.1.1
_SPAN_BYTES = const(1440)  # neighbours leave in one write, up to about a TCP segment
_BYTES_PER_MESSAGE = const(64)  # bounds the number of receipts by the buffer's size: they cost heap too
_QUEUED, _SENT, _OVERDUE, _DONE, _LOST = const(0), const(1), const(2), const(3), const(4)


class Receipt:
    """What became of one message. True in a boolean context if the outbox took it."""

    def __init__(self, offset=0, size=0, packet_id=0):
        self.offset = offset
        self.size = size
        self.packet_id = packet_id
        self.sent_ms = 0
        self.state = _QUEUED if size else _LOST
        self._settled = None

    def __bool__(self):
        return self.size > 0

    @property
    def done(self):
        """True once the message was acknowledged (QoS 1) or written (QoS 0)."""
        return self.state == _DONE

    def settle(self, state):
        """The outbox is done with the message."""
        self.state = state
        if self._settled:
            self._settled.set()

    async def wait(self, timeout_ms=None):
        """Wait for the PUBACK (QoS 1) or until it is written (QoS 0).

        Returns False if that did not happen in `timeout_ms`, or never will: the message was refused, or lost
        with its connection (QoS 0).
        """
        if self.state < _DONE:
            self._settled = self._settled or asyncio.Event()
            if timeout_ms is None:
                await self._settled.wait()
            else:
                try:
                    await asyncio.wait_for_ms(self._settled.wait(), timeout_ms)
                except asyncio.TimeoutError:
                    pass
        return self.done

    def __await__(self):
        return self.wait().__await__()

    def __iter__(self):  # what MicroPython's await asks for
        return self.wait()


class Outbox:
    """A bounded queue of encoded PUBLISH packets, sent in order; QoS 1 ones stay until their PUBACK.

    size_bytes: the buffer all packets share, allocated once; bounds their number too, to one per 64 bytes.
    window: QoS 1 messages in flight at most.
    """

    def __init__(self, size_bytes, window):
        self.buffer = bytearray(size_bytes)
        self.refused = 0  # messages that found no room
        self.lost = 0  # messages of QoS 0 whose write failed
        self._view = memoryview(self.buffer)
        self._most = max(1, size_bytes // _BYTES_PER_MESSAGE)
        self._window = window
        self._queue = []  # not sent on this connection; younger than all in _sent
        self._sent = []  # QoS 1 without a PUBACK, and QoS 0 while it is being written
        self._in_flight = 0  # how many in _sent are of QoS 1
        self._tail = 0  # where the youngest packet ends
        self._emptied = asyncio.Event()

    def __len__(self):
        return len(self._queue) + len(self._sent)

    def holds(self, packet_id):
        """True if a message with this packet id has no PUBACK yet."""
        for receipts in (self._sent, self._queue):
            for receipt in receipts:
                if receipt.packet_id == packet_id:
                    return True
        return False

    def add(self, size, packet_id):
        """Make room for a packet of `size` bytes; packet id 0 means QoS 0.

        Returns the Receipt, to encode the packet at its `offset` in `buffer`; false if there is no room.
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
        """Where `size` bytes in one piece are free behind the youngest packet, or -1."""
        capacity = len(self.buffer)
        if not len(self):
            return 0 if size <= capacity else -1
        head, tail = (self._sent or self._queue)[0].offset, self._tail
        if tail <= head:
            return tail if size <= head - tail else -1
        if size <= capacity - tail:
            return tail
        return 0 if size <= head else -1

    def take(self):
        """A view of what to write now: one overdue packet, or the next ones that are neighbours; or None."""
        for receipt in self._sent:
            if receipt.state == _OVERDUE:
                self._mark_sent(receipt)
                return self._view[receipt.offset : receipt.offset + receipt.size]
        start = end = 0
        while self._queue:
            receipt = self._queue[0]
            if receipt.packet_id and self._in_flight >= self._window:
                break
            if not end:
                start = receipt.offset
            elif receipt.offset != end or end + receipt.size - start > _SPAN_BYTES:
                break
            end = receipt.offset + receipt.size
            self._mark_sent(receipt)
            self._sent.append(self._queue.pop(0))
            self._in_flight += 1 if receipt.packet_id else 0
        return self._view[start:end] if end else None

    def _mark_sent(self, receipt):
        receipt.state = _SENT
        receipt.sent_ms = time.ticks_ms()

    def written(self):
        """What `take` gave was written, which settles QoS 0."""
        self._settle_qos0(_DONE)

    def _settle_qos0(self, state):
        for receipt in [receipt for receipt in self._sent if not receipt.packet_id]:
            self._remove(receipt, state)
            if state == _LOST:
                self.lost += 1

    def acknowledge(self, packet_id):
        """Settle the message with this packet id; False if none is in flight."""
        for receipt in self._sent:
            if receipt.packet_id == packet_id:
                self._in_flight -= 1
                self._remove(receipt, _DONE)
                return True
        return False

    def _remove(self, receipt, state):
        self._sent.remove(receipt)
        receipt.settle(state)
        if not len(self):
            self._emptied.set()

    def expire(self, now_ms, timeout_ms):
        """Have messages without a PUBACK for `timeout_ms` sent again, with DUP; True if there are any."""
        overdue = False
        for receipt in self._sent:
            if receipt.packet_id and time.ticks_diff(now_ms, receipt.sent_ms) >= timeout_ms:
                receipt.state = _OVERDUE
                self.buffer[receipt.offset] |= _DUP
                overdue = True
        return overdue

    def rewind(self):
        """The connection is gone: what was in flight goes first on the next, with DUP and in order (4.4)."""
        self._settle_qos0(_LOST)
        for receipt in self._sent:
            receipt.state = _QUEUED
            self.buffer[receipt.offset] |= _DUP
        self._queue = self._sent + self._queue
        self._sent = []
        self._in_flight = 0

    async def emptied(self):
        """Wait until nothing is queued or in flight."""
        while len(self):
            self._emptied.clear()
            await self._emptied.wait()
