"""Arguments that nobody can have, and what is wrong with them: imported for the moment and forgotten."""

from micropython import const

# AWS IoT Core, "Reserved topics": what follows $aws/.
_SERVICES = const((
    "certificates", "commands", "device_location", "events", "iotwireless", "provisioning-templates", "rules",
    "sitewise", "things",
))  # fmt: skip
_TOPIC_BYTES = const(256)  # "Message broker and protocol limits": in UTF-8
_SLASHES = const(7)


def client(client_id, keep_alive_s):
    """Raise ValueError if a client cannot have these."""
    if not 1 <= len(client_id) <= 128:
        raise ValueError("client id: 1 to 128 bytes, not {}".format(len(client_id)))
    if not 0 <= keep_alive_s <= 65535:
        raise ValueError("keep_alive_s: 0 to 65535, not {}".format(keep_alive_s))


def message(topic, qos, retain=False, document=None):
    """Raise ValueError if that cannot be published to `topic` (4.7), or `document` not written as JSON."""
    _qos(qos)
    if "+" in topic or "#" in topic:
        raise ValueError('topic "{}": no wildcards in a topic to publish to'.format(topic))
    _string("topic", topic, ())
    if retain and topic[0] == "$":
        raise ValueError('topic "{}": AWS IoT retains nothing there'.format(topic))
    if document:
        _member(document, 'publish to "{}": '.format(topic), "")


def _member(value, where, path):
    """Raise ValueError if json.dumps writes what is no JSON for a value: it does so without a word."""
    if isinstance(value, dict):
        for name in value:
            place = path + "." + str(name) if path else str(name)
            if isinstance(name, tuple):
                raise ValueError("{}{} is no name that JSON has".format(where, place))
            _member(value[name], where, place)
    elif isinstance(value, list) or type(value) is tuple:
        for i, item in enumerate(value):
            _member(item, where, path + "[" + str(i) + "]")
    elif isinstance(value, float):
        if value - value != 0:  # NaN, and both infinities
            raise ValueError("{}{} is {}, for which JSON has no word".format(where, path, value))
    elif value is not None and not isinstance(value, (str, int, bool)):
        raise ValueError("{}{} is of {}, for which JSON has no word".format(where, path, type(value)))


def subscription(topic_filter, qos, depth):
    """Raise ValueError if that cannot be subscribed to (4.7.1)."""
    if topic_filter is None:
        topic_filter = "#"
    above, _, last = ("/" + topic_filter).rpartition("/")
    for level in above.split("/") + ["" if last == "#" else last]:
        if "#" in level or ("+" in level and level != "+"):
            raise ValueError('filter "{}": + and # are whole levels, # the last one'.format(topic_filter))
    _string("filter", topic_filter, ("#", "+"))
    _qos(qos)
    if depth < 1:
        raise ValueError("depth: at least 1, not {}".format(depth))


def is_shared(subscriptions, topic_filter):
    """Whether one of them is open and has that filter."""
    for subscription in subscriptions:
        if not subscription.closed and subscription.topic_filter == topic_filter:
            return True
    return False


def _qos(qos):
    if qos not in (0, 1):
        raise ValueError("QoS {}: only 0 and 1 are supported".format(qos))


def _string(what, text, wildcards):
    """Raise ValueError for a topic or filter beyond MQTT's bounds, or those of AWS IoT Core."""
    size = len(text.encode())
    if not 1 <= size <= 65535:
        raise ValueError("{}: 1 to 65535 bytes, not {}".format(what, size))
    if "\0" in text:
        raise ValueError("{}: no NUL allowed".format(what))
    place = '{} "{}": '.format(what, text)
    if text[0] == "$":
        levels = text.split("/", 3)
        if levels[0] == "$share":
            raise ValueError(place + "shared subscriptions are not supported")
        if levels[0] != "$aws" or len(levels) < 2 or levels[1] not in _SERVICES + wildcards:
            raise ValueError(place + "no service of AWS IoT has that")
        if levels[1] != "rules":
            return  # free of these bounds
        text = levels[-1]  # Basic Ingest: what follows the rule's name counts
        size = len(text.encode())
    if size > _TOPIC_BYTES:
        raise ValueError("{}{} bytes; AWS IoT takes {}".format(place, size, _TOPIC_BYTES))
    if text.count("/") > _SLASHES:
        raise ValueError("{}{} slashes; AWS IoT takes {}".format(place, text.count("/"), _SLASHES))
