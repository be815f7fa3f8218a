"""MQTT 3.1.1 packets: encoders, into the caller's buffer where there are many, and decoders out of a view.

Section numbers are those of the OASIS standard, "MQTT Version 3.1.1".
"""

import struct

from micropython import const

CONNACK = const(0x20)
PUBLISH = const(0x30)
PUBACK = const(0x40)
SUBACK = const(0x90)
UNSUBACK = const(0xB0)
PINGRESP = const(0xD0)

DUP = const(0x08)  # 3.3.1.1, in the first byte of a PUBLISH

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"

_CONNECT = const(0x10)
_SUBSCRIBE = const(0x82)  # the low bits 0010 are reserved: 3.8.1
_UNSUBSCRIBE = const(0xA2)
_SUBACK_FAILURE = const(0x80)
_REFUSALS = const(5)  # return codes of a CONNACK beside 0

_RECEIVED = (CONNACK, PUBACK, SUBACK, UNSUBACK, PINGRESP)  # beside PUBLISH


class MQTTError(Exception):
    """Whatever goes wrong with an MQTT connection; the text says what and why."""


class Malformed(MQTTError):
    """The peer sent what MQTT 3.1.1 (or this client) does not allow; names the packet and the reason."""

    def __init__(self, first, reason):
        from iot.mqtt import texts

        super().__init__("{}: {}".format(texts.PACKETS[first >> 4], reason))


class Refused(MQTTError):
    """The broker refused the connection.

    `code` is the CONNACK return code (3.2.2.3), None if it hung up before one.
    """

    def __init__(self, reason, code=None):
        super().__init__(reason)
        self.code = code


# Topics


def check_topic(topic):
    """Return `topic` as UTF-8 if it may be published to (4.7); raise ValueError if not."""
    if "+" in topic or "#" in topic:
        raise ValueError('topic "{}": no wildcards in a topic to publish to'.format(topic))
    return _check_string("topic", topic)


def check_filter(topic_filter):
    """Return `topic_filter` as UTF-8 if it may be subscribed to (4.7.1); raise ValueError if not."""
    above, _, last = ("/" + topic_filter).rpartition("/")
    for level in above.split("/") + ["" if last == "#" else last]:
        if "#" in level or ("+" in level and level != "+"):
            raise ValueError('filter "{}": + and # are whole levels, # the last one'.format(topic_filter))
    return _check_string("filter", topic_filter)


def _check_string(what, text):
    data = text.encode()
    if not 1 <= len(data) <= 65535:
        raise ValueError("{}: 1 to 65535 bytes, not {}".format(what, len(data)))
    if "\0" in text:
        raise ValueError("{}: no NUL allowed".format(what))
    return data


# Encoders. Strings come as UTF-8 bytes that were checked before.


def _size(remaining):
    """Bytes of a whole packet: the remaining length takes 1 to 4 of them (2.2.3)."""
    return remaining + (2 if remaining < 128 else 3 if remaining < 16384 else 4 if remaining < 2097152 else 5)


def _header_into(buf, at, first, remaining):
    buf[at] = first
    at += 1
    while remaining > 127:
        buf[at] = remaining & 127 | 128
        remaining >>= 7
        at += 1
    buf[at] = remaining
    return at + 1


def _string_into(buf, at, data):
    struct.pack_into(">H", buf, at, len(data))
    at += 2
    end = at + len(data)
    buf[at:end] = data
    return end


def connect(client_id, keep_alive_s, clean, will=None):
    """A CONNECT (3.1). `will` is (topic, payload, qos, retain)."""
    remaining = 12 + len(client_id)
    flags = 0x02 if clean else 0
    if will:
        topic, payload, qos, retain = will
        remaining += 4 + len(topic) + len(payload)
        flags |= 0x04 | qos << 3 | (0x20 if retain else 0)
    buf = bytearray(_size(remaining))
    at = _string_into(buf, _header_into(buf, 0, _CONNECT, remaining), b"MQTT")
    struct.pack_into(">BBH", buf, at, 4, flags, keep_alive_s)
    at = _string_into(buf, at + 4, client_id)
    if will:
        _string_into(buf, _string_into(buf, at, topic), payload)
    return buf


def publish_size(topic, payload, qos):
    """Bytes that `publish_into` writes."""
    return _size(2 + len(topic) + 2 * qos + len(payload))


def publish_into(buf, at, topic, payload, packet_id, *, retain):
    """Write a PUBLISH (3.3) to `buf` from `at` on; return where it ends. Packet id 0 means QoS 0."""
    qos = 1 if packet_id else 0
    at = _header_into(buf, at, PUBLISH | qos << 1 | retain, 2 + len(topic) + 2 * qos + len(payload))
    at = _string_into(buf, at, topic)
    if qos:
        struct.pack_into(">H", buf, at, packet_id)
        at += 2
    end = at + len(payload)
    buf[at:end] = payload
    return end


