"""MQTT 3.1.1 client, QoS 0 and 1. Call names follow umqtt.simple; whatever may wait is a coroutine."""

import asyncio
import json
import time

from micropython import const

from iot.backoff import Backoff
from iot.mqtt import packet
from iot.mqtt.connection import Connection, within
from iot.mqtt.framer import Framer
from iot.mqtt.packet import MQTTError, Refused
from iot.mqtt.session import Session

_STABLE_MS = const(30000)  # a connection that lasted this long starts the backoff anew
_CONNECT_INTERVAL_MS = const(1000)  # AWS refuses a client id that connects more often
_OF_IDENTITY = (None, 4, 5)  # refusals that may mean this client's certificate: hung up, and CONNACK's codes
# How a broker hangs up in the handshake: mbedTLS's fatal alert, close notify and end of file. A reset is not
# among them: that is what lwIP makes of a broker that is down.
_HUNG_UP = (-0x7780, -0x7880, -0x7280)


class Client:
    """A client that keeps to one broker; its queues outlive every connection.

    client_id: 1 to 128 bytes (AWS's limit).
    open_stream: coroutine function that returns a connected stream with MicroPython's methods.
    notify: called with ("connected", session present), ("disconnected", reason), after a failed attempt too,
        and ("published", packet id) at a PUBACK.
    ready: coroutine function that `run` awaits before each attempt, without a deadline: for a network, say.
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
        ready=None,
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
        self._session = Session(log, notify, keep_alive_s, clean, window, outbox_bytes, timeout_ms)
        self.outbox = self._session.outbox
        self.inbox = self._session.inbox
        self._open_stream = open_stream
        self._log = log
        self._ready = ready
        self._keep_alive_s = keep_alive_s
        self._clean = clean
        self._limit = min(packet_limit, outbox_bytes)
        self._framer = Framer(packet_limit)
        self._connect_timeout_ms = connect_timeout_ms
        self._timeout_ms = timeout_ms
        self._backoff = backoff or Backoff()
        self._will = None
        self._connecting = False
        self._attempt_ms = None
        self._left = asyncio.Event()

    @property
    def connected(self):
        """True from the CONNACK to the connection's end."""
        connection = self._session.connection
        return connection is not None and connection.accepted and connection.reason is None

    @property
    def reason(self):
        """Why the last connection ended, None while there is one."""
        connection = self._session.connection
        return connection.reason if connection else "never connected"

    @property
    def refusals(self):
        """Attempts since the last connection that failed for this client's identity, as it seems."""
        return self._session.refusals

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
        session = self._session
        if self._connecting or (session.connection and not session.connection.closed.is_set()):
            raise MQTTError("already connected or connecting")
        self._connecting = True
        self._attempt_ms = time.ticks_ms()
        try:
            await self._open()
        except MQTTError as error:
            if isinstance(error, Refused) and error.code in _OF_IDENTITY:
                session.refusals += 1
            self._log.debug("mqtt", "not connected: {}", error)
            session.tell("disconnected", str(error))
            raise
        finally:
            self._connecting = False
        if not self.connected:
            raise session.connection.bug or MQTTError(session.connection.reason)  # `gone` has told
        return session.present

    async def _open(self):
        late = "no answer within {} ms".format(self._connect_timeout_ms)
        try:
            stream = await asyncio.wait_for_ms(self._open_stream(), self._connect_timeout_ms)
        except asyncio.TimeoutError:
            raise MQTTError(late)
        except (OSError, ValueError) as error:
            raise _failure(str(error), error)
        self._session.connection = connection = Connection(
            stream,
            self._framer,
            packet.connect(self._client_id, self._keep_alive_s, self._clean, self._will),
            self._session,
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
                        if self._ready:
                            await self._ready()
                        await self.connect()
                    if self._left.is_set():  # `disconnect` while the stream was opening
                        self._session.connection.leave()
                    since_ms = time.ticks_ms()
                    await self._session.connection.closed.wait()
                    if self._session.connection.bug:
                        raise self._session.connection.bug
                    if time.ticks_diff(time.ticks_ms(), since_ms) >= _STABLE_MS:
                        self._backoff.reset()
                except MQTTError:
                    pass  # connect has told
                delay_ms = self._backoff.next_ms()
        finally:
            if self._session.connection:
                self._session.connection.end("cancelled")
                await self._session.connection.closed.wait()

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
        connection = self._session.connection
        if connection and not connection.closed.is_set():
            connection.leave()
            await connection.closed.wait()  # at the latest when the write has timed out

    def probe(self):
        """Have the connection end after `timeout_ms` if it is dead: for when the network has been away."""
        if self.connected:
            self._session.connection.probe()

    async def ping(self):
        """Ask the broker for a sign of life; MQTTError if there is no connection, or none any more."""
        if not self.connected:
            raise MQTTError("not connected")
        await self._session.connection.ping()

    async def flush(self, timeout_ms):
        """Wait until all messages are written (QoS 0) or acknowledged (QoS 1); False after `timeout_ms`."""
        return await within(timeout_ms, self.outbox.emptied())

    def publish(self, topic, payload, qos=0, retain=False):
        """Queue a message; returns its Receipt, which is false if the outbox is full.

        payload: bytes, bytearray, memoryview, str, or a dict or list, which goes out as JSON.
        Raises ValueError for a topic or QoS that cannot be, or a message over the limit.
        """
        name, data, size = self._encode(topic, payload, qos)
        packet_id = self._session.packet_id() if qos else 0
        receipt = self.outbox.add(size, packet_id)
        if receipt:
            packet.publish_into(self.outbox.buffer, receipt.offset, name, data, packet_id, retain=retain)
            self._session.wake()
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
