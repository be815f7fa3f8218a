"""Properties of the MQTT codec: round trips, and that what the network sends raises MQTTError or nothing."""

import tracemalloc
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from iot.mqtt import checks, handshake, packet
from iot.mqtt.packet import Framer, MQTTError
from iot.mqtt.queues import matches

LIMIT = 128

# Encodable, no NUL, no wildcards.
characters = st.characters(codec="utf-8", exclude_characters="\0+#")
topics = st.text(characters, min_size=1, max_size=40)
levels = st.text(st.sampled_from("ab$"), max_size=2)
packet_ids = st.integers(1, 65535)


def publish(topic: str, payload: bytes, packet_id: int, retain: bool = False) -> bytes:
    return bytes(packet.publish(topic.encode(), len(payload), packet_id, retain) + payload)


publishes = st.builds(publish, topics, st.binary(max_size=300), st.just(0) | packet_ids, st.booleans())
acks = st.builds(
    lambda first, packet_id: bytes((first, 2)) + packet_id.to_bytes(2, "big"),
    st.sampled_from((0x40, 0xB0)),
    packet_ids,
)
packets = st.one_of(publishes, acks, st.just(b"\xd0\x00"), st.just(b"\x20\x02\x01\x00"))


def frames(framer: Framer, data: bytes, cuts: Iterator[int]) -> list[tuple[int, bytes | None]]:
    """What comes out of a framer that gets `data` in pieces of `cuts` bytes: first bytes and bodies."""
    found: list[tuple[int, bytes | None]] = []
    while data:
        room = framer.room()
        count = min(len(room), len(data), next(cuts, len(data)))
        room[:count] = data[:count]
        framer.fed(count)
        data = data[count:]
        while (first := framer.next()) is not None:
            if first == 0x20:
                handshake.accepted(first, framer.body)
            found.append((first, None if framer.body is None else bytes(framer.body)))
    return found


@settings(deadline=None)
@given(topics, st.binary(max_size=20_000), st.just(0) | packet_ids, st.booleans())
def test_publish_round_trip(topic: str, payload: bytes, packet_id: int, retain: bool) -> None:
    framer = Framer(21_000)
    data = publish(topic, payload, packet_id, retain)
    assert frames(framer, data, iter(())) == [(data[0], payload)] and data[0] & 1 == retain
    assert (framer.topic, framer.packet_id, framer.size) == (topic, packet_id, len(data))


@settings(deadline=None)
@given(st.lists(packets, max_size=8), st.lists(st.integers(1, 200), max_size=50))
def test_the_pieces_of_a_stream_do_not_matter(stream: list[bytes], cuts: list[int]) -> None:
    data = b"".join(stream)
    found = frames(Framer(LIMIT), data, iter(cuts))
    assert len(found) == len(stream)
    for sent, (first, rest) in zip(stream, found, strict=True):
        assert first == sent[0]
        if len(sent) > LIMIT:
            assert rest is None
        else:
            assert rest is not None and sent.endswith(rest)


@settings(deadline=None)
@given(st.binary(max_size=600), st.lists(st.integers(1, 100), max_size=20))
def test_bytes_from_the_network_raise_nothing_but_mqtt_errors(data: bytes, cuts: list[int]) -> None:
    framer = Framer(LIMIT)
    try:
        frames(framer, data, iter(cuts))
    except MQTTError as error:
        assert str(error)


@settings(deadline=None)
@given(st.integers(0, 255), st.binary(max_size=100))
def test_any_body_is_decoded_or_refused(first: int, body: bytes) -> None:
    try:
        assert len(frames(Framer(LIMIT), bytes((first, len(body))) + body, iter(()))) == 1
    except MQTTError as error:
        assert str(error)


@settings(deadline=None)
@given(publishes, st.data())
def test_a_damaged_publish_is_decoded_or_refused(data: bytes, choose: st.DataObject) -> None:
    damaged = bytearray(data)
    damaged[choose.draw(st.integers(0, len(data) - 1))] ^= choose.draw(st.integers(1, 255))
    try:
        frames(Framer(1024), bytes(damaged), iter(()))
    except MQTTError as error:
        assert str(error)


@settings(deadline=None)
@given(st.lists(levels, min_size=1, max_size=4), st.data())
def test_a_filter_made_from_a_topic_matches_it(parts: list[str], choose: st.DataObject) -> None:
    topic = "/".join(parts)
    if not topic:
        return
    reserved = topic[0] == "$"
    kept = choose.draw(st.integers(1 if reserved else 0, len(parts)))
    made = [part if choose.draw(st.booleans()) else "+" for part in parts]
    if reserved:
        made[0] = parts[0]
    assert matches("/".join(made), topic)
    if not reserved:  # no service has it
        checks.subscription("/".join([*made[:kept], "#"]), 1, 1)
    assert matches("/".join([*made[:kept], "#"]), topic)
    assert not matches("/".join([*made, "x"]), topic)


def test_a_message_of_ten_megabytes_costs_no_memory() -> None:
    framer = Framer(4096)
    size = 10_000_000
    head = publish("big", b"", 1)[2:]
    length = bytearray()
    rest = size + len(head)
    while rest:
        length.append(rest & 127 | (128 if rest > 127 else 0))
        rest >>= 7
    whole = len(head) + size
    assert frames(framer, b"\x32" + bytes(length) + head, iter(())) == [(0x32, None)]
    piece = bytes(4096)
    tracemalloc.start()
    try:
        left = size
        while left:
            room = framer.room()
            count = min(len(room), left)
            room[:count] = piece[:count]
            framer.fed(count)
            left -= count
            assert framer.next() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000
    assert (framer.topic, framer.packet_id, framer.size) == ("big", 1, 1 + len(length) + whole)
