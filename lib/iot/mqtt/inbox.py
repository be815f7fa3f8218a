"""Messages on their way in: subscriptions with bounded queues."""

import asyncio
import time

from micropython import const

# The life of a subscription: a request is due in _WANTED and _LEAVING, _ASKED and _LEFT wait for its answer.
_WANTED, _ASKED, _GRANTED, _REFUSED = const(0), const(1), const(2), const(3)
_LEAVING, _LEFT = const(4), const(5)


def matches(topic_filter, topic):
    """True if `topic` is within `topic_filter` (MQTT 3.1.1, 4.7): "a/#" holds "a", "#" holds no "$a"."""
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

    Holds `depth` messages; on overflow the oldest goes and `dropped` counts it.
    """

    def __init__(self, changed, topic_filter, qos, depth):
        self.topic_filter = topic_filter
        self.qos = qos
        self.dropped = 0
        self.packet_id = 0
        self.sent_ms = 0
        self.state = _WANTED
        self._wildcards = "+" in topic_filter or "#" in topic_filter
        self._changed = changed
        self._depth = depth
        self._messages = []
        self._arrived = asyncio.Event()
        self._answered = asyncio.Event()

    @property
    def closed(self):
        """True once `close` was called."""
        return self.state >= _LEAVING

    @property
    def granted(self):
        """True from the SUBACK on."""
        return self.state == _GRANTED

    @property
    def refused(self):
        """True if the broker refused the subscription (SUBACK 0x80)."""
        return self.state == _REFUSED

    def takes(self, topic):
        """True if a message on `topic` is for this subscription."""
        if self.closed:
            return False
        return matches(self.topic_filter, topic) if self._wildcards else topic == self.topic_filter

    def put(self, topic, payload):
        """Queue a message."""
        if len(self._messages) >= self._depth:
            self._messages.pop(0)
            self.dropped += 1
        self._messages.append((topic, payload))
        self._arrived.set()

    def read(self):
        """The oldest message as (topic, payload bytes), or None."""
        return self._messages.pop(0) if self._messages else None

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._messages:
            if self.closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._messages.pop(0)

    async def acknowledged(self, timeout_ms):
        """Wait for the SUBACK; False if the broker refused, or has not answered after `timeout_ms`."""
        if self.state < _GRANTED:
            self._answered.clear()
            try:
                await asyncio.wait_for_ms(self._answered.wait(), timeout_ms)
            except asyncio.TimeoutError:
                pass
        return self.granted

    def close(self):
        """Unsubscribe; iterations end once the queue is read out."""
        if not self.closed:
            self.move(_LEAVING)
            self._changed()
            self._arrived.set()
            self._answered.set()

    def move(self, state, packet_id=0):
        """The next step of its life, with the packet id of the request that waits for an answer."""
        self.state = state
        self.packet_id = packet_id
        if state in (_GRANTED, _REFUSED):
            self._answered.set()


class Inbox:
    """All subscriptions of a client, and what the broker has yet to be told about them.

    changed: called when a request became due.
    """

    def __init__(self, changed):
        self.unclaimed = 0  # messages that no subscription takes
        self.oversize = 0  # messages longer than the receive buffer
        self._changed = changed
        self._subscriptions = []

    def overflowed(self):
        """Messages that the subscriptions there are have dropped."""
        return sum([subscription.dropped for subscription in self._subscriptions])

    def subscribe(self, topic_filter, qos, depth):
        """A new Subscription, to be asked for."""
        subscription = Subscription(self._changed, topic_filter, qos, depth)
        self._subscriptions.append(subscription)
        self._changed()
        return subscription

    def deliver(self, topic, payload):
        """Give a message to every subscription that takes it; its payload is copied once."""
        data = None
        for subscription in self._subscriptions:
            if subscription.takes(topic):
                data = bytes(payload) if data is None else data
                subscription.put(topic, data)
        if data is None:
            self.unclaimed += 1

    def due(self):
        """The next subscription that needs a SUBSCRIBE, or if `closed` an UNSUBSCRIBE; None if none does."""
        for subscription in self._subscriptions:
            if subscription.state == _WANTED:
                return subscription
            if subscription.state == _LEAVING:
                if not self._shared(subscription):
                    return subscription
                self._subscriptions.remove(subscription)
                return self.due()
        return None

    def _shared(self, subscription):
        return any(not s.closed and s.topic_filter == subscription.topic_filter for s in self._subscriptions)

    def asked(self, subscription, packet_id):
        """The request that was due for `subscription` is on its way under `packet_id`."""
        subscription.sent_ms = time.ticks_ms()
        subscription.move(_LEFT if subscription.closed else _ASKED, packet_id)

    def holds(self, packet_id):
        """True if a request with this packet id waits for its answer."""
        for subscription in self._subscriptions:  # noqa: SIM110 (at every publish: no generator)
            if subscription.packet_id == packet_id:
                return True
        return False

    def answered(self, packet_id, granted):
        """Take a SUBACK or UNSUBACK; returns its subscription, None if nobody asked."""
        for subscription in self._subscriptions:
            if subscription.packet_id == packet_id:
                if subscription.state == _ASKED:
                    subscription.move(_GRANTED if granted else _REFUSED)
                else:
                    self._subscriptions.remove(subscription)
                return subscription
        return None

    def expire(self, now_ms, timeout_ms):
        """Make requests without an answer for `timeout_ms` due again; True if there are any."""
        expired = False
        for subscription in self._subscriptions:
            if subscription.packet_id and time.ticks_diff(now_ms, subscription.sent_ms) >= timeout_ms:
                subscription.move(_LEAVING if subscription.closed else _WANTED)
                expired = True
        return expired

    def rewind(self, session_present):
        """A new connection: ask again what was not answered, and everything if the broker has no session."""
        for subscription in list(self._subscriptions):
            if not subscription.closed:
                if subscription.state == _ASKED or not session_present:
                    subscription.move(_WANTED)
            elif session_present:
                subscription.move(_LEAVING)
            else:
                self._subscriptions.remove(subscription)
