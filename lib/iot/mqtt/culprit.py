"""Which packet does the broker hang up on? Imported when a connection has ended, and while there is a doubt.

AWS IoT Core closes a connection without a word over a publish or a subscription that its policies or limits
rule out. Such a packet is sent again first on every new connection: without this a device would be silent.
Several may be on their way when a connection ends, so from then on requests go one at a time, until those in
doubt are answered: what then has no answer, again and again, is what the broker hangs up on.
"""

import time

from micropython import const

from iot.mqtt.packet import Refused

_TIMES = const(3)  # in a row, each on its own, beside the first in company
# Meanwhile the pauses between connections are no longer than this, for as many as two such packets take.
_PAUSE_MS = const(8000)
_DOUBTS = const(8)
# EPIPE and ECONNRESET, with TLS negative; mbedTLS's fatal alert, close notify and end of file. All others
# tell of a network that is gone, or of want of memory.
_HUNG_UP = const((32, 104, -32, -104, -0x7780, -0x7880, -0x7280))
# The states of iot.mqtt.queues.
_AGAIN = const(1)
_SENT = const(2)
_LOST = const(4)


def wait(client):
    """While there is a doubt: whether an answer must come before the next request. Ends the doubt, too."""
    if _requested(client) or _first(client, _SENT):
        return True
    if client.doubt == 1 and not (client.inbox.due() or _first(client, _AGAIN)):
        client.doubt = 0
    return False


def ended(client, error, since_ms):
    """Take note of a connection from `since_ms` to now; `error` is what ended it, or None.

    A packet that is to blame is given up: its receipt is lost, a subscription is not granted.
    """
    packet = _requested(client) or _first(client, _AGAIN)
    if not packet or not _hung_up(error):
        return
    now_ms = time.ticks_ms()
    sent_ms = packet.sent_ms
    if time.ticks_diff(sent_ms, since_ms) < 0 or time.ticks_diff(now_ms, sent_ms) >= client.timeout_ms:
        return  # it did not get as far, or it was nothing that was sent just then
    client.doubt += 1
    if client.doubt < _DOUBTS:
        client.backoff.ceiling_ms = min(client.backoff.ceiling_ms, _PAUSE_MS)
    if client.doubt > 1:
        _blame(client, packet)


def _requested(client):
    """The subscription whose request has no answer, or None."""
    for subscription in client.inbox.subscriptions:
        if subscription.packet_id:
            return subscription
    return None


def _first(client, state):
    """The first message of QoS 1 in that state, or None."""
    for receipt in client.outbox.receipts:
        if receipt.packet_id and receipt.state == state:
            return receipt
    return None


def _hung_up(error):
    return isinstance(error, Refused) or (isinstance(error, OSError) and error.errno in _HUNG_UP)


def _blame(client, packet):
    suspect, times = client.suspect or (None, 0)
    times = times + 1 if packet is suspect else 1
    is_message = packet in client.outbox.receipts
    name = _topic(client.outbox.view, packet.offset) if is_message else packet.topic_filter
    if times < _TIMES and name != suspect:  # once one was given up, others of its topic are at the first time
        client.suspect = packet, times
        return
    client.suspect = name, 0
    client.outbox.counts["lost"] += 1
    kind = "publish" if is_message else "subscribe"
    client.log.warning("mqtt", "{} to {}: given up, the broker hangs up on it", kind, name)
    if is_message:
        client.outbox.settle(packet, _LOST)
        return
    packet.packet_id = 0
    if packet.closed:
        client.inbox.subscriptions.remove(packet)
    else:
        packet.granted = False
        packet.event.set()


def _topic(view, at):
    """The topic of the PUBLISH that begins there."""
    at += 1
    while view[at] > 127:  # the length of what follows (2.2.3)
        at += 1
    size = view[at + 1] << 8 | view[at + 2]
    return str(view[at + 3 : at + 3 + size], "utf-8")
