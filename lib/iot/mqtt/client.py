"""MQTT 3.1.1 client, QoS 0 and 1. Call names follow umqtt.simple; whatever may wait is a coroutine."""

import asyncio
import json
import time

from micropython import const

from iot.backoff import Backoff
from iot.events import within
from iot.memory import borrow
from iot.mqtt import packet
from iot.mqtt.connection import Connection
from iot.mqtt.packet import MQTTError, Refused, Starved

_STABLE_MS = const(30000)  # a connection that lasted this long starts the backoff anew
_CONNECT_INTERVAL_MS = const(1000)  # AWS refuses a client id that connects more often


def _is_plain(topic, size, qos, retain=False):
    """Whether topic or filter, of `size` bytes, and QoS are what anybody can have, with no closer look."""
    return (
        qos in (0, 1)
        and size <= 256
        and (
            topic.count("/") <= 7
            if topic[:1] not in "$"  # as an empty one is, too
            else topic[:12] == "$aws/things/" and not retain
        )
        and not ("+" in topic or "#" in topic or "\0" in topic)
    )


def _is_json(value):
    """Whether json.dumps surely writes JSON for it: what JSON has no word for, it writes as Python does."""
    kind = type(value)
    if kind in (dict, list, tuple):
        for item in value:
            if not _is_json(value[item] if kind is dict else item) or (kind is dict and type(item) is tuple):
                return False
        return True
    return value is None or kind in (str, int, bool) or (kind is float and value - value == 0)


