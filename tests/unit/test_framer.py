"""Packets out of a byte stream, and those too long to keep."""

from check import raises
from iot.mqtt.packet import Framer, MQTTError
from stream import publish


def feed(framer, data, piece):
    """Everything found when `data` comes in pieces of `piece` bytes, where there is room."""
    found = []
    while data:
        room = framer.room()
        count = min(len(room), piece, len(data))
        assert count, "no room for the next byte"
        room[:count] = data[:count]
        framer.fed(count)
        data = data[count:]
        while (first := framer.next()) is not None:
            found.append((first,) + decoded(first, framer))
    return found


def decoded(first, framer):
    """What the framer tells of a packet; the size in place of a payload that was not kept."""
    body = framer.size if framer.body is None else bytes(framer.body)
    return (framer.topic, framer.packet_id, body) if first & 0xF0 == 0x30 else (body,)


STREAM = (
    b"\x20\x02\x00\x00"
    + publish("a/b", b"x" * 20)
    + b"\xd0\x00"
    + publish("big/0", b"y" * 300)
    + publish("big/1", b"z" * 300, 1, 77)
    + publish("t" * 150, b"long topic", 1, 78)
    + publish("t" * 150, b"long topic", 0)
    + publish("full", b"f" * 56)
    + b"\x40\x02\x00\x09"
)
FOUND = [
    (0x20, b"\x00\x00"),
    (0x30, "a/b", 0, b"x" * 20),
    (0xD0, b""),
    (0x30, "big/0", 0, 310),
    (0x32, "big/1", 77, 312),
    (0x32, None, 78, 167),
    (0x30, None, 0, 165),
    (0x30, "full", 0, b"f" * 56),
    (0x40, b"\x00\x09"),
]


def test_the_pieces_of_the_stream_do_not_matter():
    for piece in range(1, 70):
        assert feed(Framer(64), STREAM, piece) == FOUND, piece


def test_a_large_buffer_takes_all_at_once():
    found = feed(Framer(4096), STREAM, 4096)
    assert [packet[0] for packet in found] == [packet[0] for packet in FOUND]
    assert found[3:5] == [(0x30, "big/0", 0, b"y" * 300), (0x32, "big/1", 77, b"z" * 300)]
    assert found[5:7] == [(0x32, "t" * 150, 78, b"long topic"), (0x30, "t" * 150, 0, b"long topic")]


def test_a_packet_as_long_as_the_buffer_fits_and_one_byte_more_does_not():
    assert feed(Framer(64), publish("a", b"x" * 59), 64) == [(0x30, "a", 0, b"x" * 59)]
    assert feed(Framer(64), publish("a", b"x" * 60), 64) == [(0x30, "a", 0, 65)]


def test_the_buffer_grows_to_the_longest_packet_within_the_limit():
    stream = (
        publish("a", b"x" * 900) + publish("b", b"y" * 3000) + publish("c", b"z" * 4092) + publish("d", b"w")
    )
    for piece in (1, 100, 1023, 4096):
        found = feed(Framer(4096), stream, piece)
        assert found[:2] == [(0x30, "a", 0, b"x" * 900), (0x30, "b", 0, b"y" * 3000)], piece
        assert found[2:] == [(0x30, "c", 0, 4098), (0x30, "d", 0, b"w")], piece


def test_all_streams_share_the_buffer_that_was_made_first():
    framer = Framer(4096)
    feed(framer, publish("a", b"x" * 3000), 4096)
    room = framer.room()
    assert len(room) == 4096
    framer.reset()
    framer.room()[0] = 77
    assert room[0] == 77


def test_reset_forgets_what_was_begun():
    framer = Framer(64)
    assert feed(framer, publish("a", b"x" * 1000)[:100], 64) == [(0x30, "a", 0, 1006)]
    framer.reset()
    assert feed(framer, b"\xd0\x00", 64) == [(0xD0, b"")]


def test_publish_is_decoded():
    for topic, payload, packet_id in (("größe/°", b"12", 500), ("$x", b"", 65535), ("a", b"x" * 40, 1)):
        data = publish(topic, payload, 1, packet_id)
        data = data.replace(b"\0" + bytes([len(topic)]), b"\0" + bytes([len(topic.encode())]), 1)
        assert feed(Framer(64), data, 64) == [(0x32, topic, packet_id, payload)]


