"""MQTT 3.1.1 packets, strictly: what a client may send is decoded, what a server sends is encoded."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14

ACCEPTED, UNACCEPTABLE_PROTOCOL, IDENTIFIER_REJECTED, SERVER_UNAVAILABLE = 0, 1, 2, 3
BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED = 4, 5
FAILURE = 0x80  # a return code of SUBACK

_NAMES = {
    CONNECT: "CONNECT",
    CONNACK: "CONNACK",
    PUBLISH: "PUBLISH",
    PUBACK: "PUBACK",
    5: "PUBREC",
    6: "PUBREL",
    7: "PUBCOMP",
    SUBSCRIBE: "SUBSCRIBE",
    SUBACK: "SUBACK",
    UNSUBSCRIBE: "UNSUBSCRIBE",
    UNSUBACK: "UNSUBACK",
    PINGREQ: "PINGREQ",
    PINGRESP: "PINGRESP",
    DISCONNECT: "DISCONNECT",
}
_FLAGS = {SUBSCRIBE: 0b0010, UNSUBSCRIBE: 0b0010}  # the others have none, PUBLISH has its own (2.2.2)
_CONNACK_5 = bytes((CONNACK << 4, 3, 0, 0x84, 0))  # Unsupported Protocol Version, no properties (5.0: 3.2.2)
_MAX_HEADER = 5


class ProtocolError(Exception):
    """The peer broke MQTT 3.1.1 or uses a part of it that is not to be had here; its text says what."""


class UnacceptableProtocol(ProtocolError):
    """A CONNECT of another MQTT version. `answer` is the CONNACK for it, in that version's own form."""

    def __init__(self, protocol: str, level: int) -> None:
        super().__init__(f"protocol {protocol} level {level}, only MQTT 3.1.1 (level 4) is spoken")
        self.answer = _CONNACK_5 if level >= 5 else connack(UNACCEPTABLE_PROTOCOL)  # 3.1.1: 3.1.2.2


@dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Connect:
    client_id: str
    clean_session: bool
    keep_alive_s: int
    will: Will | None = None
    user_name: str = ""
    password: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Publish:
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int | None = None


@dataclass(frozen=True, slots=True)
class Puback:
    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    packet_id: int
    filters: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pingreq:
    pass


@dataclass(frozen=True, slots=True)
class Disconnect:
    pass


Packet = Connect | Publish | Puback | Subscribe | Unsubscribe | Pingreq | Disconnect


class Decoder:
    """Cuts a byte stream into packets.

    Args:
        limit: the largest remaining length accepted, bytes; a larger one is an error before it is stored.
        highest_qos: what is asked for or sent above it is an error, too.
    """

    def __init__(self, limit: int, highest_qos: int = 1) -> None:
        self._limit = limit
        self._highest_qos = highest_qos
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a packet that has begun and not ended."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Take bytes from the stream; yields each packet that is complete. Raises ProtocolError."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while (header := _remaining_length(buffer, start, self._limit)) is not None:
                length, body = header
                if len(buffer) < body + length:
                    return
                first, start, end = buffer[start], body + length, body + length
                yield decode(first, bytes(memoryview(buffer)[body:end]), self._highest_qos)
        finally:
            del buffer[:start]


def _remaining_length(buffer: bytearray, start: int, limit: int) -> tuple[int, int] | None:
    """The remaining length (2.2.3) and where the body begins; None while the header is not complete."""
    length = shift = 0
    for index in range(start + 1, min(len(buffer), start + _MAX_HEADER)):
        length |= (buffer[index] & 0x7F) << shift
        if length > limit:
            name = _NAMES.get(buffer[start] >> 4, "packet")
            raise ProtocolError(f"{name} larger than {limit} bytes")
        if not buffer[index] & 0x80:
            return length, index + 1
        shift += 7
    if len(buffer) - start >= _MAX_HEADER:
        raise ProtocolError("remaining length of more than four bytes")
    return None


def decode(first: int, body: bytes, highest_qos: int = 1) -> Packet:
    """Decode one packet from its first byte and its body (all after the remaining length).

    Raises:
        ProtocolError: malformed, truncated or not for a server to receive.
    """
    kind, flags = first >> 4, first & 0x0F
    name = _NAMES.get(kind)
    if name is None:
        raise ProtocolError(f"unknown packet type {kind}")
    if kind not in _DECODERS:
        raise ProtocolError(f"{name} is not accepted from a client")
    if kind != PUBLISH and flags != _FLAGS.get(kind, 0):
        raise ProtocolError(f"{name} with reserved flags {flags:#06b}")
    fields = _Fields(body, name, highest_qos)
    packet = _DECODERS[kind](fields, flags)
    fields.end()
    return packet


