"""Azure IoT Hub: twin, direct methods, messages from the cloud. docs/clouds.md has what a profile is.

Source: "Communicate with an IoT hub using the MQTT protocol". Device ids go into topics as they are.
"""

import json

from micropython import const

from iot.memory import borrow

CALLED = "Azure IoT Hub"
_VERSION = const("2021-04-12")
_KEEP_ALIVE_S = const(60)
_TELEMETRY = const("%24.ct=application%2Fjson&%24.ce=utf-8")  # so routes and queries see into messages
_GET = const("$iothub/twin/GET/?$rid=get")
_REPORT = const("$iothub/twin/PATCH/properties/reported/?$rid=report")
_STATUS = const((("SUCCEEDED", 200), ("REJECTED", 400), ("FAILED", 500), ("TIMED_OUT", 504)))


def way(section, name, hub):
    """How to get there, and what is listened to."""
    return {
        "host": section["endpoint"],
        "client_id": name,
        "keep_alive_s": _KEEP_ALIVE_S,
        "telemetry": _events(name) + _TELEMETRY,
        "inbox": "devices/" + name + "/messages/devicebound/#",
        "filters": [
            ("$iothub/twin/res/#", 0),
            ("$iothub/twin/PATCH/properties/desired/#", 0),
            ("$iothub/methods/POST/#", 0),
        ],
    }


def login(section, name, secrets, now_s):
    """User name, password and the seconds that they last; no password where a certificate says who it is."""
    host = section["endpoint"]
    user = "{}/{}/?api-version={}".format(host, name, _VERSION).encode()
    tokens = borrow("iot.azure.tokens")
    key = tokens.key(secrets, name)
    if key is None:
        return user, None, 0
    return user, tokens.made(host + "/devices/" + name, key, now_s), tokens.LIFE_S


def check(section, name, topic, qos, retain):
    """ValueError for a message that the hub does not take."""
    if not topic.startswith(_events(name)):
        is_others = topic.startswith("devices/") and not topic.startswith("devices/" + name + "/")
        why = "no message from device to device" if is_others else "no topic of your own"
        raise ValueError("{}: {}; use thing.telemetry".format(CALLED, why))
    if qos > 1:
        raise ValueError("{}: no QoS 2; 0 or 1".format(CALLED))
    if retain:
        raise ValueError("{}: no message is retained".format(CALLED))


def check_filter(section, name, topic_filter, qos):
    """The same for a subscription: whatever comes has its own place in `thing`."""
    raise ValueError(
        "{}: no topic of your own; use thing.commands, thing.shadow or thing.inbox".format(CALLED)
    )


def properties(topic):
    """What thing.inbox() has of a message beside its payload."""
    return borrow("iot.azure.bag").properties(topic)


def ask(section, name):
    """The message by which the twin is asked for."""
    return _GET, b""


def take(section, name, topic, payload):
    """What has come: something of the twin, or a method; None for nothing."""
    document = borrow("iot.clouds.documents").read(payload)
    _, kind, what, called, rest = (topic + "/").split("/", 4)
    if kind == "twin":
        return borrow("iot.azure.twin").take(what, called, "$rid=get" in rest, document, ask(section, name))
    if payload in (b"", b"null"):  # a method without a payload
        document = {}
    request = rest.partition("$rid=")[2].partition("&")[0].rstrip("/")
    return "command", borrow("iot.azure.bag").unquoted(called), request, document, True


def report(section, name, text):
    """Topic and payload by which `text`, JSON, is reported."""
    return _REPORT, text


def answer(section, name, called, execution, status, description, result):
    """The same for what becomes of a method."""
    code, found = dict(_STATUS)[status], {"reason": description} if description else {}
    if result is not None:
        try:
            borrow("iot.jsontext").size(result)
            found = result
        except (ValueError, TypeError):
            code, found = 500, {"reason": "it was done; JSON has no word for its result"}
    return "$iothub/methods/res/{}/?$rid={}".format(code, execution), json.dumps(found)


def _events(name):
    return "devices/" + name + "/messages/events/"
