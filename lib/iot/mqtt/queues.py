"""What outlives a connection: messages on their way out, and subscriptions with messages on their way in."""

import asyncio
import time

from micropython import const

from iot.events import within
from iot.memory import borrow

_DUP = const(0x08)  # in a PUBLISH's first byte: MQTT 3.1.1, 3.3.1.1
_SPAN_BYTES = const(1440)  # neighbours leave in one write, up to about a TCP segment
_BYTES_PER_MESSAGE = const(64)  # bounds the number of receipts by the buffer's size: they cost heap too
# What a message can be: not sent yet; to be sent again; in flight; acknowledged, or written with QoS 0; lost.
_QUEUED = const(0)
_AGAIN = const(1)
_SENT = const(2)
_DONE = const(3)
_LOST = const(4)
_LONGEST = const(4)  # times that the pause between two repeats doubles: to 160 s
_GIVEN_UP_MS = const(600000)  # as iot.mqtt.culprit has it for messages


def overdue(sent, timeout_ms):
    """Whether what was sent shall go again: after `timeout_ms`, then after pauses that double; 0: at once."""
    pause_ms = timeout_ms << min(sent.repeats, _LONGEST)
    if time.ticks_diff(time.ticks_ms(), sent.sent_ms) < pause_ms:
        return False
    sent.repeats = sent.repeats + 1 if timeout_ms else 0
    return True


class Receipt:
    """What became of one message. True in a boolean context if the outbox took it.

    done: True once the message was acknowledged (QoS 1) or written (QoS 0).
    """

    def __init__(self, offset, size, packet_id):
        self.offset = offset
        self.size = size
        self.packet_id = packet_id
        self.sent_ms = self.repeats = 0
        self.state = _QUEUED if size else _LOST
        self.settled = None  # an Event, once somebody waits

    def __bool__(self):
        return self.size > 0

    @property
    def done(self):
        return self.state == _DONE

    async def wait(self, timeout_ms=None):
        """Wait for the PUBACK (QoS 1) or until it is written (QoS 0).

        Returns False if that did not happen in `timeout_ms`, or never will: the message was refused, lost
        with its connection (QoS 0), or given up because the broker hangs up on it.
        """
        if self.state < _DONE:
            self.settled = self.settled or asyncio.Event()
            await within(timeout_ms, self.settled.wait())
        return self.state == _DONE

    def __await__(self):
        return self.wait().__await__()

    def __iter__(self):  # what MicroPython's await asks for
        return self.wait()


