"""The MQTT codec: bytes as MQTT 3.1.1 draws them, and what it does not allow."""

from check import raises
from iot.mqtt import packet
from iot.mqtt.packet import Malformed, MQTTError, Refused


class Sized:
    """Something of a length, without the memory."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size


def encoded(topic, payload, packet_id=0, retain=False):
    size = packet.publish_size(topic, payload, 1 if packet_id else 0)
    buf = bytearray(size + 3)
    end = packet.publish_into(buf, 2, topic, payload, packet_id, retain=retain)
    assert end == size + 2 and buf[:2] == b"\0\0" and buf[end] == 0
    return bytes(buf[2:end])


def test_connect_is_as_in_the_standard():
    assert packet.connect(b"me", 60, True) == b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me"
    assert packet.connect(b"me", 0x1234, False)[9:12] == b"\x00\x12\x34"


def test_the_will_is_in_flags_and_payload():
    will = (b"will", b"gone", 1, True)
    data = packet.connect(b"me", 60, False, will)
    assert data == b"\x10\x1a\x00\x04MQTT\x04\x2c\x00\x3c\x00\x02me\x00\x04will\x00\x04gone"
    assert packet.connect(b"me", 60, True, (b"w", b"", 0, False))[9] == 0x06


def test_publish_is_as_in_the_standard():
    assert encoded(b"a/b", b"hi") == b"\x30\x07\x00\x03a/bhi"
    assert encoded(b"a/b", b"hi", 0x1234) == b"\x32\x09\x00\x03a/b\x12\x34hi"
    assert encoded(b"a/b", b"", retain=True) == b"\x31\x05\x00\x03a/b"
    assert encoded(b"a", bytearray(b"xy")) == encoded(b"a", memoryview(b"xy")) == encoded(b"a", b"xy")


def test_the_remaining_length_takes_one_to_four_bytes():
    for payload, header in ((124, 2), (125, 3), (16380, 3), (16381, 4), (2097148, 4), (2097149, 5)):
        size = packet.publish_size(b"t", Sized(payload), 0)
        assert size == header + 3 + payload
    data = encoded(b"t", bytes(16381))
    assert packet.remaining_from(data, 0, len(data)) == (16384, 4)
    assert data[1:4] == b"\x80\x80\x01"


def test_the_remaining_length_waits_for_all_its_bytes():
    assert packet.remaining_from(b"", 0, 0) == (0, 0)
    assert packet.remaining_from(b"\x30", 0, 1) == (0, 0)
    assert packet.remaining_from(b"\x30\xff\xff\xff", 0, 4) == (0, 0)
    assert packet.remaining_from(b"..\x30\xff\xff\xff\x7f", 2, 7) == (268435455, 5)
    raises(Malformed, "PUBLISH: a remaining length", packet.remaining_from, b"\x30\xff\xff\xff\x80", 0, 5)


def test_requests_are_as_in_the_standard():
    assert packet.subscribe(0x0102, b"a/#", 1) == b"\x82\x08\x01\x02\x00\x03a/#\x01"
    assert packet.unsubscribe(0x0102, b"a/#") == b"\xa2\x07\x01\x02\x00\x03a/#"
    buf = bytearray(8)
    assert packet.puback_into(buf, 4, 0xABCD) == 8
    assert buf == b"\0\0\0\0\x40\x02\xab\xcd"


def test_long_filters_get_a_longer_header():
    data = packet.subscribe(1, b"f" * 200, 0)
    assert data[:3] == b"\x82\xcd\x01" and len(data) == 208 and data[-1] == 0


def publish_from(data):
    remaining, header = packet.remaining_from(data, 0, len(data))
    return packet.publish_from(data[0], memoryview(data)[header : header + remaining])


def test_publish_is_decoded():
    topic, payload, packet_id = publish_from(encoded("größe/°".encode(), b"12", 500))
    assert (topic, bytes(payload), packet_id) == ("größe/°", b"12", 500)
    topic, payload, packet_id = publish_from(encoded(b"a", b""))
    assert (topic, bytes(payload), packet_id) == ("a", b"", 0)


def test_the_first_byte_tells_what_is_not_for_a_client():
    good = (0x20, 0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B, 0x40, 0x90, 0xB0, 0xD0)
    for first in range(256):
        if first in good:
            packet.check_first(first)
        else:
            raises(Malformed, "", packet.check_first, first)
    raises(Malformed, "PUBLISH: QoS 2 is not supported", packet.check_first, 0x34)
    raises(Malformed, "PUBLISH: QoS 3 is not supported", packet.check_first, 0x36)
    raises(Malformed, "PUBLISH: DUP with QoS 0", packet.check_first, 0x38)
    raises(Malformed, "CONNACK: reserved flags 0x1 set", packet.check_first, 0x21)
    raises(Malformed, "UNSUBACK: reserved flags 0x2 set", packet.check_first, 0xB2)
    raises(Malformed, "PUBREC: not expected", packet.check_first, 0x50)
    raises(Malformed, "packet type 15: not expected", packet.check_first, 0xF0)


def test_publish_that_is_not_allowed_is_named():
    def decode(first, body):
        return packet.publish_from(first, memoryview(body))

    raises(Malformed, "ends inside its topic", decode, 0x30, b"")
    raises(Malformed, "ends inside its topic", decode, 0x30, b"\0")
    raises(Malformed, "ends inside its topic", decode, 0x30, b"\0\5abcd")
    raises(Malformed, "ends before its packet id", decode, 0x32, b"\0\1a\0")
    raises(Malformed, "packet id 0", decode, 0x32, b"\0\1a\0\0")
    raises(Malformed, "not UTF-8", decode, 0x30, b"\0\2\xff\xfe")
    for topic in (b"", b"a+", b"#", b"a\0b"):
        raises(Malformed, "empty, or with wildcard or NUL", decode, 0x30, b"\0" + bytes([len(topic)]) + topic)


def test_connack_is_decoded_and_refusals_are_named():
    assert packet.connack_from(0x20, b"\0\0") is False
    assert packet.connack_from(0x20, b"\1\0") is True
    names = ("protocol version", "identifier", "unavailable", "user name or password", "not authorized")
    for i, name in enumerate(names):
        error = raises(Refused, name, packet.connack_from, 0x20, bytes([0, i + 1]))
        assert error.code == i + 1 and isinstance(error, MQTTError)
    raises(Malformed, "CONNACK: flags 0x0, return code 6", packet.connack_from, 0x20, b"\0\6")
    raises(Malformed, "CONNACK: flags 0x1, return code 5", packet.connack_from, 0x20, b"\1\5")
    raises(Malformed, "CONNACK: flags 0x2", packet.connack_from, 0x20, b"\2\0")
    raises(Malformed, "CONNACK: 3 bytes of body instead of 2", packet.connack_from, 0x20, b"\0\0\0")


def test_acks_are_decoded_strictly():
    assert packet.ack_from(packet.PUBACK, b"\1\2") == 258
    raises(Malformed, "PUBACK: packet id 0", packet.ack_from, packet.PUBACK, b"\0\0")
    raises(Malformed, "PUBACK: 1 bytes of body instead of 2", packet.ack_from, packet.PUBACK, b"\0")
    assert packet.suback_from(packet.SUBACK, b"\0\1\1") == (1, 1)
    assert packet.suback_from(packet.SUBACK, b"\0\1\x80") == (1, None)
    raises(Malformed, "SUBACK: return code 0x2", packet.suback_from, packet.SUBACK, b"\0\1\2")
    raises(Malformed, "SUBACK: 4 bytes", packet.suback_from, packet.SUBACK, b"\0\1\0\0")
    packet.pingresp_from(packet.PINGRESP, b"")
    raises(Malformed, "PINGRESP: 1 bytes", packet.pingresp_from, packet.PINGRESP, b"x")


def test_topics_are_checked():
    assert packet.check_topic("°/$x") == "°/$x".encode()
    raises(ValueError, 'topic "a/+/b": no wildcards', packet.check_topic, "a/+/b")
    raises(ValueError, "no wildcards", packet.check_topic, "#")
    raises(ValueError, "topic: 1 to 65535 bytes, not 0", packet.check_topic, "")
    raises(ValueError, "topic: 1 to 65535 bytes, not 65536", packet.check_topic, "a" * 65536)
    raises(ValueError, "no NUL", packet.check_topic, "a\0")


def test_filters_are_checked():
    for good in ("#", "+", "a/#", "+/+/b", "/", "a//+", "$aws/#"):
        assert packet.check_filter(good) == good.encode()
    for bad in ("a#", "#/a", "a/#/b", "##", "/#/", "#+", "a+", "+a/b", "a/++"):
        raises(ValueError, "+ and # are whole levels, # the last one", packet.check_filter, bad)
    raises(ValueError, "filter: 1 to 65535 bytes, not 0", packet.check_filter, "")
    raises(ValueError, "filter: no NUL", packet.check_filter, "\0")
