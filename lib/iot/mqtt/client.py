"""MQTT 3.1.1 client, QoS 0 and 1. Call names follow umqtt.simple; whatever may wait is a coroutine."""

import asyncio
import errno
import json
import time

from micropython import const

from iot.backoff import Backoff
from iot.mqtt import packet
from iot.mqtt.connection import Connection, within
from iot.mqtt.framer import Framer
from iot.mqtt.inbox import Inbox
from iot.mqtt.outbox import Outbox
from iot.mqtt.packet import Malformed, MQTTError, Refused

_STABLE_MS = const(30000)  # a connection that lasted this long starts the backoff anew
_CONNECT_INTERVAL_MS = const(1000)  # AWS refuses a client id that connects more often
_OF_IDENTITY = (None, 4, 5)  # refusals that may mean this client's certificate: hung up, and CONNACK's codes
# How a broker hangs up in the handshake: a reset, and mbedTLS's fatal alert, close notify and end of file.
_HUNG_UP = (errno.ECONNRESET, -0x7780, -0x7880, -0x7280)


class Client:
    """A client that keeps to one broker; its queues outlive every connection.

    client_id: 1 to 128 bytes (AWS's limit).
    open_stream: coroutine function that returns a connected stream with MicroPython's methods.
    notify: called with ("connected", session present), ("disconnected", reason), after a failed attempt too,
        and ("published", packet id) at a PUBACK.
    keep_alive_s: 0 (off) to 65535; AWS takes 30 to 1200.
    clean: ask for no persistent session.
    window: messages of QoS 1 in flight, at most.
    outbox_bytes: the send buffer.
    packet_limit: the receive buffer. A longer packet is refused by `publish`, and dropped and counted when it
        arrives.
    connect_timeout_ms: for opening the stream, and again for the CONNACK.
    timeout_ms: after this without a PINGRESP, or in a write, the connection ends; after this without a PUBACK
        or SUBACK the request is sent again.
    """

    def __init__(
        self,
        client_id,
        open_stream,
        log,
        notify=None,
        *,
        keep_alive_s=60,
        clean=False,
        window=16,
        outbox_bytes=8192,
        packet_limit=4096,
        connect_timeout_ms=30000,
        timeout_ms=10000,
        backoff=None,
    ):
        self._client_id = client_id.encode()
        if not 1 <= len(self._client_id) <= 128:
            raise ValueError("client id: 1 to 128 bytes, not {}".format(len(self._client_id)))
        if not 0 <= keep_alive_s <= 65535:
            raise ValueError("keep_alive_s: 0 to 65535, not {}".format(keep_alive_s))
        self.outbox = Outbox(outbox_bytes, window)
        self.inbox = Inbox(self._wake)
        self.packet_written = self.outbox.written  # for the connection
        self.refusals = 0  # of the identity, since the last success
        self._open_stream = open_stream
        self._log = log
        self._notify = notify
        self._keep_alive_s = keep_alive_s
        self._clean = clean
        self._limit = min(packet_limit, outbox_bytes)
        self._framer = Framer(packet_limit)
        self._connect_timeout_ms = connect_timeout_ms
        self._timeout_ms = timeout_ms
        self._backoff = backoff or Backoff()
        self._will = None
        self._connection = None  # the present or the last one
        self._connecting = False
        self._session_present = False
        self._attempt_ms = None
        self._last_id = 0
        self._left = asyncio.Event()

    @property
    def connected(self):
        """True from the CONNACK to the connection's end."""
        connection = self._connection
        return connection is not None and connection.accepted and connection.reason is None

    def set_last_will(self, topic, payload, retain=False, qos=0):
        """What the broker publishes when this client vanishes without a DISCONNECT (3.1.2.5).

        Counts from the next connection on. Arguments and errors as with `publish`.
        """
        name, data, _ = self._encode(topic, payload, qos)
        self._will = name, data, qos, retain

    async def connect(self):
        """Connect once; returns whether the broker had kept the session.

        Raises Refused if the broker said no or hung up before its CONNACK, MQTTError for any other failure.
        """
        if self._connecting or (self._connection and not self._connection.closed.is_set()):
            raise MQTTError("already connected or connecting")
        self._connecting = True
        self._attempt_ms = time.ticks_ms()
        try:
            await self._open()
        except MQTTError as error:
            if isinstance(error, Refused) and error.code in _OF_IDENTITY:
                self.refusals += 1
            self._log.warning("mqtt", "not connected: {}", error)
            self._tell("disconnected", str(error))
            raise
        finally:
            self._connecting = False
        if not self.connected:
            raise self._connection.bug or MQTTError(self._connection.reason)  # `gone` has told
        return self._session_present

    async def _open(self):
        late = "no answer within {} ms".format(self._connect_timeout_ms)
        try:
            stream = await asyncio.wait_for_ms(self._open_stream(), self._connect_timeout_ms)
        except asyncio.TimeoutError:
            raise MQTTError(late)
        except (OSError, ValueError) as error:
            raise _failure(str(error), error)
        self._connection = connection = Connection(
            stream,
            self._framer,
            packet.connect(self._client_id, self._keep_alive_s, self._clean, self._will),
            self,
            timeout_ms=self._timeout_ms,
            look_ms=min(1000, self._timeout_ms // 8 + 1, self._keep_alive_s * 125 or 1000),
        )
        connection.start()
        try:
            if not await within(self._connect_timeout_ms, connection.answered.wait()):
                connection.end(late)
        except asyncio.CancelledError:
            connection.end("cancelled")
            raise
        finally:
            if connection.reason is not None:
                await connection.closed.wait()
        if not connection.accepted:
            raise connection.bug or _failure(connection.reason, connection.error)

    async def run(self):
        """Stay connected until `disconnect`, or until cancelled; neither leaves anything behind.

        Waits between attempts by full-jitter backoff, but sends no more than one CONNECT a second.
        """
        self._left.clear()
        delay_ms = 0
        try:
            while not await self._rest(delay_ms):
                try:
                    if not self.connected:
                        await self.connect()
                    if self._left.is_set():  # `disconnect` while the stream was opening
                        self._connection.leave()
                    since_ms = time.ticks_ms()
                    await self._connection.closed.wait()
                    if self._connection.bug:
                        raise self._connection.bug
                    if time.ticks_diff(time.ticks_ms(), since_ms) >= _STABLE_MS:
                        self._backoff.reset()
                except MQTTError:
                    pass  # connect has told
                delay_ms = self._backoff.next_ms()
        finally:
            if self._connection:
                self._connection.end("cancelled")
                await self._connection.closed.wait()

    async def _rest(self, delay_ms):
        """Wait before the next CONNECT; True if `disconnect` was called."""
        if self.connected:
            return False
        if self._attempt_ms is not None:
            passed_ms = time.ticks_diff(time.ticks_ms(), self._attempt_ms)
            delay_ms = max(delay_ms, _CONNECT_INTERVAL_MS - passed_ms)
        return self._left.is_set() or await within(delay_ms, self._left.wait())

    async def disconnect(self):
        """Send DISCONNECT, which drops the last will, and end the connection and `run`. See `flush`."""
        self._left.set()
        connection = self._connection
        if connection and not connection.closed.is_set():
            connection.leave()
            await connection.closed.wait()  # at the latest when the write has timed out

    async def ping(self):
        """Ask the broker for a sign of life; MQTTError if there is no connection, or none any more."""
        if not self.connected:
            raise MQTTError("not connected")
        await self._connection.ping()

    async def flush(self, timeout_ms):
        """Wait until all messages are written (QoS 0) or acknowledged (QoS 1); False after `timeout_ms`."""
        return await within(timeout_ms, self.outbox.emptied())

    def publish(self, topic, payload, qos=0, retain=False):
        """Queue a message; returns its Receipt, which is false if the outbox is full.

        payload: bytes, bytearray, memoryview, str, or a dict or list, which goes out as JSON.
        Raises ValueError for a topic or QoS that cannot be, or a message over the limit.
        """
        name, data, size = self._encode(topic, payload, qos)
        packet_id = self._packet_id() if qos else 0
        receipt = self.outbox.add(size, packet_id)
        if receipt:
            packet.publish_into(self.outbox.buffer, receipt.offset, name, data, packet_id, retain=retain)
            self._wake()
        return receipt

    def subscribe(self, topic_filter, qos=1, depth=8):
        """Subscribe, now and whenever the broker has lost the session; returns the Subscription.

        depth: messages that wait to be read, at least 1. ValueError for a filter or QoS that cannot be.
        """
        packet.check_filter(topic_filter)
        _check_qos(qos)
        if depth < 1:
            raise ValueError("depth: at least 1, not {}".format(depth))
        return self.inbox.subscribe(topic_filter, qos, depth)

    def _encode(self, topic, payload, qos):
        """Topic and payload as bytes, and the size of the PUBLISH; raise ValueError if it cannot be."""
        _check_qos(qos)
        name = packet.check_topic(topic)
        if isinstance(payload, (dict, list)):
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        size = packet.publish_size(name, payload, qos)
        if size > self._limit:
            raise ValueError('publish to "{}": {} bytes; the limit is {}'.format(topic, size, self._limit))
        return name, payload, size

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

    # For the connection

    def packet_in(self, first, framer):
        """Take a packet; returns the packet id to acknowledge, or 0."""
        kind = first & 0xF0
        if not self._connection.accepted:
            if kind != packet.CONNACK:
                raise Malformed(first, "before CONNACK")
            self._accept(first, framer.body)
        elif kind == packet.PUBLISH:
            return self._message(first, framer)
        elif kind == packet.PUBACK:
            packet_id = packet.ack_from(first, framer.body)
            if self.outbox.acknowledge(packet_id):
                self._wake()  # the window has room again
                self._tell("published", packet_id)
        elif kind == packet.SUBACK:
            self._answered(*packet.suback_from(first, framer.body))
        elif kind == packet.UNSUBACK:
            self._answered(packet.ack_from(first, framer.body), None)
        else:
            raise Malformed(first, "not expected")
        return 0

    def _accept(self, first, body):
        self._session_present = packet.connack_from(first, body)
        if self._session_present and self._clean:
            raise Malformed(first, "a session, though none was asked for")  # 3.2.2.2
        self.inbox.rewind(self._session_present)
        self._connection.accept(self._keep_alive_s)
        self.refusals = 0
        self._log.info("mqtt", "connected, session kept: {}", self._session_present)
        self._tell("connected", self._session_present)

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

    def packet_out(self):
        """A view of what to send next, or None."""
        subscription = self.inbox.due()
        if not subscription:
            return self.outbox.take()
        packet_id = self._packet_id()
        self.inbox.asked(subscription, packet_id)
        topic_filter = subscription.topic_filter.encode()
        if subscription.closed:
            return packet.unsubscribe(packet_id, topic_filter)
        return packet.subscribe(packet_id, topic_filter, subscription.qos)

    def look(self, now_ms):
        """Have sent again what was not answered in time."""
        requests = self.inbox.expire(now_ms, self._timeout_ms)
        if self.outbox.expire(now_ms, self._timeout_ms) or requests:
            self._wake()

    def gone(self, reason):
        """The connection is closed."""
        self.outbox.rewind()
        if self._connection.bug:
            self._log.exception("mqtt", reason, self._connection.bug)
        if self._connection.accepted:  # else connect tells
            self._log.warning("mqtt", "disconnected: {}", reason)
            self._tell("disconnected", reason)


def _check_qos(qos):
    if qos not in (0, 1):
        raise ValueError("QoS {}: only 0 and 1 are supported".format(qos))


def _failure(reason, error):
    """The MQTTError for what ended an attempt to connect."""
    if isinstance(error, MQTTError):
        return error
    if isinstance(error, OSError) and error.errno in _HUNG_UP:
        return Refused("closed by the broker: " + reason)
    return MQTTError(reason)