class Outbox:
    """What goes out: encoded PUBLISH packets, sent in order; QoS 1 ones stay until their PUBACK.

    size_bytes: the ring that all packets share, allocated once, and so the longest packet; bounds their
        number too, to one per 64 bytes.
    window: QoS 1 messages in flight at most.
    counts: to go on with, {"refused": messages that found no room, "lost": messages of QoS 0 whose write
        failed, and packets that the broker hangs up on}.
    ring: a bytearray of that size or more, if it is there already.
    """

    def __init__(self, size_bytes, window, counts, ring=None):
        self.counts = counts
        self.view = memoryview(ring or bytearray(size_bytes))[:size_bytes]
        self.window = window
        self.receipts = []  # from the oldest to the youngest, as they lie in the ring
        self._writing = []  # those of QoS 0 that are being written

    def __len__(self):
        return len(self.receipts)

    def find(self, packet_id):
        """The message with this packet id that has no PUBACK yet, or None."""
        for receipt in self.receipts:
            if receipt.packet_id == packet_id:
                return receipt
        return None

    def add(self, head, payload, packet_id):
        """Queue a packet, in two parts; packet id 0 means QoS 0. Returns its Receipt, false without room."""
        size = len(head) + len(payload)
        offset = self._place(size)
        if offset < 0:
            self.counts["refused"] += 1
            return Receipt(0, 0, 0)
        payload_at = offset + len(head)
        self.view[offset:payload_at] = head
        self.view[payload_at : offset + size] = payload
        receipt = Receipt(offset, size, packet_id)
        self.receipts.append(receipt)
        return receipt

    def _place(self, size):
        """Where `size` bytes in one piece are free behind the youngest packet, or -1."""
        capacity = len(self.view)
        if not self.receipts:
            return 0 if size <= capacity else -1
        if len(self.receipts) * _BYTES_PER_MESSAGE >= capacity:
            return -1
        head = self.receipts[0].offset
        tail = self.receipts[-1].offset + self.receipts[-1].size
        if tail > head:
            if size <= capacity - tail:
                return tail
            tail = 0
        return tail if size <= head - tail else -1

    def take(self, alone=False):
        """A view of what to write now, the next packets that are neighbours, or only one; or None."""
        start = end = in_flight = 0
        for receipt in self.receipts:  # what is in flight, then what is to be sent: the same order
            if receipt.state < _SENT:
                if receipt.packet_id and in_flight >= self.window:
                    break
                if not end:
                    start = receipt.offset
                elif alone or receipt.offset != end or end + receipt.size - start > _SPAN_BYTES:
                    break
                end = receipt.offset + receipt.size
                receipt.state = _SENT
                receipt.sent_ms = time.ticks_ms()
                if not receipt.packet_id:
                    self._writing.append(receipt)
            if receipt.packet_id:
                in_flight += 1
        return self.view[start:end] if end else None

    def written(self, state=_DONE):
        """What `take` gave was written, which settles QoS 0."""
        while self._writing:
            self.settle(self._writing.pop(0), state)

    def settle(self, receipt, state):
        """A message is done, or lost."""
        self.receipts.remove(receipt)
        receipt.state = state
        if receipt.settled:
            receipt.settled.set()

    def acknowledge(self, packet_id):
        """Settle the message with this packet id; False if none was sent."""
        receipt = self.find(packet_id)
        if not receipt or receipt.state == _QUEUED:
            return False
        self.settle(receipt, _DONE)
        return True

    def expire(self, timeout_ms):
        """Have messages that are overdue sent again, with DUP."""
        for receipt in self.receipts:
            if receipt.packet_id and receipt.state == _SENT and overdue(receipt, timeout_ms):
                receipt.state = _AGAIN
                self.view[receipt.offset] |= _DUP

    def rewind(self):
        """The connection is gone: what was in flight goes first on the next, with DUP and in order (4.4)."""
        self.counts["lost"] += len(self._writing)
        self.written(_LOST)
        self.expire(0)

    async def emptied(self):
        """Wait until nothing is queued or in flight."""
        while self.receipts:
            await self.receipts[0].wait()


def matches(topic_filter, topic):
    """True if `topic` is within `topic_filter` (MQTT 3.1.1, 4.7): "a/#" holds "a", "#" holds no "$a"."""
    if "+" not in topic_filter and "#" not in topic_filter:
        return topic == topic_filter
    if topic[0] == "$" and topic_filter[0] != "$":
        return False
    levels = topic.split("/")
    wanted = topic_filter.split("/")
    for i, want in enumerate(wanted):
        if want == "#":
            return True
        if i == len(levels) or want not in ("+", levels[i]):
            return False
    return len(levels) == len(wanted)


