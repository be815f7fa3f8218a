"""Packets out of a byte stream, and those too long to keep."""

from check import raises
from iot.mqtt.framer import Framer
from iot.mqtt.packet import Malformed
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
            found.append((first, framer.oversize if framer.oversize else bytes(framer.body)))
    return found


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
    (0x30, b"\x00\x03a/b" + b"x" * 20),
    (0xD0, b""),
    (0x30, ("big/0", 0, 310)),
    (0x32, ("big/1", 77, 312)),
    (0x32, (None, 78, 167)),
    (0x30, (None, 0, 165)),
    (0x30, b"\x00\x04full" + b"f" * 56),
    (0x40, b"\x00\x09"),
]


def test_the_pieces_of_the_stream_do_not_matter():
    for piece in range(1, 70):
        assert feed(Framer(64), STREAM, piece) == FOUND, piece


def test_a_large_buffer_takes_all_at_once():
    found = feed(Framer(4096), STREAM, 4096)
    assert [first for first, _ in found] == [first for first, _ in FOUND]
    assert not [rest for _, rest in found if isinstance(rest, tuple)]


def test_a_packet_as_long_as_the_buffer_fits_and_one_byte_more_does_not():
    assert feed(Framer(64), publish("a", b"x" * 59), 64) == [(0x30, b"\0\1a" + b"x" * 59)]
    assert feed(Framer(64), publish("a", b"x" * 60), 64) == [(0x30, ("a", 0, 65))]


def test_the_buffer_grows_to_the_longest_packet_within_the_limit():
    stream = (
        publish("a", b"x" * 900) + publish("b", b"y" * 3000) + publish("c", b"z" * 4092) + publish("d", b"w")
    )
    for piece in (1, 100, 1023, 4096):
        found = feed(Framer(4096), stream, piece)
        assert [len(rest) for _, rest in found[:2]] == [903, 3003], piece
        assert found[2:] == [(0x30, ("c", 0, 4098)), (0x30, b"\0\1dw")]


def test_reset_forgets_what_was_begun():
    framer = Framer(64)
    assert feed(framer, publish("a", b"x" * 1000)[:100], 64) == [(0x30, ("a", 0, 1006))]
    framer.reset()
    assert feed(framer, b"\xd0\x00", 64) == [(0xD0, b"")]


def test_what_cannot_be_kept_or_passed_is_malformed():
    def first(data):
        return feed(Framer(64), data, 64)

    raises(Malformed, "SUBACK: 203 bytes", first, b"\x90\xc8\x01" + bytes(61))
    raises(Malformed, "PUBLISH: QoS 2 is not supported", first, publish("a", bytes(100), 2))
    raises(Malformed, "PUBLISH: ends inside its topic", first, b"\x30\xc8\x01\xff\xff" + bytes(50))
    raises(Malformed, "PUBLISH: packet id 0", first, publish("a", bytes(100), 1, 0))
    raises(Malformed, "empty, or with wildcard", first, publish("a/#", bytes(100)))
    raises(Malformed, "PUBLISH: a remaining length of more than 4 bytes", first, b"\x30\xff\xff\xff\xff\x01")
