"""The section `clearblade` of a configuration: ClearBlade IoT Core, the successor of Google's."""

from micropython import const

from iot.memory import borrow
from iot.sections.fields import (
    NAME,
    checked,
    der,
    integer,
    members_of,
    server,
    string,
)

_ENDPOINT = const("us-central1-mqtt.clearblade.com")
_KEY_MAX = const(4096)
_TOKEN_MAX_S = const(86400)
_P256 = const(b"\x2a\x86\x48\xce\x3d\x03\x01\x07")  # its object identifier (RFC 5480)
_ID = NAME + ".+~%{}"


def section(value):
    """The section, validated."""
    named = ("project", "location", "registry")
    required = named + ("root_ca", "key")
    names = ("endpoint", "port", "device_id", "token_s")
    members = members_of("clearblade", value, names + required, required)
    result = server("clearblade", members, _ENDPOINT)
    result.update(
        {
            "device_id": string("clearblade.device_id", members.get("device_id", "{id}"), 1, 255, _ID),
            "token_s": integer("clearblade.token_s", members.get("token_s", 3600), 60, _TOKEN_MAX_S),
            "key": der("clearblade.key", members["key"], _KEY_MAX, borrow("iot.crypto.pem").key),
        }
    )
    checked("clearblade.key", _check, result["key"])
    for name in named:
        result[name] = string("clearblade." + name, members[name], 1, 255, _ID)
    return result


def _check(key):
    """ES256 wants a key on P-256; ValueError for another."""
    borrow("iot.crypto.loadable").check_key(key)
    if _P256 not in key:
        raise ValueError("not on P-256, which ES256 wants")