def puback_into(buf, at, packet_id):
    """Write a PUBACK (3.4) to `buf` from `at` on; return where it ends."""
    struct.pack_into(">BBH", buf, at, PUBACK, 2, packet_id)
    return at + 4


def subscribe(packet_id, topic_filter, qos):
    """A SUBSCRIBE (3.8) for one filter."""
    buf = _request(_SUBSCRIBE, packet_id, topic_filter, 1)
    buf[-1] = qos
    return buf


def unsubscribe(packet_id, topic_filter):
    """An UNSUBSCRIBE (3.10) for one filter."""
    return _request(_UNSUBSCRIBE, packet_id, topic_filter, 0)


def _request(first, packet_id, topic_filter, extra):
    remaining = 4 + len(topic_filter) + extra
    buf = bytearray(_size(remaining))
    at = _header_into(buf, 0, first, remaining)
    struct.pack_into(">H", buf, at, packet_id)
    _string_into(buf, at + 2, topic_filter)
    return buf


# Decoders. `first` is the packet's first byte, `body` a memoryview of what follows the fixed header.


def check_first(first):
    """Raise Malformed if nothing that a client may receive begins with this byte (2.2)."""
    qos = first >> 1 & 3
    if first & 0xF0 != PUBLISH:
        if first & 0xF0 not in _RECEIVED:
            raise Malformed(first, "not expected")
        if first & 15:
            raise Malformed(first, "reserved flags {:#x} set".format(first & 15))
    elif qos > 1:
        raise Malformed(first, "QoS {} is not supported".format(qos))
    elif not qos and first & DUP:
        raise Malformed(first, "DUP with QoS 0")  # 3.3.1.1


def _check_length(first, body, length):
    if len(body) != length:
        raise Malformed(first, "{} bytes of body instead of {}".format(len(body), length))


def packet_id_from(first, body, at):
    """Decode the packet id at `at` (2.3.1)."""
    if at + 2 > len(body):
        raise Malformed(first, "ends before its packet id")
    packet_id = body[at] << 8 | body[at + 1]
    if not packet_id:
        raise Malformed(first, "packet id 0")
    return packet_id


def connack_from(first, body):
    """Decode a CONNACK (3.2) to whether the broker had kept the session; raise Refused if it refuses."""
    _check_length(first, body, 2)
    present, code = body[0], body[1]
    if present > 1 or (present and code) or code > _REFUSALS:
        raise Malformed(first, "flags {:#x}, return code {}".format(present, code))
    if code:
        from iot.mqtt import texts

        raise Refused("refused by the broker: " + texts.REFUSALS[code], code)
    return bool(present)


def topic_from(first, data):
    """Decode and check the topic of a received PUBLISH (3.3.2.1)."""
    try:
        topic = str(data, "utf-8")
    except UnicodeError:
        raise Malformed(first, "the topic is not UTF-8")
    if not topic or "\0" in topic or "+" in topic or "#" in topic:
        raise Malformed(first, "a topic that is empty, or with wildcard or NUL")
    return topic


def publish_from(first, body):
    """Decode a PUBLISH to (topic, view of the payload, packet id or 0 for QoS 0)."""
    at = 2 + (body[0] << 8 | body[1]) if len(body) >= 2 else 3
    if at > len(body):
        raise Malformed(first, "ends inside its topic")
    topic = topic_from(first, body[2:at])
    if not first & 6:
        return topic, body[at:], 0
    return topic, body[at + 2 :], packet_id_from(first, body, at)


def ack_from(first, body):
    """Decode a PUBACK (3.4) or UNSUBACK (3.11) to its packet id."""
    _check_length(first, body, 2)
    return packet_id_from(first, body, 0)


def suback_from(first, body):
    """Decode the SUBACK (3.9) for one filter to (packet id, granted QoS or None if the broker refused it)."""
    _check_length(first, body, 3)
    code = body[2]
    if code > 1 and code != _SUBACK_FAILURE:
        raise Malformed(first, "return code {:#x}".format(code))
    return packet_id_from(first, body, 0), None if code == _SUBACK_FAILURE else code


def pingresp_from(first, body):
    """Check a PINGRESP (3.13)."""
    _check_length(first, body, 0)


def remaining_from(buf, start, end):
    """Decode the remaining length (2.2.3) of the packet in buf[start:end].

    Returns (remaining length, size of the fixed header), or (0, 0) while more bytes are needed.
    """
    remaining = 0
    for i in range(1, 5):
        if start + i >= end:
            return 0, 0
        byte = buf[start + i]
        remaining |= (byte & 127) << 7 * (i - 1)
        if byte < 128:
            return remaining, i + 1
    raise Malformed(buf[start], "a remaining length of more than 4 bytes")
