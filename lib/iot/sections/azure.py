"""The section `azure` of a configuration: an IoT Hub, or the Device Provisioning Service that assigns one."""

import binascii

from micropython import const

from iot.sections.fields import (
    NAME,
    ConfigError,
    checked,
    members_of,
    pair,
    server,
    string,
)

_DPS = const("global.azure-devices-provisioning.net")
_REGISTRATION = NAME + ".:{}"  # DPS
_DEVICE = _REGISTRATION + "%*?!(),=@$'"  # IoT Hub; "#" and "+" no topic can have
_SECRETS = const(("shared_access_key", "group_key", "certificate"))
_KEY_MAX = const(128)  # characters of base64


def section(value):
    """The section, validated; its `endpoint` is the hub's, or with `id_scope` that of provisioning."""
    names = ("endpoint", "port", "id_scope", "device_id", "root_ca", "key") + _SECRETS
    members = members_of("azure", value, names, ("root_ca",))
    if "endpoint" not in members and "id_scope" not in members:
        raise ConfigError(
            "azure.endpoint", "missing (the hub's name, or id_scope for provisioning)", "missing"
        )
    result = server("azure", members, _DPS)
    result.update(
        {
            "device_id": string(
                "azure.device_id",
                members.get("device_id", "{id}"),
                1,
                128,
                _REGISTRATION if "id_scope" in members else _DEVICE,
            ),
        }
    )
    if "id_scope" in members:
        result["id_scope"] = string("azure.id_scope", members["id_scope"], 1, 64, NAME)
    secrets = [name for name in _SECRETS if name in members]
    if len(secrets) != 1 or (secrets[0] == "certificate") != ("key" in members):
        raise ConfigError(
            "azure", "needs one of shared_access_key, group_key, or certificate with key", "missing"
        )
    if secrets[0] == "certificate":
        result["certificate"], result["key"] = pair("azure", members, "certificate", "key")
        return result
    path = "azure." + secrets[0]
    if secrets[0] == "group_key" and "id_scope" not in members:
        raise ConfigError(path, "goes with id_scope; a hub wants the device's own key")
    result[secrets[0]] = checked(path, _decoded, members[secrets[0]])
    return result


def _decoded(text):
    """The bytes of a key in base64, as the portal shows it; bytes are one already."""
    if isinstance(text, bytes):
        return text
    try:
        key = binascii.a2b_base64(text) if isinstance(text, str) and len(text) <= _KEY_MAX else b""
    except ValueError:
        key = b""
    if len(key) < 16:
        raise ValueError("base64 of 16 bytes and more")
    return key