def test_the_remaining_length_takes_one_to_four_bytes():
    for length, size in (
        (b"\x7f", 129),
        (b"\x80\1", 131),
        (b"\xff\x7f", 16386),
        (b"\x80\x80\1", 16388),
        (b"\xff\xff\x7f", 2097155),
        (b"\x80\x80\x80\1", 2097157),
        (b"\xff\xff\xff\x7f", 268435460),
    ):
        assert feed(Framer(64), b"\x30" + length + b"\0\1t", 64) == [(0x30, "t", 0, size)]


def test_the_first_byte_tells_what_is_not_for_a_client():
    bodies = {0x20: b"\0\0", 0x40: b"\0\1", 0x90: b"\0\1\0", 0xB0: b"\0\1", 0xD0: b""}
    for first in range(256):
        body = bodies.get(first, b"\0\1t\0\1")
        data = bytes([first, len(body)]) + body
        if first in (0x20, 0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B, 0x40, 0x90, 0xB0, 0xD0):
            assert feed(Framer(64), data, 64)[0][0] == first
        else:
            raises(MQTTError, "", feed, Framer(64), data, 64)
            raises(MQTTError, "", feed, Framer(64), data[:1], 1)  # at once


def test_what_is_not_allowed_is_named():
    for data, text in (
        (b"\x34\0", "PUBLISH: QoS 2 is not supported"),
        (b"\x36\0", "PUBLISH: QoS 3 is not supported"),
        (b"\x38\0", "PUBLISH: DUP with QoS 0"),
        (b"\x21\2\0\0", "CONNACK: reserved flags 0x1 set"),
        (b"\xb2\2\0\1", "UNSUBACK: reserved flags 0x2 set"),
        (b"\x50\2\0\1", "PUBREC: not expected"),
        (b"\xf0\0", "packet type 15: not expected"),
        (b"\x30\0", "PUBLISH: ends inside its topic"),
        (b"\x30\1\0", "PUBLISH: ends inside its topic"),
        (b"\x30\6\0\5abcd", "PUBLISH: ends inside its topic"),
        (b"\x32\4\0\1a\0", "PUBLISH: ends inside its topic or packet id"),
        (b"\x32\5\0\1a\0\0", "PUBLISH: packet id 0"),
        (b"\x30\4\0\2\xff\xfe", "PUBLISH: the topic is not UTF-8"),
        (b"\x40\2\0\0", "PUBACK: packet id 0"),
        (b"\x90\3\0\0\1", "SUBACK: packet id 0"),
        (b"\xb0\2\0\0", "UNSUBACK: packet id 0"),
        (b"\x40\1\1", "PUBACK: 1 bytes of body instead of 2"),
        (b"\x20\3\0\0\0", "CONNACK: 3 bytes of body instead of 2"),
        (b"\x90\4\0\1\0\0", "SUBACK: 4 bytes of body instead of 3"),
        (b"\xd0\1x", "PINGRESP: 1 bytes of body instead of 0"),
    ):
        raises(MQTTError, text, feed, Framer(64), data, 64)
    for topic in (b"", b"a+", b"#", b"a\0b"):
        data = b"\x30" + bytes([2 + len(topic), 0, len(topic)]) + topic
        raises(MQTTError, "empty, or with wildcard or NUL", feed, Framer(64), data, 64)


def test_what_cannot_be_kept_or_passed_is_named_too():
    def first(data):
        return feed(Framer(64), data, 64)

    raises(MQTTError, "SUBACK: 200 bytes of body instead of 3", first, b"\x90\xc8\x01" + bytes(61))
    raises(MQTTError, "PUBLISH: QoS 2 is not supported", first, publish("a", bytes(100), 2))
    raises(MQTTError, "PUBLISH: ends inside its topic", first, b"\x30\xc8\x01\xff\xff" + bytes(50))
    raises(MQTTError, "PUBLISH: packet id 0", first, publish("a", bytes(100), 1, 0))
    raises(MQTTError, "empty, or with wildcard", first, publish("a/#", bytes(100)))
    raises(MQTTError, "PUBLISH: a remaining length of more than 4 bytes", first, b"\x30\xff\xff\xff\xff\x01")
