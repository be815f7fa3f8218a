"""The section `mqtt` of a configuration: any broker with TLS, by password or certificate."""

from micropython import const

from iot.sections.fields import (
    NAME,
    ConfigError,
    integer,
    members_of,
    pair,
    server,
    string,
    together,
)

_TOPIC_MAX = const(128)
_SLASHES_MAX = const(7)  # as iot.mqtt.checks has it of what an application publishes
_EVENT_GRID = const(".eventgrid.azure.net")
_EVENT_GRID_MAX_S = const(1160)  # of keep-alive: learn.microsoft.com, event-grid/mqtt-support
_ID = NAME + ".:{}"
# "{id}" is the device's. Of commands the last two levels are the command's name and the execution's id.
_TOPICS = const((
    ("telemetry", "telemetry/{id}"),
    ("commands", "commands/{id}/+/+"),
    ("answers", "answers/{id}/{name}/{execution}"),
    ("desired", "state/{id}/desired"),
    ("reported", "state/{id}/reported"),
))  # fmt: skip


def section(value):
    """The section, validated; `topics` by template, `will` as {"topic", "payload", "qos", "retain"}."""
    names = ("endpoint", "port", "device_id", "user", "password", "keep_alive_s", "topics", "will")
    members = members_of("mqtt", value, names + ("root_ca", "certificate", "key"), ("endpoint", "root_ca"))
    result = server("mqtt", members)
    result.update(
        {
            "device_id": string("mqtt.device_id", members.get("device_id", "{id}"), 1, 128, _ID),
            "keep_alive_s": integer("mqtt.keep_alive_s", members.get("keep_alive_s", 60), 10, 65535),
            "topics": _topics(members.get("topics", {})),
        }
    )
    if together("mqtt", members, ("certificate", "key")):
        result["certificate"], result["key"] = pair("mqtt", members, "certificate", "key")
    if "user" in members and "key" in members:  # Event Grid wants a name, and no password, beside one
        members = dict(members)
        members.setdefault("password", "")
    if together("mqtt", members, ("user", "password")):
        password = members["password"]
        if isinstance(password, bytes):
            password = str(password, "utf-8")
        result["user"] = string("mqtt.user", members["user"], 1, 128)
        least = 0 if "key" in members else 1
        result["password"] = string("mqtt.password", password, least, 512).encode()
    if "will" in members:
        result["will"] = _will(members["will"])
    if result["endpoint"].endswith(_EVENT_GRID) and result["keep_alive_s"] > _EVENT_GRID_MAX_S:
        text = "an integer from 10 to {} (Event Grid takes no more)"
        raise ConfigError("mqtt.keep_alive_s", text.format(_EVENT_GRID_MAX_S))
    return result


def _topics(value):
    members = members_of("mqtt.topics", value, [name for name, _ in _TOPICS], ())
    found = {}
    for name, usual in _TOPICS:
        path = "mqtt.topics." + name
        topic = found[name] = string(path, members.get(name, usual), 1, _TOPIC_MAX)
        wild = "+" in topic or "#" in topic
        if name == "commands" and not topic.endswith("/+/+"):
            raise ConfigError(path, "ends with /+/+, for a command's name and its execution's id")
        if topic[0] == "$" or (wild and name != "commands") or "+" in topic.replace("/+/+", ""):
            raise ConfigError(path, "no topic that can be published to")
        if topic.count("/") > _SLASHES_MAX:
            raise ConfigError(path, "at most {} slashes".format(_SLASHES_MAX))
    return found


def _will(value):
    members = members_of("mqtt.will", value, ("topic", "payload", "qos", "retain"), ("topic", "payload"))
    if not isinstance(members.get("retain", False), bool):
        raise ConfigError("mqtt.will.retain", "true or false")
    topic = string("mqtt.will.topic", members["topic"], 1, _TOPIC_MAX)
    if "+" in topic or "#" in topic or topic[0] == "$":
        raise ConfigError("mqtt.will.topic", "no topic that can be published to")
    return {
        "topic": topic,
        "payload": string("mqtt.will.payload", members["payload"], 0, 256),
        "qos": integer("mqtt.will.qos", members.get("qos", 0), 0, 1),
        "retain": members.get("retain", False),
    }