class Client:
    """A client that keeps to one broker; the queues outlive every connection.

    Args:
        client_id: 1 to 128 bytes (AWS's limit).
        open_stream: coroutine function that returns a connected stream with MicroPython's methods.
        outbox, inbox: the Outbox and the Inbox, with the bounds of what goes out and of what comes in.
        log: a Log.
        notify: called with ("connecting", None), ("connected", session present), ("disconnected", reason),
            after a failed attempt too, ("starved", reason) where that failed for want of memory, and
            ("published", packet id) at a PUBACK.
        ready: coroutine function that `run` awaits before each attempt, without a deadline: for a network.
        keep_alive_s: 0 (off) to 65535; AWS takes 30 to 1200.
        clean: ask for no persistent session.
        connect_timeout_ms: for opening the stream, and again for the CONNACK.
        timeout_ms: after this without a PINGRESP, or in a write, the connection ends; after this without a
            PUBACK or SUBACK the request is sent again, and then after pauses that double. A message that
            nobody takes waits so long for who subscribes late.
        backoff: between the attempts of `run`, a Backoff.
        is_starved: tells of an exception that ended an attempt whether it means want of memory; without it
            that is MemoryError alone.

    Attributes:
        connected: True from the CONNACK to the connection's end.
        reason: why the last connection ended, None while there is one.
        refusals: attempts since the last connection that failed for this client's identity, as it seems.
        outbox, inbox: as given.
        doubt: 0; or 1 and more while requests go one at a time, because the broker may have hung up on one of
            them: 1, and one for each connection that ended so since an answer came (iot.mqtt.culprit).
        suspect: which one that was, and how often in a row.
        careful, barred: at how many messages more iot.mqtt.culprit looks before they are queued, because the
            broker has hung up; and the topics of what was given up, with when the next one is tried.
        connection, backoff: the last one, None before the first; and that between the attempts.
        telemetry: the topic of the thing's telemetry.
    """

    telemetry = ""

    def __init__(
        self,
        client_id,
        open_stream,
        outbox,
        inbox,
        log,
        notify=None,
        ready=None,
        keep_alive_s=60,
        clean=False,
        connect_timeout_ms=30000,
        timeout_ms=10000,
        backoff=None,
        is_starved=None,
    ):
        if not (1 <= len(client_id) <= 128 and 0 <= keep_alive_s <= 65535):
            borrow("iot.mqtt.checks").client(client_id, keep_alive_s)  # says why it cannot be
        self.keep_alive_s = keep_alive_s
        self.timeout_ms = timeout_ms
        self.log = log
        self.connected = self._connecting = False
        self.reason = "never connected"
        self.refusals = self.doubt = self.careful = self._last_id = 0
        self.suspect = self.will = self.connection = None
        self.barred = {}
        self.outbox = outbox
        self.inbox = inbox
        inbox.changed = self._wake
        self.client_id = client_id
        self.open_stream = open_stream
        self.is_starved = is_starved
        self._notify = notify
        self._ready = ready
        self.clean = clean
        self.connect_timeout_ms = connect_timeout_ms
        self.backoff = backoff or Backoff()
        self._attempt_ms = time.ticks_add(time.ticks_ms(), -_CONNECT_INTERVAL_MS)
        self._left = asyncio.Event()

    def set_last_will(self, topic, payload, retain=False, qos=0):
        """What the broker publishes when this client vanishes without a DISCONNECT (3.1.2.5).

        Counts from the next connection on. Arguments and errors as with `publish`.
        """
        _, data = self._encode(topic, payload, retain, qos, qos)
        self.will = topic.encode(), data, qos, retain

    async def connect(self):
        """Connect once; returns whether the broker had kept the session.

        Raises Refused if the broker said no or hung up before its CONNACK, Starved where there was no memory
        for a connection, and MQTTError for any other failure.
        """
        if self._connecting or (self.connection and not self.connection.closed):
            raise MQTTError("already connected or connecting")
        self._connecting = True
        self.tell("connecting", None)
        try:
            handshake = borrow("iot.mqtt.handshake")
            self._attempt_ms = time.ticks_ms()
            stream, session_present = await handshake.begin(self)
            handshake.rewind(self.inbox, session_present)
        except (MQTTError, MemoryError) as error:
            if isinstance(error, MemoryError):  # not even for the code
                error = Starved("no memory for a connection")
            elif isinstance(error, Refused) and (error.code is None or error.code > 3):
                self.refusals += 1  # it hung up, or TLS's alert or CONNACK's code may mean the certificate
            self.reason = str(error)
            self.tell("disconnected", self.reason)
            if isinstance(error, Starved):
                self.tell("starved", self.reason)
            raise error
        finally:
            self._connecting = False
        self.refusals = 0
        self.reason = None
        self.connected = True
        self.connection = Connection(self, stream)
        self.tell("connected", session_present)
        return session_present

    async def run(self):
        """Stay connected until `disconnect`, or until cancelled; neither leaves anything behind.

        Waits between attempts by full-jitter backoff, but sends no more than one CONNECT a second.
        """
        self._left.clear()
        delay_ms = 0
        try:
            while not self._left.is_set():
                try:
                    if not self.connected:
                        passed_ms = time.ticks_diff(time.ticks_ms(), self._attempt_ms)
                        if 0 <= passed_ms < _CONNECT_INTERVAL_MS:  # below 0 after a week: ticks wrap
                            delay_ms = max(delay_ms, _CONNECT_INTERVAL_MS - passed_ms)
                        if await within(delay_ms, self._left.wait()):
                            break
                        if self._ready:
                            await self._ready()
                        await self.connect()
                    connection = self.connection
                    if self._left.is_set():  # `disconnect` while the stream was opening
                        connection.leave()
                    since_ms = time.ticks_ms()
                    await connection.wait_closed()
                    if connection.bug:
                        raise connection.bug
                    if not 0 <= time.ticks_diff(time.ticks_ms(), since_ms) < _STABLE_MS:
                        self.backoff.reset()
                    borrow("iot.mqtt.culprit").ended(self, connection.error, since_ms)
                except (MQTTError, MemoryError):
                    pass  # connect has told; what there was no memory for is tried again
                delay_ms = self.backoff.next_ms()
        finally:
            if self.connection:
                await self.connection.end("cancelled")

    async def disconnect(self):
        """Send DISCONNECT, which drops the last will, and end the connection and `run`. See `flush`."""
        self._left.set()
        if self.connection:
            self.connection.leave()
            await self.connection.wait_closed()  # at the latest when the write has timed out

    def probe(self):
        """Have the connection end after `timeout_ms` if it is dead: for when the network has been away."""
        if self.connected:
            self.connection.probe()

    async def ping(self):
        """Ask the broker for a sign of life; MQTTError if there is no connection, or none any more."""
        self.probe()
        while self.connected and self.connection.pinging:
            await self.connection.change()
        if not self.connected:
            raise MQTTError(self.reason)

    async def flush(self, timeout_ms):
        """Wait until all messages are written (QoS 0) or acknowledged (QoS 1); False after `timeout_ms`."""
        return await within(timeout_ms, self.outbox.emptied())

    def publish(self, topic, payload, qos=0, retain=False):
        """Queue a message; returns its Receipt, which is false if the outbox is full.

        payload: bytes, bytearray, memoryview, str, or a dict or list, which goes out as JSON.
        Raises ValueError for a topic or QoS that cannot be, for a message longer than the whole outbox, and
        for a member that JSON has no word for.
        """
        if self.careful and (self.barred or not qos):
            qos = borrow("iot.mqtt.culprit").judged(self, topic, qos, retain)
            if not isinstance(qos, int):
                return qos
        packet_id = self.packet_id() if qos else 0
        head, data = self._encode(topic, payload, retain, qos, packet_id)
        receipt = self.outbox.add(head, data, packet_id)
        self._wake()
        return receipt

    def subscribe(self, topic_filter, qos=1, depth=8, put=None):
        """Subscribe, now and whenever the broker has lost the session; returns the Subscription.

        topic_filter: None for what no other subscription takes; that asks nothing of the broker.
        put: called with each message, not queued then, its payload a view that lasts as long as the call;
            (topic, None) for one over the packet limit.
        depth: messages that wait to be read, at least 1. ValueError for a filter or QoS that cannot be.
        """
        if topic_filter is None or depth < 1 or not _is_plain(topic_filter, len(topic_filter.encode()), qos):
            borrow("iot.mqtt.checks").subscription(topic_filter, qos, depth)  # raises, if there is a reason
        subscription = self.inbox.subscribe(topic_filter, qos, depth, put)
        if self.inbox.waiting:
            borrow("iot.mqtt.unclaimed").take(self, subscription)
        return subscription

    def _encode(self, topic, payload, retain, qos, packet_id):
        """A PUBLISH as (what is before the payload, payload as bytes); ValueError if it cannot be."""
        name = topic.encode()
        is_document = isinstance(payload, (dict, list))
        if (is_document and not _is_json(payload)) or not _is_plain(topic, len(name), qos, retain):
            borrow("iot.mqtt.checks").message(topic, qos, retain, payload if is_document else None)
        if is_document:
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        head = packet.publish(name, len(payload), packet_id, retain)
        size, most = len(head) + len(payload), len(self.outbox.view)
        if size > most:
            raise ValueError('publish to "{}": {} bytes; the limit is {}'.format(topic, size, most))
        return head, payload

    # What the connection asks for.

    def packet_id(self):
        """The next packet id that is not in use (2.3.1)."""
        while True:
            self._last_id = self._last_id % 65535 + 1
            last_id, inbox = self._last_id, self.inbox
            if not (self.outbox.find(last_id) or inbox.find(last_id) or inbox.find(-last_id)):
                return last_id

    def tell(self, event, detail):
        """Tell the client's owner about a fact."""
        if self._notify:
            try:
                self._notify(event, detail)
            except Exception as error:  # the application's code: whatever it raises must stop here
                self.log.exception("mqtt", "notify " + event, error)

    def _wake(self):
        if self.connection:
            self.connection.wake.set()