class _Fields:
    """Reads a packet's body field by field."""

    def __init__(self, body: bytes, name: str, highest_qos: int) -> None:
        self.highest_qos = highest_qos
        self._body = body
        self._name = name
        self._at = 0

    def error(self, text: str) -> ProtocolError:
        return ProtocolError(f"{self._name} {text}")

    def take(self, size: int) -> bytes:
        data = self._body[self._at : self._at + size]
        if len(data) < size:
            raise self.error("is truncated")
        self._at += size
        return data

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def binary(self) -> bytes:
        return self.take(self.u16())

    def text(self) -> str:
        try:
            text = self.binary().decode()  # strict: refuses surrogates too (1.5.3)
        except UnicodeDecodeError:
            raise self.error("has a string that is not UTF-8") from None
        if "\0" in text:
            raise self.error("has a string with U+0000")
        return text

    def packet_id(self) -> int:
        packet_id = self.u16()
        if not packet_id:
            raise self.error("has packet identifier 0")
        return packet_id

    def more(self) -> bool:
        return self._at < len(self._body)

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    def end(self) -> None:
        if self.more():
            raise self.error(f"has {len(self._body) - self._at} bytes too many")


def _connect(fields: _Fields, _flags: int) -> Connect:
    protocol, level = fields.text(), fields.u8()
    if (protocol, level) != ("MQTT", 4):
        if protocol in ("MQTT", "MQIsdp"):
            raise UnacceptableProtocol(protocol, level)
        raise fields.error("is not of MQTT")
    flags = fields.u8()
    has_will, qos, retain = bool(flags & 0x04), flags >> 3 & 0b11, bool(flags & 0x20)
    if flags & 0x01:
        raise fields.error("has its reserved flag set")
    if not has_will and (qos or retain):
        raise fields.error("has will flags without a will")
    if qos > fields.highest_qos:
        raise fields.error(f"has a will of QoS {qos}")
    if flags & 0x40 and not flags & 0x80:
        raise fields.error("has a password without a user name")
    keep_alive_s, client_id = fields.u16(), fields.text()
    will = Will(fields.text(), fields.binary(), qos, retain) if has_will else None
    # AWS does not authenticate by these: its SDKs put their name and version here.
    user_name = fields.text() if flags & 0x80 else ""
    password = fields.binary() if flags & 0x40 else b""
    return Connect(client_id, bool(flags & 0x02), keep_alive_s, will, user_name, password)


def _publish(fields: _Fields, flags: int) -> Publish:
    qos, retain, dup = flags >> 1 & 0b11, bool(flags & 0x01), bool(flags & 0x08)
    if qos > fields.highest_qos:
        raise fields.error(f"of QoS {qos}, which is not to be had here")
    if dup and not qos:
        raise fields.error("of QoS 0 with DUP")
    topic = fields.text()
    packet_id = fields.packet_id() if qos else None
    return Publish(topic, fields.rest(), qos, retain, dup, packet_id)


def _puback(fields: _Fields, _flags: int) -> Puback:
    return Puback(fields.packet_id())


def _subscribe(fields: _Fields, _flags: int) -> Subscribe:
    packet_id, filters = fields.packet_id(), []
    while fields.more():
        topic_filter, qos = fields.text(), fields.u8()
        if qos > fields.highest_qos:
            raise fields.error(f"asks for QoS {qos}, which is not to be had here")
        filters.append((topic_filter, qos))
    if not filters:
        raise fields.error("has no topic filter")
    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(fields: _Fields, _flags: int) -> Unsubscribe:
    packet_id, filters = fields.packet_id(), []
    while fields.more():
        filters.append(fields.text())
    if not filters:
        raise fields.error("has no topic filter")
    return Unsubscribe(packet_id, tuple(filters))


_DECODERS: dict[int, Callable[[_Fields, int], Packet]] = {
    CONNECT: _connect,
    PUBLISH: _publish,
    PUBACK: _puback,
    SUBSCRIBE: _subscribe,
    UNSUBSCRIBE: _unsubscribe,
    PINGREQ: lambda fields, flags: Pingreq(),
    DISCONNECT: lambda fields, flags: Disconnect(),
}


def connack(return_code: int, session_present: bool = False) -> bytes:
    return bytes((CONNACK << 4, 2, session_present, return_code))


def puback(packet_id: int) -> bytes:
    return struct.pack(">BBH", PUBACK << 4, 2, packet_id)


def suback(packet_id: int, granted: list[int]) -> bytes:
    return struct.pack(">BBH", SUBACK << 4, 2 + len(granted), packet_id) + bytes(granted)


def unsuback(packet_id: int) -> bytes:
    return struct.pack(">BBH", UNSUBACK << 4, 2, packet_id)


def pingresp() -> bytes:
    return bytes((PINGRESP << 4, 0))


def publish(packet: Publish) -> bytes:
    topic = packet.topic.encode()
    head = struct.pack(">H", len(topic)) + topic
    if packet.packet_id is not None:
        head += struct.pack(">H", packet.packet_id)
    first = PUBLISH << 4 | packet.dup << 3 | packet.qos << 1 | packet.retain
    return bytes((first,)) + _length(len(head) + len(packet.payload)) + head + packet.payload


def _length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded)
