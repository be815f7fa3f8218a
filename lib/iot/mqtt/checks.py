"""Checks that are made rarely, and words that only errors need: imported for the moment and forgotten."""

_PACKETS = (
    "packet type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
    "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "packet type 15",
)  # fmt: skip
_RECEIVED = ("CONNACK", "PUBLISH", "PUBACK", "SUBACK", "UNSUBACK", "PINGRESP")


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


def client(client_id, keep_alive_s):
    """Raise ValueError if a client cannot have these."""
    if not 1 <= len(client_id) <= 128:
        raise ValueError("client id: 1 to 128 bytes, not {}".format(len(client_id)))
    if not 0 <= keep_alive_s <= 65535:
        raise ValueError("keep_alive_s: 0 to 65535, not {}".format(keep_alive_s))


def message(topic, qos):
    """Raise ValueError if nothing can be published to `topic` (4.7) with this QoS."""
    _qos(qos)
    if "+" in topic or "#" in topic:
        raise ValueError('topic "{}": no wildcards in a topic to publish to'.format(topic))
    _string("topic", topic)


def subscription(topic_filter, qos, depth):
    """Raise ValueError if that cannot be subscribed to (4.7.1)."""
    above, _, last = ("/" + topic_filter).rpartition("/")
    for level in above.split("/") + ["" if last == "#" else last]:
        if "#" in level or ("+" in level and level != "+"):
            raise ValueError('filter "{}": + and # are whole levels, # the last one'.format(topic_filter))
    _string("filter", topic_filter)
    _qos(qos)
    if depth < 1:
        raise ValueError("depth: at least 1, not {}".format(depth))


def _qos(qos):
    if qos not in (0, 1):
        raise ValueError("QoS {}: only 0 and 1 are supported".format(qos))


def _string(what, text):
    size = len(text.encode())
    if not 1 <= size <= 65535:
        raise ValueError("{}: 1 to 65535 bytes, not {}".format(what, size))
    if "\0" in text:
        raise ValueError("{}: no NUL allowed".format(what))
