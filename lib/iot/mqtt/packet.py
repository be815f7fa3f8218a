"""MQTT 3.1.1 packets: what a session sends, and a byte stream cut into what it receives.

Section numbers are those of the OASIS standard, "MQTT Version 3.1.1".
"""

from micropython import const

from iot.memory import borrow

_PUBLISH = const(0x30)
_CONNACK = const(0x20)
_SUBSCRIBE = const(0x82)  # the low bits 0010 are reserved: 3.8.1
_UNSUBSCRIBE = const(0xA2)


class MQTTError(Exception):
    """Whatever goes wrong with an MQTT connection; the text says what and why."""


class Starved(MQTTError):
    """There was no memory for a connection: the next attempt meets the same."""


class Refused(MQTTError):
    """The broker refused the connection.

    `code` is the CONNACK return code (3.2.2.3), or the number of a TLS alert (RFC 5246, 7.2), which is 40 or
    more; None if it hung up without either.
    """

    code = None


def malformed(first, fault="first", *values):
    """The MQTTError for what the peer may not send: a packet by its first byte, a fault of faults.FAULTS."""
    return MQTTError(borrow("iot.mqtt.faults").malformed(first, fault, values))


# Encoders. Strings come as UTF-8 bytes that were checked before.


def header(first, remaining):
    """The fixed header (2.2): the first byte, and how many bytes follow, in 1 to 4 bytes."""
    data = bytearray((first,))
    while remaining > 127:
        data.append(remaining & 127 | 128)
        remaining >>= 7
    data.append(remaining)
    return data


def string(data):
    """A string or other binary data, with its length in front (1.5.3)."""
    return len(data).to_bytes(2, "big") + data


def publish(topic, size, packet_id, retain):
    """A PUBLISH (3.3) up to its payload of `size` bytes. Packet id 0 means QoS 0."""
    data = string(topic)
    if packet_id:
        data += packet_id.to_bytes(2, "big")
    return header(_PUBLISH | (2 if packet_id else 0) | retain, len(data) + size) + data


def request(packet_id, topic_filter, qos):
    """A SUBSCRIBE (3.8) for one filter; with QoS None an UNSUBSCRIBE (3.10)."""
    body = packet_id.to_bytes(2, "big") + string(topic_filter)
    if qos is None:
        return header(_UNSUBSCRIBE, len(body)) + body
    return header(_SUBSCRIBE, len(body) + 1) + body + bytes((qos,))


def puback(packet_id):
    """A PUBACK (3.4)."""
    return bytes((0x40, 2, packet_id >> 8, packet_id & 255))


# Decoders


def _packet_id(first, data, at):
    packet_id = data[at] << 8 | data[at + 1]
    if not packet_id:
        raise malformed(first, "packet_id")  # 2.3.1
    return packet_id


def _topic(first, data):
    try:
        topic = str(data, "utf-8")
    except UnicodeError:
        raise malformed(first, "utf-8")
    if not topic or "\0" in topic or "+" in topic or "#" in topic:  # 3.3.2.1
        raise malformed(first, "topic")
    return topic


class Framer:
    """Cuts a byte stream into packets, in one buffer of `limit` bytes that is made once.

    A PUBLISH over the limit passes through without being kept. All that is found holds until the next call.

    buffer: a bytearray of that size or more, if it is there already.

    Attributes:
        limit: as given.
        body: view of what follows the fixed header; of a PUBLISH the payload, None if it was not kept.
        packet_id: 0 in a packet without one.
        topic: of a PUBLISH; None if not even that could be kept.
        size: of a PUBLISH, in bytes.
    """

    def __init__(self, limit, buffer=None):
        self.limit = limit
        self._view = memoryview(buffer or bytearray(limit))[:limit]
        self.reset()

    def reset(self):
        """Begin with a new stream."""
        self._start = self._end = 0
        self._skip = self._passing = self._rest = 0
        self.body = self.topic = None

    def room(self):
        """A view to read the next bytes into; then call `fed`."""
        if self._start:
            held = self._end - self._start
            self._view[:held] = self._view[self._start : self._end]
            self._start, self._end = 0, held
        return self._view[self._end :]

    def fed(self, count):
        """`count` bytes were read into `room`."""
        self._end += count

    def next(self):
        """The first byte of the next packet, None if it is not all there; MQTTError if it cannot be."""
        if self._skip or self._passing:
            return self._pass()
        start, end, view = self._start, self._end, self._view
        if start == end:
            return None
        first = view[start]
        if (
            first not in b"\x20\x30\x31\x32\x33\x3a\x3b\x40\x90\xb0\xd0"
        ):  # all that a client may receive (2.2)
            raise malformed(first)
        remaining = shift = 0  # the length of what follows: 2.2.3
        at = start + 1
        while True:
            if shift > 21:
                raise malformed(first, "length")
            if at == end:
                return None
            remaining |= (view[at] & 127) << shift
            shift += 7
            at += 1
            if view[at - 1] < 128:
                break
        stop = at + remaining
        if first & 0xF0 == _PUBLISH:
            return self._publish(first, at, stop)
        expected = b"\0\0\2\0\2\0\0\0\0\3\0\2\0\0"[first >> 4]
        if remaining != expected:
            raise malformed(first, "body", remaining, expected)
        if stop > end:
            return None
        self.packet_id = _packet_id(first, view, at) if remaining and first != _CONNACK else 0
        self.body = view[at:stop]
        self._start = stop
        return first

    def _publish(self, first, at, stop):
        size = stop - self._start
        kept = size <= self.limit
        if (stop if kept else at + 2) > self._end:
            return None
        view = self._view
        id_at = at + 2 + (view[at] << 8 | view[at + 1]) if stop >= at + 2 else stop + 1
        payload_at = id_at + (first & 2)  # the bit of QoS 1, and the bytes of a packet id
        if payload_at > stop:
            raise malformed(first, "end")
        self.topic = None
        self.size = size
        if id_at - self._start <= self.limit:
            if id_at > self._end:
                return None
            self.topic = _topic(first, view[at + 2 : id_at])
        if kept:
            self.packet_id = _packet_id(first, view, id_at) if payload_at > id_at else 0
            self.body = view[payload_at:stop]
            self._start = stop
            return first
        self._passing = first
        self._skip = id_at - self._start
        self._rest = stop - payload_at
        return self.next()

    def _pass(self):
        """Go on in a PUBLISH that is not kept: skip its topic, take its packet id, skip the payload."""
        skipped = min(self._skip, self._end - self._start)
        self._start += skipped
        self._skip -= skipped
        if self._skip:
            return None
        first = self._passing
        if not first:
            return self.next()
        self.packet_id = 0
        if first & 2:
            if self._end - self._start < 2:
                return None
            self.packet_id = _packet_id(first, self._view, self._start)
            self._start += 2
        self._skip = self._rest
        self._passing = 0
        self.body = None
        return first
