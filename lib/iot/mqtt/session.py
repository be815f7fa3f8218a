"""The MQTT session: what outlives a connection, and what each packet means to it."""

from iot.mqtt import packet
from iot.mqtt.inbox import Inbox
from iot.mqtt.outbox import Outbox
from iot.mqtt.packet import Malformed


class Session:
    """The queues, the packet ids, and the connection that serves them, whose owner this is (MQTT 3.1.1, 4.1).

    connection: the present or the last one; set by the client.
    present: whether the broker had kept the session. refusals: of the identity, since the last success.
    Arguments are those of the client.
    """

    def __init__(self, log, notify, keep_alive_s, clean, window, outbox_bytes, timeout_ms):
        self.connection = None
        self.present = False
        self.refusals = 0
        self.outbox = Outbox(outbox_bytes, window)
        self.inbox = Inbox(self.wake)
        self.packet_written = self.outbox.written
        self._log = log
        self._notify = notify
        self._keep_alive_s = keep_alive_s
        self._clean = clean
        self._timeout_ms = timeout_ms
        self._last_id = 0

    def packet_id(self):
        """The next packet id that is not in use (2.3.1)."""
        while True:
            self._last_id = self._last_id % 65535 + 1
            if not (self.outbox.holds(self._last_id) or self.inbox.holds(self._last_id)):
                return self._last_id

    def wake(self):
        """There is something to send."""
        if self.connection:
            self.connection.wake()

    def tell(self, event, detail):
        """Tell the client's owner about a fact."""
        if self._notify:
            try:
                self._notify(event, detail)
            except Exception as error:  # the application's code: whatever it raises must stop here
                self._log.exception("mqtt", "notify " + event, error)

    def packet_in(self, first, framer):
        """Take a packet; returns the packet id to acknowledge, or 0."""
        kind = first & 0xF0
        if not self.connection.accepted:
            if kind != packet.CONNACK:
                raise Malformed(first, "before CONNACK")
            self._accept(first, framer.body)
        elif kind == packet.PUBLISH:
            return self._message(first, framer)
        elif kind == packet.PUBACK:
            packet_id = packet.ack_from(first, framer.body)
            if self.outbox.acknowledge(packet_id):
                self.wake()  # the window has room again
                self.tell("published", packet_id)
        elif kind == packet.SUBACK:
            self._answered(*packet.suback_from(first, framer.body))
        elif kind == packet.UNSUBACK:
            self._answered(packet.ack_from(first, framer.body), None)
        else:
            raise Malformed(first, "not expected")
        return 0

    def packet_out(self):
        """A view of what to send next, or None."""
        subscription = self.inbox.due()
        if not subscription:
            return self.outbox.take()
        packet_id = self.packet_id()
        self.inbox.asked(subscription, packet_id)
        topic_filter = subscription.topic_filter.encode()
        if subscription.closed:
            return packet.unsubscribe(packet_id, topic_filter)
        return packet.subscribe(packet_id, topic_filter, subscription.qos)

    def look(self, now_ms):
        """Have sent again what was not answered in time."""
        requests = self.inbox.expire(now_ms, self._timeout_ms)
        if self.outbox.expire(now_ms, self._timeout_ms) or requests:
            self.wake()

    def gone(self, reason):
        """The connection is closed."""
        self.outbox.rewind()
        if self.connection.bug:
            self._log.exception("mqtt", reason, self.connection.bug)
        if self.connection.accepted:  # else connect tells
            self._log.debug("mqtt", "disconnected: {}", reason)
            self.tell("disconnected", reason)

    def _accept(self, first, body):
        self.present = packet.connack_from(first, body)
        if self.present and self._clean:
            raise Malformed(first, "a session, though none was asked for")  # 3.2.2.2
        self.inbox.rewind(self.present)
        self.connection.accept(self._keep_alive_s)
        self.refusals = 0
        self._log.debug("mqtt", "connected, session kept: {}", self.present)
        self.tell("connected", self.present)

    def _message(self, first, framer):
        if framer.oversize:
            topic, packet_id, size = framer.oversize
            self.inbox.oversize += 1
            self._log.warning("mqtt", "dropped {} bytes on {}", size, topic or "a topic too long to show")
            return packet_id  # acknowledged all the same: the broker would send it for ever
        topic, payload, packet_id = packet.publish_from(first, framer.body)
        self.inbox.deliver(topic, payload)
        return packet_id

    def _answered(self, packet_id, granted):
        subscription = self.inbox.answered(packet_id, granted is not None)
        if subscription and subscription.refused:
            self._log.warning("mqtt", "not allowed to subscribe to {}", subscription.topic_filter)
