"""Any broker with TLS (MQTT 3.1.1), with topics by template. docs/clouds.md has what a profile is."""

import json

from iot.memory import borrow

CALLED = "The broker"


def way(section, name, hub):
    """How to get there, and what is listened to."""
    topics = section["topics"]
    found = {
        "host": section["endpoint"],
        "client_id": name,
        "keep_alive_s": section["keep_alive_s"],
        "telemetry": _topic(topics["telemetry"], name),
        "filters": [(_topic(topics["desired"], name), 1), (_topic(topics["commands"], name), 1)],
        "whole": True,  # what is retained takes the place of what was
    }
    if "will" in section:
        will = section["will"]
        topic, payload = _topic(will["topic"], name), will["payload"]
        found["will"] = topic.encode(), payload.encode(), will["qos"], will["retain"]
    return found


def login(section, name, secrets, now_s):
    """User name, password and the seconds that they last, 0 for ever; None where the certificate says it."""
    if "user" not in section:
        return None
    return section["user"].replace("{id}", name).encode(), secrets["password"] or None, 0


def check(section, name, topic, qos, retain):
    """Raises ValueError for a message that cannot be; the broker's own rules nobody here knows."""


def check_filter(section, name, topic_filter, qos):
    """The same for a subscription."""


def ask(section, name):
    """The message by which the state is asked for; None: it comes unasked."""
    return


def take(section, name, topic, payload):
    """What has come: ("state", desired, reply), or ("command", name, id, payload); None for nothing."""
    document = borrow("iot.clouds.documents").read(payload or b"{}")
    if topic == _topic(section["topics"]["desired"], name):
        return ("state", document, None) if document else None
    _, called, execution = topic.rsplit("/", 2)
    return "command", called, execution, document


def report(section, name, text):
    """Topic and payload by which `text`, JSON, is reported, and whether it is retained."""
    return _topic(section["topics"]["reported"], name), text, True


def answer(section, name, called, execution, status, description, result):
    """The same for the answer to a command; None where the cloud hears none."""
    topic = _topic(section["topics"]["answers"], name)
    found = {"status": status}
    if description:
        found["reason"] = description
    if result is not None:
        found["result"] = result
    return topic.replace("{name}", called).replace("{execution}", execution), json.dumps(found)


def _topic(template, name):
    return template.replace("{id}", name)
