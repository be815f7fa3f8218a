"""What is wrong with a packet, in words: imported for the moment and forgotten."""

from micropython import const

_PACKETS = const((
    "packet type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
    "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "packet type 15",
))  # fmt: skip
_RECEIVED = const(("CONNACK", "PUBLISH", "PUBACK", "SUBACK", "UNSUBACK", "PINGRESP"))


FAULTS = {
    "accepted": "flags {:#x}, return code {}",
    "before": "before CONNACK",
    "body": "{} bytes of body instead of {}",
    "code": "return code {:#x}",
    "end": "ends inside its topic or packet id",
    "kind": "not expected",
    "length": "a remaining length of more than 4 bytes",
    "packet_id": "packet id 0",
    "session": "a session, though none was asked for",
    "topic": "a topic that is empty, or with wildcard or NUL",
    "utf-8": "the topic is not UTF-8",
}


def malformed(first, fault, values):
    """What is wrong with a packet that begins with the byte `first`; fault "first": that byte itself."""
    name = _PACKETS[first >> 4]
    text = _first(name, first) if fault == "first" else FAULTS[fault].format(*values)
    return "{}: {}".format(name, text)


def _first(name, first):
    """What is wrong with a first byte that no packet for a client has (2.2)."""
    if name not in _RECEIVED:
        return FAULTS["kind"]
    if name != "PUBLISH":
        return "reserved flags {:#x} set".format(first & 15)
    qos = first >> 1 & 3
    return "QoS {} is not supported".format(qos) if qos > 1 else "DUP with QoS 0"  # 3.3.1.1
