"""Alibaba Cloud IoT Platform, a service that is ending. docs/clouds.md has what a profile is."""

import binascii
import json
import time

from micropython import const

from iot.memory import borrow

CALLED = "Alibaba Cloud IoT Platform"

_ID_MASK = const(0x3FFFFFFF)  # ids are numbers up to 4294967295, as texts
_REQUEST = const('{{"id":"{}","version":"1.0","sys":{{"ack":{}}},"params":{},"method":"thing.{}"}}')
_POST = const("event.property.post")
# Of an answer. From 100000 on they are the device's own; the platform's are below.
_CODES = const((("SUCCEEDED", 200), ("REJECTED", 460), ("TIMED_OUT", 100001)))
_FAILED = const(100000)


def way(section, name, hub):
    """How to get there, and what is listened to."""
    thing = _topic(section, name, "")
    services = "service/property/set", "service/+", "property/desired/get_reply"
    return {
        "host": section["endpoint"],
        "client_id": name,
        "keep_alive_s": 60,
        "telemetry": thing + "event/property/post",
        "filters": [(thing + service, 1) for service in services],
        "wraps": True,
    }


def login(section, name, secrets, now_s):
    """User name, password, 0 since they last for ever, and the client id, which has the time in it."""
    now_ms = str(borrow("iot.clouds.epoch").unix_s(now_s)) + "000"
    signed = "clientId{0}deviceName{0}productKey{1}timestamp{2}".format(name, section["product_key"], now_ms)
    digest = borrow("iot.crypto.hmac256").digest(secrets["device_secret"], signed.encode())
    client_id = name + "|securemode=2,signmethod=hmacsha256,timestamp=" + now_ms + "|"
    user = name + "&" + section["product_key"]
    return user.encode(), binascii.hexlify(digest), 0, client_id


def wrapped(payload):
    """Telemetry as the platform takes it: a report of properties."""
    if not isinstance(payload, dict):
        payload = borrow("iot.clouds.documents").read(payload) if isinstance(payload, (bytes, str)) else None
        if payload is None:
            raise ValueError(CALLED + ": telemetry is a dictionary of properties")
    return _request(_POST, borrow("iot.clouds.documents").text(payload))


def check(section, name, topic, qos, retain):
    """Raises ValueError for a message that cannot be."""
    if retain:
        raise ValueError(CALLED + ": it retains nothing; use thing.shadow.report")
    if qos > 1:
        raise ValueError(CALLED + ": no QoS 2")
    if not topic.startswith(_own(section, name)):
        text = "{}: no topic of your own but {}…; use thing.telemetry"
        raise ValueError(text.format(CALLED, _own(section, name)))


def check_filter(section, name, topic_filter, qos):
    """The same for a subscription."""
    if not topic_filter.startswith(_own(section, name)):
        text = "{}: no subscription of your own but {}…; use thing.commands and thing.shadow"
        raise ValueError(text.format(CALLED, _own(section, name)))


def ask(section, name):
    """The message by which a job is asked for; of other properties nobody here knows the names."""
    return _topic(section, name, "property/desired/get"), _request("property.desired.get", '["job"]', 1)


def take(section, name, topic, payload):
    """What has come: ("state", desired, reply), or ("command", name, id, payload); None for nothing."""
    document = borrow("iot.clouds.documents").read(payload)
    if not document:
        return None
    what = topic[len(_topic(section, name, "")) :]
    if what.startswith("property/"):
        data = document.get("data")
        found = data.items() if isinstance(data, dict) else ()
        desired = {key: one["value"] for key, one in found if isinstance(one, dict) and "value" in one}
        return "state", desired, None
    identifier, params = str(document.get("id", "")), document.get("params", {})
    if what == "service/property/set":
        if not isinstance(params, dict):
            return "state", {}, _reply(topic, identifier, 460, "params: no object", {})
        return "state", params, _reply(topic, identifier, 200, "success", {}), True
    return "command", what[len("service/") :], identifier, params if isinstance(params, dict) else None


def report(section, name, text):
    """Topic and payload by which `text`, the JSON of properties, is reported."""
    return _topic(section, name, "event/property/post"), _request(_POST, text)


def answer(section, name, called, execution, status, description, result):
    """The same for the answer to a service."""
    code = _FAILED
    for one, its_code in _CODES:
        if one == status:
            code = its_code
    data = result if isinstance(result, dict) else {} if result is None else {"result": result}
    message = "{}: {}".format(status, description) if description else status
    return _reply(_topic(section, name, "service/" + called), execution, code, message, data)


def _topic(section, name, rest):
    return "/sys/{}/{}/thing/{}".format(section["product_key"], name, rest)


def _own(section, name):
    return "/{}/{}/user/".format(section["product_key"], name)


def _request(method, params, ack=0):
    """A request, which mostly asks for no answer: the platform's PUBACK tells that it came."""
    return _REQUEST.format(time.ticks_ms() & _ID_MASK, ack, params, method)


def _reply(topic, identifier, code, message, data):
    return topic + "_reply", json.dumps({"id": identifier, "code": code, "message": message, "data": data})
