"""MQTT 3.1.1 client, QoS 0 and 1. Call names follow umqtt.simple; whatever may wait is a coroutine.

`publish` and `subscribe` return at once, connected or not: their bounded queues belong to the client and outlive
every connection.
"""

import asyncio
import errno
import json
import time

from micropython import const

from iot.backoff import Backoff
from iot.mqtt import packet
from iot.mqtt.connection import Connection
from iot.mqtt.framer import Framer
from iot.mqtt.inbox import Inbox
from iot.mqtt.outbox import Outbox
from iot.mqtt.packet import Malformed, MQTTError, Refused

_STABLE_MS = const(30000)  # a connection that lasted this long starts the backoff anew
# mbedTLS's fatal alert, close notify and end of file during the handshake
_HUNG_UP = (errno.ECONNRESET, -0x7780, -0x7880, -0x7280)


class Client:
    """A client that keeps to one broker.

    client_id: 1 to 128 characters (AWS's limit).
    open_stream: coroutine function that returns a connected stream with MicroPython's methods.
    notify: called as notify("connected", session present), notify("disconnected", reason) also after a failed
        attempt, and notify("published", packet id) at a PUBACK.
    keep_alive_s: 0 (off) to 65535; AWS wants 30 to 1200. clean: ask for no persistent session.
    window: QoS 1 messages in flight, at most. outbox_bytes, packet_limit: bytes of the send and receive buffers;
        a packet over `packet_limit` is refused by `publish`, and dropped and counted when received.
    connect_timeout_ms counts for the stream and for the CONNACK; puback_timeout_ms and suback_timeout_ms until a
        request is sent once more; connect_interval_ms between two CONNECTs of `run`.
    """

    def __init__(
        self, client_id, open_stream, log, notify=None, keep_alive_s=60, clean=False,
        window=8, outbox_bytes=8192, packet_limit=4096,
        connect_timeout_ms=30000, write_timeout_ms=15000, ping_timeout_ms=10000,
        puback_timeout_ms=10000, suback_timeout_ms=10000, connect_interval_ms=1000, backoff=None,
    ):  # fmt: skip
        self._client_id = client_id.encode()
        if not 1 <= len(self._client_id) <= 128:
            raise ValueError("client id: 1 to 128 bytes, not {}".format(len(self._client_id)))
        if not 0 <= keep_alive_s <= 65535:
            raise ValueError("keep_alive_s: 0 to 65535, not {}".format(keep_alive_s))
        self.refusals = 0  # in a row: CONNACK 4 or 5, or the broker hung up between TLS's start and CONNACK
        self.outbox = Outbox(outbox_bytes, window)
        self.inbox = Inbox(self._wake)
        self._open_stream = open_stream
        self._log = log
        self._notify = notify
        self._keep_alive_s = keep_alive_s
        self._clean = clean
        self._will = None
        self._limit = min(packet_limit, outbox_bytes)
        self._framer = Framer(packet_limit)
        self._connect_timeout_ms = connect_timeout_ms
        self._write_timeout_ms = write_timeout_ms
        self._ping_timeout_ms = ping_timeout_ms
        self._puback_timeout_ms = puback_timeout_ms
        self._suback_timeout_ms = suback_timeout_ms
        self._connect_interval_ms = connect_interval_ms
        shortest_ms = min(write_timeout_ms, ping_timeout_ms, puback_timeout_ms, suback_timeout_ms)
        self._look_ms = max(5, min(1000, shortest_ms // 8, keep_alive_s * 125 or 1000))
        self._backoff = backoff or Backoff()
        self._connection = None  # the present or the last one
        self._opening = False
        self._session_present = False
        self._connected_ms = None
        self._last_id = 0
        self._left = asyncio.Event()

    @property
    def connected(self):
        """True between CONNACK and the connection's end."""
        return self._connection is not None and self._connection.established

    def set_last_will(self, topic, payload, retain=False, qos=0):
        """What the broker publishes if this client vanishes without a DISCONNECT (3.1.2.5); from the next connect on."""
        _check_qos(qos)
        data = _bytes(payload)
        if len(data) > 65535:
            raise ValueError("last will: at most 65535 bytes, not {}".format(len(data)))
        self._will = packet.check_topic(topic), data, qos, retain

    async def connect(self):
        """Connect once; returns whether the broker had kept the session.

        Raises Refused if the broker said no or hung up before its CONNACK, MQTTError for any other failure.
        """
        if self._opening or (self._connection and not self._connection.closed.is_set()):
            raise MQTTError("already connected or connecting")
        self._opening = True
        self._connected_ms = time.ticks_ms()
        try:
            await self._connect()
        except MQTTError as error:
            refused = isinstance(error, Refused) and error.of_identity
            self.refusals = self.refusals + 1 if refused else 0
            self._log.warning("mqtt", "not connected: {}", error)
            self._tell("disconnected", str(error))
            raise
        finally:
            self._opening = False
        self.refusals = 0
        self._log.info("mqtt", "connected, session {}", "present" if self._session_present else "new")
        self._tell("connected", self._session_present)
        return self._session_present

    async def _connect(self):
        timeout = "no answer within {} ms".format(self._connect_timeout_ms)
        try:
            stream = await asyncio.wait_for_ms(self._open_stream(), self._connect_timeout_ms)
        except asyncio.TimeoutError:
            raise MQTTError(timeout) from None
        except (OSError, ValueError) as error:
            raise _failure(str(error), error) from error
        self._connection = connection = Connection(
            stream, self._framer, self._packet_in, self._packet_out, self.outbox.written, self._look, self._gone,
            self._write_timeout_ms, self._ping_timeout_ms, self._look_ms,
        )  # fmt: skip
        connect = bytearray(packet.connect_size(self._client_id, self._will))
        packet.connect_into(connect, 0, self._client_id, self._keep_alive_s, self._clean, self._will)
        connection.start(connect)
        try:
            await asyncio.wait_for_ms(connection.answered.wait(), self._connect_timeout_ms)
        except asyncio.TimeoutError:
            connection.end(timeout)
        finally:
            if not connection.established:
                connection.end("cancelled")
                await connection.closed.wait()
        if connection.reason is not None:
            raise _failure(connection.reason, connection.error)

    async def run(self):
        """Stay connected until `disconnect`, or until cancelled; both leave nothing behind.

        Waits between attempts by full-jitter backoff, and never sends more than one CONNECT in `connect_interval_ms`.
        """
        self._left.clear()
        delay_ms = 0
        try:
            while not await self._rest(delay_ms):
                if not self.connected:
                    try:
                        await self.connect()
                    except MQTTError:
                        delay_ms = self._backoff.next_ms()
                        continue
                since_ms = time.ticks_ms()
                await self._connection.closed.wait()
                await self._connection.task  # a bug that ended it is not to be hidden
                if time.ticks_diff(time.ticks_ms(), since_ms) >= _STABLE_MS:
                    self._backoff.reset()
                delay_ms = self._backoff.next_ms()
        finally:
            if self._connection:
                self._connection.end("cancelled")
                await self._connection.closed.wait()

    async def _rest(self, delay_ms):
        """Wait before the next CONNECT; True if `disconnect` was called."""
        if self._connected_ms is not None and not self.connected:
            since_ms = time.ticks_diff(time.ticks_ms(), self._connected_ms)
            delay_ms = max(delay_ms, self._connect_interval_ms - since_ms)
        if delay_ms and not self._left.is_set():
            try:
                await asyncio.wait_for_ms(self._left.wait(), delay_ms)
            except asyncio.TimeoutError:
                pass
        return self._left.is_set()

    async def disconnect(self):
        """Send DISCONNECT, which drops the last will, and end the connection; ends `run` too. See `flush`."""
        self._left.set()
        connection = self._connection
        if connection and not connection.closed.is_set():
            connection.leave()
            try:
                await asyncio.wait_for_ms(connection.closed.wait(), self._write_timeout_ms)
            except asyncio.TimeoutError:
                connection.end("disconnect asked")
                await connection.closed.wait()

    async def ping(self):
        """Ask the broker for a sign of life; MQTTError if there is no connection, or none after it."""
        if not self.connected:
            raise MQTTError("not connected")
        await self._connection.ping()

    async def flush(self, timeout_ms):
        """Wait until all messages are written and acknowledged; False if some are not after `timeout_ms`."""
        try:
            await asyncio.wait_for_ms(self.outbox.emptied(), timeout_ms)
        except asyncio.TimeoutError:
            return False
        return True

    def publish(self, topic, payload, qos=0, retain=False):
        """Queue a message; returns its Receipt, which is false if the outbox is full.

        payload: bytes, bytearray, memoryview, str, or a dict or list, which goes out as JSON.
        Raises ValueError for a topic or QoS that cannot be, or a message over the limit.
        """
        name = packet.check_topic(topic)
        _check_qos(qos)
        data = _bytes(payload)
        size = packet.publish_size(name, data, qos)
        if size > self._limit:
            raise ValueError('publish to "{}": {} bytes; the limit is {}'.format(topic, size, self._limit))
        packet_id = self._packet_id() if qos else 0
        receipt = self.outbox.add(size, packet_id)
        if receipt:
            packet.publish_into(self.outbox.buffer, receipt.offset, name, data, qos, retain, packet_id)
            self._wake()
        return receipt

    def subscribe(self, topic_filter, qos=1, depth=8):
        """Subscribe, now and again whenever the broker has lost the session; returns the Subscription.

        depth: messages it keeps until they are read, at least 1. ValueError for a filter or QoS that cannot be.
        """
        packet.check_filter(topic_filter)
        _check_qos(qos)
        if depth < 1:
            raise ValueError("depth: at least 1, not {}".format(depth))
        return self.inbox.subscribe(topic_filter, qos, depth)

    def _packet_id(self):
        while True:
            self._last_id = self._last_id % 65535 + 1
            if not (self.outbox.holds(self._last_id) or self.inbox.holds(self._last_id)):
                return self._last_id

    def _wake(self):
        if self._connection:
            self._connection.wake()

    def _tell(self, event, detail):
        if self._notify:
            try:
                self._notify(event, detail)
            except Exception as error:  # the application's code: whatever it raises must stop here
                self._log.exception("mqtt", "notify " + event, error)

    # What the connection calls

    def _packet_in(self, first, framer):
        kind = first & 0xF0
        if not self._connection.established:
            if kind != packet.CONNACK:
                raise Malformed(first, "before CONNACK")
            self._accept(first, framer.body)
        elif kind == packet.PUBLISH:
            return self._message(first, framer)
        elif kind == packet.PUBACK:
            self._acknowledged(packet.ack_from(first, framer.body))
        elif kind == packet.SUBACK:
            self._subscribed(*packet.suback_from(first, framer.body))
        elif kind == packet.UNSUBACK:
            self._subscribed(packet.ack_from(first, framer.body), None)
        else:
            raise Malformed(first, "not expected")
        return 0

    def _accept(self, first, body):
        session_present, code = packet.connack_from(first, body)
        if code:
            raise Refused("refused by the broker: " + packet.refusal(code), code)
        if session_present and self._clean:
            raise Malformed(first, "a session, though none was asked for")  # 3.2.2.2
        self._session_present = session_present
        self.inbox.rewind(session_present)
        self._connection.establish(self._keep_alive_s)

    def _message(self, first, framer):
        if framer.oversize:
            topic, packet_id, size = framer.oversize
            self.inbox.oversize += 1
            self._log.warning("mqtt", "dropped a message of {} bytes on {}", size, topic or "a topic too long to show")
            return packet_id  # acknowledged all the same: the broker would send it for ever
        topic, payload, packet_id = packet.publish_from(first, framer.body)
        self.inbox.deliver(topic, payload)
        return packet_id

    def _acknowledged(self, packet_id):
        if self.outbox.acknowledge(packet_id):
            self._wake()  # the window has room again
            self._tell("published", packet_id)
        else:
            self._log.debug("mqtt", "PUBACK for packet {}, which is not in flight", packet_id)

    def _subscribed(self, packet_id, granted):
        subscription = self.inbox.answered(packet_id, granted is not None)
        if subscription and subscription.refused:
            self._log.warning("mqtt", "subscription to {} refused", subscription.topic_filter)

    def _packet_out(self):
        subscription = self.inbox.due()
        if not subscription:
            return self.outbox.take()
        topic_filter = subscription.topic_filter.encode()
        buf = bytearray(packet.subscribe_size(topic_filter))
        packet_id = self._packet_id()
        self.inbox.asked(subscription, packet_id)
        if subscription.closed:
            return memoryview(buf)[: packet.unsubscribe_into(buf, 0, packet_id, topic_filter)]
        return memoryview(buf)[: packet.subscribe_into(buf, 0, packet_id, topic_filter, subscription.qos)]

    def _look(self, now_ms):
        requests = self.inbox.expire(now_ms, self._suback_timeout_ms)
        if self.outbox.expire(now_ms, self._puback_timeout_ms) or requests:
            self._wake()

    def _gone(self, reason):
        self.outbox.rewind()
        if not self._opening:  # else connect tells
            self._log.warning("mqtt", "disconnected: {}", reason)
            self._tell("disconnected", reason)


def _check_qos(qos):
    if qos not in (0, 1):
        raise ValueError("QoS {}: only 0 and 1 are supported".format(qos))


def _bytes(payload):
    if isinstance(payload, (dict, list)):
        payload = json.dumps(payload)
    return payload.encode() if isinstance(payload, str) else payload


def _failure(reason, error):
    if isinstance(error, MQTTError):
        return error
    if isinstance(error, EOFError) or (
        isinstance(error, OSError) and not isinstance(error, ValueError) and error.errno in _HUNG_UP
    ):
        return Refused("the broker hung up before its CONNACK: " + reason)
    return MQTTError(reason)
