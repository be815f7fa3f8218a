"""Which packet does the broker hang up on? Imported when a connection has ended, and while there is a doubt.

AWS IoT Core closes a connection without a word over a publish or a subscription that its policies or limits
rule out. Such a packet is sent again first on every new connection: without this a device would be silent.
Several may be on their way when a connection ends, so from then on requests go one at a time, until those in
doubt are answered: what then has no answer, again and again, is what the broker hangs up on. A broker that
hangs up on whoever comes tells nothing of a packet, so then each connection begins with a PINGREQ, and no
request goes before its answer.

Messages of QoS 0 have no answers, so after such an end the next ones go as QoS 1 (of QoS 0 AWS says "zero or
more times"). And applications repeat themselves: where others get through, no more is sent for a while to a
topic that was given up. A subscription that was given up is asked for again after the same time.
"""

import time

from micropython import const

from iot.mqtt.packet import Refused
from iot.mqtt.queues import Receipt

_TIMES = const(3)  # in a row, each on its own, beside the first in company
# Meanwhile the pauses between connections are no longer than this, for as many as two such packets take.
_PAUSE_MS = const(8000)
_DOUBTS = const(8)
_CAREFUL = const(1000)  # messages: more than a busy device sends between two that are hung up on
_BARRED_MS = const(600000)
_BARRED_MOST = const(8)  # topics: what more there are is found anew
# EPIPE and ECONNRESET, with TLS negative; mbedTLS's fatal alert, close notify and end of file. All others
# tell of a network that is gone, or of want of memory.
_HUNG_UP = const((32, 104, -32, -104, -0x7780, -0x7880, -0x7280))
# The states of iot.mqtt.queues.
_AGAIN = const(1)
_SENT = const(2)
_LOST = const(4)


def wait(client):
    """While there is a doubt: whether an answer must come before the next request. Ends the doubt, too."""
    if not client.connection.answered or _requested(client) or _first(client, _SENT):
        return True
    if client.doubt == 1 and not (client.inbox.due() or _first(client, _AGAIN)):
        client.doubt = 0
    return False


def judged(client, topic, qos, retain):
    """With which QoS a message goes; or the Receipt of one that does not, since its topic was given up."""
    client.careful -= 1
    if (_left_ms(client, _name(topic, retain)) or 0) > 0:
        client.outbox.counts["lost"] += 1
        return Receipt(0, 0, 0)
    return qos or 1


def ended(client, error, since_ms):
    """Take note of a connection from `since_ms` to now; `error` is what ended it, or None.

    A packet that is to blame is given up: its receipt is lost, a subscription is not granted.
    """
    if not _hung_up(error):
        return
    client.careful = _CAREFUL
    packet = _requested(client) or _first(client, _AGAIN)
    if not packet or (client.doubt and not client.connection.answered):
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
        if subscription.packet_id > 0:
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
    outbox = client.outbox
    is_message = packet in outbox.receipts
    name = _sent_name(outbox.view, packet.offset) if is_message else packet.topic_filter + "\0"
    if times < _TIMES and _left_ms(client, name) is None:  # where one was given up lately, once is enough
        client.suspect = packet, times
        return
    client.suspect = None
    # Of messages only where one was answered since: else it may be that the broker hangs up on all there is.
    pause_ms = _BARRED_MS if not is_message or client.doubt == 2 else 0
    if len(client.barred) == _BARRED_MOST:
        client.barred.popitem()
    client.barred[name] = time.ticks_add(time.ticks_ms(), pause_ms)
    what, more = "publish" if is_message else "subscribe", ""
    if is_message and pause_ms:
        more = ", nor more sent for 10 min"
    text = "{} to {}: given up, the broker hangs up on it{}"
    client.log.warning("mqtt", text, what, name.replace("\0", ""), more)
    if not is_message:
        outbox.counts["lost"] += 1
        _not_granted(client, packet)
        return
    for receipt in tuple(outbox.receipts):
        if receipt is packet or (pause_ms and _sent_name(outbox.view, receipt.offset) == name):
            outbox.counts["lost"] += 1
            outbox.settle(receipt, _LOST)


def _not_granted(client, subscription):
    if subscription.closed:
        client.inbox.subscriptions.remove(subscription)
    else:
        subscription.packet_id *= -1  # the Inbox has it asked for again
        subscription.granted = False
        subscription.event.set()


def _left_ms(client, name):
    """For how long no more goes there, below 0 since when it may; None where none was given up lately."""
    if name in client.barred:
        left_ms = time.ticks_diff(client.barred[name], time.ticks_ms())
        if -_BARRED_MS < left_ms <= _BARRED_MS:  # ticks wrap
            return left_ms
    return None


def _name(topic, retain):
    """What may be retained, may be forbidden by itself. No topic has a NUL."""
    return "\0" + topic if retain else topic


def _sent_name(view, at):
    """That of the PUBLISH that begins there."""
    retain = view[at] & 1
    at += 1
    while view[at] > 127:  # the length of what follows (2.2.3)
        at += 1
    size = view[at + 1] << 8 | view[at + 2]
    return _name(str(view[at + 3 : at + 3 + size], "utf-8"), retain)
