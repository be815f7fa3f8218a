"""The codec: what is right goes through in any pieces, what is wrong is refused with its reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host.cloud import support as raw
from tools.cloud import packet as mqtt

LIMIT = 4096
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
IDS = st.integers(1, 65535)
QOS = st.integers(0, 1)


def connects() -> st.SearchStrategy[tuple[bytes, mqtt.Packet]]:
    wills = st.none() | st.tuples(TEXT, st.binary(max_size=50), QOS, st.booleans())

    def both(client_id, clean, keep_alive_s, will, user):
        decoded = mqtt.Will(*will) if will else None
        expected = mqtt.Connect(client_id, clean, keep_alive_s, decoded, user or "", b"")
        return raw.connect_packet(client_id, clean, keep_alive_s, will, user), expected

    return st.builds(both, TEXT, st.booleans(), st.integers(0, 65535), wills, st.none() | TEXT)


def publishes() -> st.SearchStrategy[tuple[bytes, mqtt.Packet]]:
    def both(topic, payload, qos, packet_id, retain, dup):
        dup = dup and qos > 0
        expected = mqtt.Publish(topic, payload, qos, retain, dup, packet_id if qos else None)
        return raw.publish_packet(topic, payload, qos, packet_id, retain, dup), expected

    return st.builds(both, TEXT, st.binary(max_size=300), QOS, IDS, st.booleans(), st.booleans())


def others() -> st.SearchStrategy[tuple[bytes, mqtt.Packet]]:
    filters = st.lists(st.tuples(TEXT, QOS), min_size=1, max_size=8)
    names = st.lists(TEXT, min_size=1, max_size=8)
    return st.one_of(
        IDS.map(lambda i: (raw.puback_packet(i), mqtt.Puback(i))),
        st.builds(lambda i, f: (raw.subscribe_packet(i, *f), mqtt.Subscribe(i, tuple(f))), IDS, filters),
        st.builds(lambda i, f: (raw.unsubscribe_packet(i, *f), mqtt.Unsubscribe(i, tuple(f))), IDS, names),
        st.just((raw.PINGREQ, mqtt.Pingreq())),
        st.just((raw.DISCONNECT, mqtt.Disconnect())),
    )


PACKETS = st.one_of(connects(), publishes(), others())


@settings(deadline=None)
@given(st.lists(PACKETS, max_size=6), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_any_packets_in_any_pieces(pairs, sizes):
    stream, decoder = b"".join(data for data, _ in pairs), mqtt.Decoder(LIMIT)
    got: list[mqtt.Packet] = []
    while stream:
        size = sizes[len(stream) % len(sizes)]
        got += decoder.feed(stream[:size])
        stream = stream[size:]
    assert got == [expected for _, expected in pairs]
    assert decoder.pending == 0


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_refused_or_waits_for_more(data):
    try:
        list(mqtt.Decoder(LIMIT).feed(data))
    except mqtt.ProtocolError as error:
        assert str(error)


@settings(deadline=None)
@given(PACKETS, st.data())
def test_one_changed_byte_never_breaks_the_decoder(pair, data):
    stream = bytearray(pair[0])
    stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    try:
        list(mqtt.Decoder(LIMIT).feed(bytes(stream)))
    except mqtt.ProtocolError as error:
        assert str(error)


@settings(deadline=None)
@given(publishes())
def test_what_is_encoded_decodes_to_the_same(pair):
    data, expected = pair
    assert isinstance(expected, mqtt.Publish)
    assert mqtt.publish(expected) == data


def test_a_body_is_truncated_at_every_place():
    for pair in (
        raw.connect_packet("id", will=("t", b"p", 1, True), user="u"),
        raw.subscribe_packet(1, ("a", 1)),
    ):
        body = pair[2:]
        for size in range(len(body)):
            with pytest.raises(mqtt.ProtocolError):
                mqtt.decode(pair[0], body[:size])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (raw.packet(0x00), "unknown packet type 0"),
        (raw.packet(0xF0), "unknown packet type 15"),
        (raw.packet(0x20, b"\0\0"), "CONNACK is not accepted from a client"),
        (raw.packet(0x62, b"\0\1"), "PUBREL is not accepted from a client"),
        (raw.packet(0x80, b"\0\1\0\1a\0"), "SUBSCRIBE with reserved flags"),
        (raw.packet(0xC1), "PINGREQ with reserved flags"),
        (raw.packet(0xC0, b"x"), "PINGREQ has 1 bytes too many"),
        (raw.packet(0x34, raw.text("t") + b"\0\1"), "of QoS 2"),
        (raw.packet(0x36, raw.text("t") + b"\0\1"), "of QoS 3"),
        (raw.packet(0x38, raw.text("t")), "of QoS 0 with DUP"),
        (raw.packet(0x32, raw.text("t") + b"\0\0"), "packet identifier 0"),
        (raw.packet(0x30, raw.text(b"\xff")), "not UTF-8"),
        (raw.packet(0x30, raw.text(b"\xed\xa0\x80")), "not UTF-8"),
        (raw.packet(0x30, raw.text("a\0b")), "U+0000"),
        (raw.packet(0x30, b"\0\5ab"), "is truncated"),
        (raw.packet(0x82, b"\0\1"), "no topic filter"),
        (raw.packet(0xA2, b"\0\1"), "no topic filter"),
        (raw.subscribe_packet(1, ("a", 2)), "asks for QoS 2"),
        (raw.packet(0x10, raw.text("MQTT") + b"\5\2\0\0" + raw.text("c")), "level 5"),
        (raw.packet(0x10, raw.text("MQIsdp") + b"\3\2\0\0" + raw.text("c")), "MQIsdp level 3"),
        (raw.packet(0x10, raw.text("HTTP") + b"\4\2\0\0" + raw.text("c")), "not of MQTT"),
        (raw.packet(0x10, raw.text("MQTT") + b"\4\3\0\0" + raw.text("c")), "reserved flag"),
        (raw.packet(0x10, raw.text("MQTT") + b"\4\x22\0\0" + raw.text("c")), "will flags without a will"),
        (raw.packet(0x10, raw.text("MQTT") + b"\4\x16\0\0" + raw.text("c")), "a will of QoS 2"),
        (raw.packet(0x10, raw.text("MQTT") + b"\4\x42\0\0" + raw.text("c")), "password without a user name"),
        (b"\x30\x80\x80\x80\x80\x01", "remaining length"),
        (raw.packet(0x30, bytes(LIMIT + 1)), f"PUBLISH larger than {LIMIT} bytes"),
    ],
)
def test_malformed(data, reason):
    with pytest.raises(mqtt.ProtocolError, match=reason.replace("+", r"\+")):
        list(mqtt.Decoder(LIMIT).feed(data))


def test_a_large_packet_is_refused_by_its_header_alone():
    with pytest.raises(mqtt.ProtocolError, match="larger than"):
        list(mqtt.Decoder(LIMIT).feed(raw.packet(0x30, bytes(LIMIT + 1))[:3]))
