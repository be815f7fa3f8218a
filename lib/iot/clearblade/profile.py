"""ClearBlade IoT Core, the successor of Google's. docs/clouds.md has what a profile is."""

import json

from iot.memory import borrow

CALLED = "ClearBlade IoT Core"


def way(section, name, hub):
    """How to get there, and what is listened to."""
    place = section["project"], section["location"], section["registry"], name
    return {
        "host": section["endpoint"],
        "client_id": "projects/{}/locations/{}/registries/{}/devices/{}".format(*place),
        "keep_alive_s": 60,
        "telemetry": _topic(name, "events"),
        "filters": [(_topic(name, "config"), 1), (_topic(name, "commands/#"), 1)],
        "whole": True,
    }


def login(section, name, secrets, now_s):
    """A coroutine for user name, password and the seconds that they last."""
    now_s = borrow("iot.clouds.epoch").unix_s(now_s)
    return borrow("iot.clearblade.jwt").login(section, secrets["key"], now_s)


def check(section, name, topic, qos, retain):
    """Raises ValueError for a message that cannot be."""
    if retain:
        raise ValueError(CALLED + ": it retains nothing; use thing.shadow.report")
    if qos > 1:
        raise ValueError(CALLED + ": no QoS 2")
    events = _topic(name, "events")
    if topic != events and not topic.startswith(events + "/"):
        text = "{}: no topic of your own but {}/…; use thing.telemetry, and thing.shadow.report for state"
        raise ValueError(text.format(CALLED, events))


def check_filter(section, name, topic_filter, qos):
    """The same for a subscription."""
    text = "{}: no subscription of your own; use thing.commands and thing.shadow"
    raise ValueError(text.format(CALLED))


def ask(section, name):
    """The message by which the state is asked for; None: it comes with the subscription."""
    return


def take(section, name, topic, payload):
    """What has come: ("state", desired, reply), or ("command", name, id, payload); None for nothing."""
    document = borrow("iot.clouds.documents").read(payload or b"{}")
    if topic == _topic(name, "config"):
        return ("state", document, None) if document else None
    called = topic[len(_topic(name, "commands")) + 1 :]
    identifier = document.get("id") if document else None
    return "command", called, identifier if isinstance(identifier, str) else "", document


def report(section, name, text):
    """Topic and payload by which `text`, the JSON of all of the state, is reported."""
    return _topic(name, "state"), text


def answer(section, name, called, execution, status, description, result):
    """The same for the answer to a command, for which there is none: it is an event."""
    found = {"status": status}
    for member, value in (
        ("command", called),
        ("id", execution),
        ("reason", description),
        ("result", result),
    ):
        if value not in (None, ""):
            found[member] = value
    return _topic(name, "events/answers"), json.dumps(found)


def _topic(name, rest):
    return "/devices/{}/{}".format(name, rest)
