"""The section `alibaba` of a configuration: Alibaba Cloud IoT Platform, a service that is ending."""

from iot.sections.fields import (
    NAME,
    ConfigError,
    members_of,
    server,
    string,
)

_DEVICE = NAME + ".:@{}"


def section(value):
    """The section, validated."""
    required = ("endpoint", "product_key", "device_secret", "root_ca")
    members = members_of("alibaba", value, ("port", "device_id") + required, required)
    secret = members["device_secret"]
    if isinstance(secret, bytes):
        secret = str(secret, "utf-8")
    if not isinstance(secret, str):
        raise ConfigError("alibaba.device_secret", "not a text")
    result = server("alibaba", members)
    result.update(
        {
            "product_key": string("alibaba.product_key", members["product_key"], 1, 32, NAME),
            "device_id": string("alibaba.device_id", members.get("device_id", "{id}"), 1, 32, _DEVICE),
            "device_secret": string("alibaba.device_secret", secret, 1, 64).encode(),
        }
    )
    return result