class Subscription:
    """Messages of one topic filter: `async for topic, payload in …`, or `read()` for those who poll.

    Holds `depth` messages, of twice the packet limit together: on overflow the oldest goes, and `dropped`
    counts it. Who needs no queue gives its own `put`, which the reader calls with each message and a view of
    its payload, to be gone through at once; it raises nothing.
    takes_oversize: True to have also what is over the packet limit put, with None for its payload.
    granted: what the SUBACK said, None before it; False too where the broker hangs up on the request, which
        then goes again after ten minutes.
    """

    # In the class, since most of the many keep them all.
    takes_oversize = closed = False
    granted = None
    sent_ms = repeats = dropped = packet_id = 0  # of the request that waits; id below 0: it goes again

    def __init__(self, inbox, topic_filter, qos, depth, put=None):
        self.topic_filter = topic_filter
        self.qos = qos
        self._inbox = inbox
        if put:
            self.put, self.takes_oversize = put, True  # type: ignore[method-assign]
            self.event = inbox.event
        else:
            self._depth, self._messages = depth, []
            self.event = asyncio.Event()  # a message, an answer, or the end

    def put(self, message):
        """Queue a message, its payload copied; what has no room beside it goes before that takes memory."""
        topic, payload = message
        held, most = self._messages, 2 * self._inbox.framer.limit - len(payload)
        while len(held) >= self._depth or (held and sum([len(one[1]) for one in held]) > most):
            held.pop(0)
            self.dropped += 1
            self._inbox.counts["dropped"] += 1
        held.append((topic, payload if isinstance(payload, bytes) else bytes(payload)))
        self.event.set()

    def read(self):
        """The oldest message as (topic, payload bytes), or None."""
        return self._messages.pop(0) if self._messages else None

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._messages:
            if self.closed:
                raise StopAsyncIteration
            self.event.clear()
            await self.event.wait()
        return self._messages.pop(0)

    async def acknowledged(self, timeout_ms):
        """Wait for the SUBACK; False if that refused, was given up, or has not come after `timeout_ms`."""
        await within(timeout_ms, self._answered())
        return self.granted is True

    async def _answered(self):
        while self.granted is None and not self.closed:
            self.event.clear()
            await self.event.wait()

    def close(self):
        """Unsubscribe; iterations end once the queue is read out."""
        if not self.closed:
            self.closed, self.packet_id = True, 0
            self.event.set()
            self._inbox.changed()


class Inbox:
    """What comes in: the subscriptions, and what the broker has yet to be told about them.

    framer: the Framer that all goes through; a packet that its buffer does not hold is dropped and counted.
    counts: to go on with, {"oversize": messages longer than that, or than the memory there is, "unclaimed":
        messages that nobody took, "dropped": messages that were not read in time}.
    changed: called when a request became due; the client's.
    rest: the Subscription for what no other takes, None where nobody asked for it.
    waiting, told: what nobody takes, for a while, and what was said of it (iot.mqtt.unclaimed).
    """

    def __init__(self, framer, counts):
        self.framer = framer
        self.counts = counts
        self.changed = None
        self.rest = self.told = None
        self.subscriptions = []
        self.waiting = []
        self.event = asyncio.Event()  # of all who have a `put`

    def subscribe(self, topic_filter, qos, depth, put=None):
        """A new Subscription, to be asked for; with the filter None for what no other takes."""
        subscription = Subscription(self, topic_filter, qos, depth, put)
        if topic_filter is None:
            self.rest = subscription
            return subscription
        self.subscriptions.append(subscription)
        self.changed()
        return subscription

    def deliver(self, topic, payload):
        """Give a message to every subscription that takes it; False if none does."""
        taken = False
        for subscription in self.subscriptions:
            if not subscription.closed and matches(subscription.topic_filter, topic):
                subscription.put((topic, payload))
                taken = True
        if not taken and self.rest and not self.rest.closed:
            self.rest.put((topic, payload))
            taken = True
        return taken

    def due(self):
        """The next subscription that needs a SUBSCRIBE, or if `closed` an UNSUBSCRIBE; None if none does."""
        for subscription in self.subscriptions:
            if subscription.packet_id > 0 or not (subscription.closed or subscription.granted is None):
                continue
            if subscription.closed and borrow("iot.mqtt.checks").is_shared(
                self.subscriptions, subscription.topic_filter
            ):
                self.subscriptions.remove(subscription)
                return self.due()
            return subscription
        return None

    def find(self, packet_id):
        """The subscription whose request with this packet id waits for its answer, or None."""
        for subscription in self.subscriptions:
            if subscription.packet_id == packet_id:
                return subscription
        return None

    def expire(self, timeout_ms):
        """Make overdue requests due again, with their packet id, and after long those that were given up."""
        for subscription in self.subscriptions:
            if subscription.packet_id > 0:
                if overdue(subscription, timeout_ms):
                    subscription.packet_id *= -1
            elif subscription.packet_id and overdue(subscription, _GIVEN_UP_MS):
                subscription.granted = None
