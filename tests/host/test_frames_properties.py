"""Properties of frames: what is split is joined, and nothing else ever comes out as a message."""

from hypothesis import given, settings
from hypothesis import strategies as st
from iot.ble.codes import Refused
from iot.ble.frames import MESSAGE_MAX, Assembler, split
from phone import frames

MTUS = range(23, 518)
REASONS = {"MISSING_PACKETS", "TOO_LARGE", "INVALID_REQUEST"}
LONGEST = bytes(i % 251 for i in range(MESSAGE_MAX))

channels = st.integers(1, 4)
messages = st.binary(min_size=1, max_size=600)
streams = st.lists(st.tuples(channels, st.binary(max_size=40)), max_size=60)


def taken(assembler: Assembler, stream: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The messages that a stream of frames gives, each with its characteristic."""
    found = []
    for channel, frame in stream:
        try:
            message = assembler.add(channel, frame)
        except Refused as error:
            assert error.name in REASONS
            continue
        if message is not None:
            found.append((channel, bytes(message)))
    return found


def test_every_mtu_carries_messages_of_every_kind_of_length() -> None:
    assembler = Assembler()
    for mtu in MTUS:
        size = mtu - 4
        for length in {1, size - 1, size, size + 1, 2 * size, 63 * size, 64 * size + 1, MESSAGE_MAX}:
            message = LONGEST[:length]
            parts = list(split(message, mtu))
            assert parts == frames(message, size)
            assert taken(assembler, [(1, part) for part in parts]) == [(1, LONGEST[:length])]


def test_every_length_is_carried() -> None:
    assembler = Assembler()
    for length in range(1, MESSAGE_MAX + 1):
        parts = [(2, part) for part in split(LONGEST[:length], 247)]
        assert taken(assembler, parts) == [(2, LONGEST[:length])]


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=MESSAGE_MAX), st.sampled_from(MTUS), channels)
def test_what_is_split_is_joined(message: bytes, mtu: int, channel: int) -> None:
    parts = list(split(message, mtu))
    assert all(2 <= len(part) <= mtu - 3 for part in parts)
    assert taken(Assembler(), [(channel, part) for part in parts]) == [(channel, message)]


@settings(max_examples=500, deadline=None)
@given(streams)
def test_any_frames_are_refused_or_whole(stream: list[tuple[int, bytes]]) -> None:
    """A message that comes out stands in the stream: on one characteristic, in order, from first to last."""
    assembler = Assembler()
    for at in range(len(stream)):
        for channel, message in taken(assembler, stream[at : at + 1]):
            count = next(n for n in range(1, at + 2) if stream[at + 1 - n][1][0] & 0x80)
            run = stream[at + 1 - count : at + 1]
            assert {number for number, _ in run} == {channel}
            assert [frame[0] & 0x3F for _, frame in run] == [number % 64 for number in range(count)]
            assert b"".join(frame[1:] for _, frame in run) == message
    whole = [(3, part) for part in frames(b"after all that, a message is a message", 19)]
    assert taken(assembler, whole) == [(3, b"after all that, a message is a message")]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(channels, messages), min_size=1, max_size=5), st.data())
def test_lost_doubled_and_swapped_frames_give_no_message_that_was_not_sent(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = [(channel, part) for channel, message in sent for part in frames(message, 19)]
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(stream) - 1))
        match data.draw(st.sampled_from(["lose", "double", "swap"])):
            case "lose" if len(stream) > 1:
                del stream[at]
            case "double":
                stream.insert(at, stream[at])
            case _:
                other = data.draw(st.integers(0, len(stream) - 1))
                stream[at], stream[other] = stream[other], stream[at]
    assert set(taken(Assembler(), stream)) <= set(sent)


@settings(max_examples=100, deadline=None)
@given(st.integers(MESSAGE_MAX + 1, 70_000), st.sampled_from(MTUS))
def test_a_message_that_is_too_long_is_refused_once(length: int, mtu: int) -> None:
    assembler = Assembler()
    refused = []
    for frame in frames(bytes(length), mtu - 4):
        try:
            assert assembler.add(2, frame) is None
        except Refused as error:
            refused.append((error.name, bool(frame[0] & 0x40)))
    assert refused == [("TOO_LARGE", True)]
