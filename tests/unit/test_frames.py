"""Messages in frames, as docs/ble.md lays them out."""

from check import raises
from fakes import Without
from iot.ble import frames as module
from iot.ble.codes import Refused
from iot.ble.frames import MESSAGE_MAX, Assembler, split
from phone import frames


def message_of(size):
    return bytes([i % 251 for i in range(size)])


def joined(assembler, channel, parts):
    """What the last of some frames gives; those before give nothing."""
    for part in parts[:-1]:
        assert assembler.add(channel, part) is None
    message = assembler.add(channel, parts[-1])
    return None if message is None else bytes(message)


def refused(name, assembler, channel, parts):
    """The last of some frames is answered with an error, those before with nothing."""
    for part in parts[:-1]:
        assert assembler.add(channel, part) is None
    error = raises(Refused, name, assembler.add, channel, parts[-1])
    assert error.name == name


def test_frames_byte_by_byte():
    assert list(split(b"abc", 23)) == [b"\xc0abc"]
    assert list(split(b"x" * 19, 23)) == [b"\xc0" + b"x" * 19]
    assert list(split(b"x" * 19 + b"y", 23)) == [b"\x80" + b"x" * 19, b"\x41y"]
    assert list(split(b"x" * 38, 23)) == [b"\x80" + b"x" * 19, b"\x41" + b"x" * 19]  # no empty one behind
    assert list(split(b"x" * 39, 23)) == [b"\x80" + b"x" * 19, b"\x01" + b"x" * 19, b"\x42x"]
    assert list(split(bytearray(b"abc"), 247)) == list(split(memoryview(b"abc"), 247)) == [b"\xc0abc"]


def test_no_frame_is_longer_than_the_mtu_allows():
    for mtu in (23, 24, 185, 247, 517):
        parts = list(split(message_of(3000), mtu))
        assert max([len(part) for part in parts]) == mtu - 3
        assert parts == frames(message_of(3000), mtu - 4)


def test_the_sequence_number_begins_again_after_63():
    parts = list(split(message_of(70 * 19), 23))
    assert [part[0] & 63 for part in parts[62:67]] == [62, 63, 0, 1, 2]
    assert [part[0] >> 6 for part in parts] == [2] + 68 * [0] + [1]
    assert joined(Assembler(), 1, parts) == message_of(70 * 19)


def test_what_is_split_is_joined():
    assembler = Assembler()
    for size in (
        MESSAGE_MAX,
        1,
        19,
        20,
        255,
        256,
        MESSAGE_MAX,
    ):  # all in one buffer
        for mtu in (23, 247):
            assert joined(assembler, 2, frames(message_of(size), mtu - 4)) == message_of(size)


def test_frames_of_any_sizes_are_joined():
    assert joined(Assembler(), 4, [b"\x80a", b"\x01bcd", b"\x42" + b"e" * 500]) == b"abcd" + b"e" * 500


def test_a_missing_frame_is_told_with_the_last_one_and_the_message_comes_again():
    whole = message_of(200)
    parts = frames(whole)
    for lost in range(len(parts) - 1):
        assembler = Assembler()
        refused("MISSING_PACKETS", assembler, 3, parts[:lost] + parts[lost + 1 :])
        assert joined(assembler, 3, parts) == whole


def test_frames_twice_or_in_the_wrong_order():
    a, b, c, d = frames(message_of(70))
    for parts in ([a, b, b, c, d], [a, c, b, d], [b, a, c, d], [a, b, d], [a, c, c, d]):
        refused("MISSING_PACKETS", Assembler(), 1, parts)
    assert joined(Assembler(), 1, [a, b, a, b, c, d]) == message_of(70)  # begun anew


def test_a_message_whose_last_frame_is_lost_is_dropped_by_the_next():
    assembler = Assembler()
    for part in frames(b"the first message, which is longer")[:-1]:
        assert assembler.add(2, part) is None
    assert joined(assembler, 2, frames(b"the second")) == b"the second"
    for part in frames(b"the third message, which is longer")[:-1]:
        assert assembler.add(2, part) is None
    assert joined(assembler, 3, frames(b"the fourth")) == b"the fourth"


def test_frames_of_two_characteristics_are_not_mixed():
    a, b, c = frames(message_of(50))
    assembler = Assembler()
    assert assembler.add(2, a) is None and assembler.add(3, b) is None
    raises(Refused, "MISSING_PACKETS", assembler.add, 2, c)
    refused("MISSING_PACKETS", assembler, 3, [b, c])
    assert joined(assembler, 3, [a, b, c]) == message_of(50)


def test_a_first_frame_begins_with_zero():
    for first in (b"\x81abc", b"\xc1abc", b"\xffabc"):
        assembler = Assembler()
        parts = [first] if first[0] & 0x40 else [first, b"\x42abc"]
        refused("MISSING_PACKETS", assembler, 1, parts)
        assert joined(assembler, 1, [b"\xc0abc"]) == b"abc"


def test_frames_without_a_beginning():
    assembler = Assembler()
    for _ in range(3):
        assert assembler.add(1, b"\x05abc") is None
    raises(Refused, "MISSING_PACKETS", assembler.add, 1, b"\x46abc")
    raises(Refused, "MISSING_PACKETS", assembler.add, 1, b"\x40abc")  # nor one that would be the very next


def test_frames_without_a_byte_of_the_message():
    for empty in (b"", b"\x40", b"\xc0", b"\xff"):
        raises(Refused, "INVALID_REQUEST", Assembler().add, 1, empty)
    assembler = Assembler()
    refused("INVALID_REQUEST", assembler, 1, [b"\x80", b"\x01abc", b"\x42abc"])
    refused("INVALID_REQUEST", assembler, 1, [b"\x80abc", b"\x01", b"\x42abc"])
    refused("INVALID_REQUEST", assembler, 1, [b"\x80abc", b""])
    assert joined(assembler, 1, [b"\xc0abc"]) == b"abc"


def test_a_message_that_is_too_long_is_told_once():
    assembler = Assembler()
    refused("TOO_LARGE", assembler, 2, frames(message_of(MESSAGE_MAX + 1)))
    refused("TOO_LARGE", assembler, 2, frames(message_of(65536), 243))
    assert joined(assembler, 2, frames(message_of(MESSAGE_MAX))) == message_of(MESSAGE_MAX)


def test_frames_as_any_kind_of_bytes():
    for kind in (bytes, bytearray, memoryview):
        assert joined(Assembler(), 1, [kind(part) for part in frames(message_of(50))]) == message_of(50)


def test_there_may_be_no_memory_for_a_long_message():
    assembler, parts = Assembler(), frames(message_of(3000), 243)
    with Without(module, "bytearray"):
        refused("TOO_LARGE", assembler, 2, parts)
        assert joined(assembler, 2, frames(message_of(1500), 243)) == message_of(1500)
    assert joined(assembler, 2, parts) == message_of(3000)
