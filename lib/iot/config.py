"""The configuration: one schema and one pure validator, whatever way the JSON came in."""

from micropython import const

from iot.memory import borrow
from iot.sections.fields import (
    HOST,
    HOST_MAX,
    ConfigError,
    list_of,
    members_of,
    object_of,
    size_of,
    string,
)
from iot.storage.schema import CLOUDS, cloud

_NETWORKS_MAX = const(8)
_PLAIN_MAX = const(1900)  # bytes of all that is no certificate: it must fit twice into a 16 KiB NVS


def parse(text):
    """Parses and validates JSON `text` (str, bytes or a stream); ConfigError where either fails."""
    jsontext = borrow("iot.jsontext")
    try:
        document = jsontext.load(text)
    except ValueError as error:
        raise ConfigError("", str(error), "json")
    if not isinstance(document, dict):
        raise ConfigError("", "not a JSON object", "json")
    return validate(document)


def validate(document):
    """Returns a copy of `document`, defaults filled in and certificates and keys in DER.

    ConfigError names the first wrong member.
    """
    members = members_of("", document, ("wifi", "time", "ota", "app") + CLOUDS, ("wifi",))
    name = _cloud(members)
    result = {
        "wifi": list_of("wifi", members["wifi"], 1, _NETWORKS_MAX, _network),
        name: borrow("iot.sections." + name).section(members[name]),
        "time": _time(members.get("time", {})),
        "ota": _ota(members.get("ota", {})),
        "app": object_of("app", members.get("app", {})),
    }
    jsontext = borrow("iot.jsontext")
    try:
        size = jsontext.size(plain(result))
    except RuntimeError:
        raise ConfigError("app", "nested too deep")
    except ValueError as error:
        raise ConfigError("app", str(error))
    if size > _PLAIN_MAX:
        raise ConfigError("", "at most {} bytes of JSON without its certificates".format(_PLAIN_MAX))
    return result


def plain(document):
    """A copy of a validated `document` without certificates, keys and passwords of clouds."""
    copy, name = dict(document), cloud(document)
    copy[name] = {k: v for k, v in copy[name].items() if not isinstance(v, bytes)}
    return copy


def _cloud(members):
    """Which cloud it is for."""
    found = [name for name in CLOUDS if name in members]
    if not found:
        raise ConfigError("aws", "missing (or another cloud: {})".format(", ".join(CLOUDS[1:])), "missing")
    if len(found) > 1:
        raise ConfigError(found[1], "one cloud alone, and there is {}".format(found[0]))
    return found[0]


def _network(path, value):
    members = members_of(path, value, ("ssid", "password", "static"), ("ssid",))
    ssid = string(path + ".ssid", members["ssid"], 1, 32)
    password = string(path + ".password", members.get("password", ""), 0, 64)
    if password and size_of(path, password) < 8:  # IEEE 802.11i: 8 to 63 characters, or 64 hex digits
        raise ConfigError(path + ".password", "8 to 64 bytes, or empty for an open network")
    network = {"ssid": ssid, "password": password}
    if "static" in members:
        network["static"] = _static(path + ".static", members["static"])
    return network


def _static(path, value):
    members = members_of(path, value, ("ip", "netmask", "gateway", "dns"), ("ip", "netmask", "gateway"))
    static = borrow("iot.wifi.static")  # few networks have one
    try:
        return static.checked(members)
    except static.StaticError as error:
        raise ConfigError(path + "." + error.member, error.reason)


def _time(value):
    members = members_of("time", value, ("ntp",), ())
    hosts = members.get("ntp", ["pool.ntp.org", "time.google.com"])
    return {"ntp": list_of("time.ntp", hosts, 1, 4, lambda path, v: string(path, v, 1, HOST_MAX, HOST))}


def _ota(value):
    members = members_of("ota", value, ("public_keys",), ())
    keys = members.get("public_keys", [])
    return {"public_keys": list_of("ota.public_keys", keys, 0, 2, lambda path, v: string(path, v, 1, 256))}
