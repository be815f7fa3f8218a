"""What the client sends, as MQTT 3.1.1 draws it; what the broker may answer; and what cannot be asked for."""

from check import raises
from iot.mqtt import checks, handshake, packet
from iot.mqtt.packet import MQTTError, Refused


def encoded(topic, payload, packet_id=0, retain=False):
    return bytes(packet.publish(topic, len(payload), packet_id, retain) + payload)


def test_connect_is_as_in_the_standard():
    assert handshake.connect(b"me", 60, True) == b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02me"
    assert handshake.connect(b"me", 0x1234, False)[9:12] == b"\x00\x12\x34"


def test_the_will_is_in_flags_and_payload():
    will = (b"will", b"gone", 1, True)
    data = handshake.connect(b"me", 60, False, will)
    assert data == b"\x10\x1a\x00\x04MQTT\x04\x2c\x00\x3c\x00\x02me\x00\x04will\x00\x04gone"
    assert handshake.connect(b"me", 60, True, (b"w", b"", 0, False))[9] == 0x06


def test_publish_is_as_in_the_standard():
    assert encoded(b"a/b", b"hi") == b"\x30\x07\x00\x03a/bhi"
    assert encoded(b"a/b", b"hi", 0x1234) == b"\x32\x09\x00\x03a/b\x12\x34hi"
    assert encoded(b"a/b", b"", retain=True) == b"\x31\x05\x00\x03a/b"
    assert encoded(b"a/b", b"", 1, True)[0] == 0x33


def test_the_remaining_length_takes_one_to_four_bytes():
    for remaining, length in (
        (0, b"\0"),
        (127, b"\x7f"),
        (128, b"\x80\1"),
        (16383, b"\xff\x7f"),
        (16384, b"\x80\x80\1"),
        (2097151, b"\xff\xff\x7f"),
        (2097152, b"\x80\x80\x80\1"),
        (268435455, b"\xff\xff\xff\x7f"),
    ):
        assert packet.header(0x30, remaining) == b"\x30" + length


def test_requests_are_as_in_the_standard():
    assert packet.request(0x0102, b"a/#", 1) == b"\x82\x08\x01\x02\x00\x03a/#\x01"
    assert packet.request(0x0102, b"a/#", 0) == b"\x82\x08\x01\x02\x00\x03a/#\x00"
    assert packet.request(0x0102, b"a/#", None) == b"\xa2\x07\x01\x02\x00\x03a/#"
    assert packet.puback(0xABCD) == b"\x40\x02\xab\xcd"


def test_long_filters_get_a_longer_header():
    data = packet.request(1, b"f" * 200, 0)
    assert data[:3] == b"\x82\xcd\x01" and len(data) == 208 and data[-1] == 0


def test_connack_is_decoded_and_refusals_are_named():
    assert handshake.accepted(0x20, b"\0\0") is False
    assert handshake.accepted(0x20, b"\1\0") is True
    names = ("protocol version", "identifier", "unavailable", "user name or password", "not authorized")
    for i, name in enumerate(names):
        error = raises(Refused, name, handshake.accepted, 0x20, bytes([0, i + 1]))
        assert error.code == i + 1 and isinstance(error, MQTTError)
    assert Refused("hung up").code is None
    raises(MQTTError, "CONNACK: flags 0x0, return code 6", handshake.accepted, 0x20, b"\0\6")
    raises(MQTTError, "CONNACK: flags 0x1, return code 5", handshake.accepted, 0x20, b"\1\5")
    raises(MQTTError, "CONNACK: flags 0x2", handshake.accepted, 0x20, b"\2\0")


def test_topics_are_checked():
    checks.message("°/$x", 1)
    raises(ValueError, "QoS 2: only 0 and 1", checks.message, "a", 2)
    raises(ValueError, 'topic "a/+/b": no wildcards', checks.message, "a/+/b", 0)
    raises(ValueError, "no wildcards", checks.message, "#", 0)
    raises(ValueError, "topic: 1 to 65535 bytes, not 0", checks.message, "", 0)
    raises(ValueError, "topic: 1 to 65535 bytes, not 65536", checks.message, "a" * 65536, 0)
    raises(ValueError, "no NUL", checks.message, "a\0", 0)


def test_filters_are_checked():
    def check(topic_filter):
        checks.subscription(topic_filter, 1, 1)

    for good in ("#", "+", "a/#", "+/+/b", "/", "a//+", "$aws/#"):
        check(good)
    for bad in ("a#", "#/a", "a/#/b", "##", "/#/", "#+", "a+", "+a/b", "a/++"):
        raises(ValueError, "+ and # are whole levels, # the last one", check, bad)
    raises(ValueError, "filter: 1 to 65535 bytes, not 0", check, "")
    raises(ValueError, "filter: no NUL", check, "\0")
