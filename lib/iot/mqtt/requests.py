"""What becomes of a request to subscribe, or to unsubscribe: rare enough to be imported each time."""

from micropython import const

from iot.mqtt.packet import malformed

_SUBACK = const(0x90)


def answer(client, first, framer):
    """Take a SUBACK or an UNSUBACK."""
    code = framer.body[-1]
    is_suback = first == _SUBACK
    if is_suback and code not in b"\0\1\x80":  # 3.9.3
        raise malformed(first, "code", code)
    if refused := answered(client.inbox, framer.packet_id, is_suback and code < 2):
        client.log.warning("mqtt", "not allowed to subscribe to {}", refused.topic_filter)


def answered(inbox, packet_id, granted):
    """Settle the request with this packet id; returns the subscription that was refused, or None."""
    subscription = inbox.find(packet_id)
    if subscription:
        subscription.packet_id = 0
        if subscription.closed:
            inbox.subscriptions.remove(subscription)
        else:
            subscription.granted = granted
            subscription.event.set()
            if not granted:
                return subscription
    return None
