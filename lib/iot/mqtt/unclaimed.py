"""Messages that nobody takes: they wait for who subscribes late, then they are counted and told.

So what the broker kept for a device does not get lost where the application subscribes a moment after the
connection came, and a sender hears "delivered" only once somebody took the message, or it was counted.
"""

import time

from micropython import const

from iot.mqtt import packet
from iot.mqtt.queues import matches

_MOST = const(8)
_BYTES = const(4096)  # of payload, or one message
_TOLD = const(8)  # topics


def put(client, framer):
    """Have a message wait, or drop what has no room: returns the packet id to acknowledge, or 0."""
    body, inbox = framer.body, client.inbox
    try:
        body = None if body is None else bytes(body)
    except MemoryError:
        body = None
    if body is None:
        for subscription in inbox.subscriptions:
            if subscription.takes_oversize and matches(subscription.topic_filter, framer.topic or ""):
                subscription.put((framer.topic, None))
                return framer.packet_id
        inbox.counts["oversize"] += 1
        topic = framer.topic or "a topic too long to show"
        client.log.warning("mqtt", "dropped {} bytes on {}", framer.size, topic)
        return framer.packet_id  # also of what was dropped: the broker would send it for ever
    size = len(body)
    for _, payload, packet_id, _ in inbox.waiting:
        if packet_id and packet_id == framer.packet_id:
            return 0  # the broker asks for its PUBACK
        size += len(payload)
    if inbox.waiting and (len(inbox.waiting) >= _MOST or size > _BYTES):
        _drop(inbox, framer.topic, client.log)
        return framer.packet_id
    inbox.waiting.append((framer.topic, body, framer.packet_id, time.ticks_ms()))
    return 0


def take(client, subscription):
    """Hand a subscription what it takes; with None drop what has waited too long."""
    inbox = client.inbox
    waiting, inbox.waiting = inbox.waiting, []
    for topic, payload, packet_id, since_ms in waiting:
        if subscription is None:
            taken = time.ticks_diff(time.ticks_ms(), since_ms) >= client.timeout_ms
            if taken:
                _drop(inbox, topic, client.log)
        else:
            taken = subscription.topic_filter is None or matches(subscription.topic_filter, topic)
            if taken:
                subscription.put((topic, payload))
        if not taken:
            inbox.waiting.append((topic, payload, packet_id, since_ms))
        elif packet_id:
            client.connection.acks += packet.puback(packet_id)
            client.connection.wake.set()


def _drop(inbox, topic, log):
    """Count it, and tell what cannot flood the log: the first topics, and powers of two."""
    inbox.counts["unclaimed"] += 1
    count, known, told = inbox.counts["unclaimed"], hash(topic), inbox.told or ()
    is_new = known not in told and len(told) < _TOLD
    if is_new:
        inbox.told = told + (known,)
    if is_new or count & (count - 1) == 0:
        log.warning("mqtt", "nobody takes what comes on {}; dropped in all: {}", topic, count)
