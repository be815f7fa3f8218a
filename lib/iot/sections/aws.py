"""The section `aws` of a configuration: AWS IoT Core, by a claim or with a thing's own certificate."""

from micropython import const

from iot.sections.fields import (
    NAME,
    ConfigError,
    members_of,
    object_of,
    pair,
    server,
    size_of,
    string,
    together,
)

# Bytes that `parameters` may have as JSON: they go into one message of iot.aws.claim's 2,048 bytes, beside
# topic and token.
_PARAMETERS_MAX = const(800)
_LONGEST_ID = const("prefix-of-16-cha-240ac4000001")
_THING = NAME + ":"
_PEM = ("root_ca", "claim_certificate", "claim_key", "certificate", "key")  # stored in files, all else in NVS


def section(value):
    """The section `aws`, validated; as iot.config has it."""
    allowed = ("endpoint", "port", "template", "parameters", "thing_name", "keys", "greengrass") + _PEM
    members = members_of("aws", value, allowed, ("endpoint", "root_ca"))
    result = server("aws", members)
    claim = together("aws", members, ("template", "claim_certificate", "claim_key"))
    own = together("aws", members, ("thing_name", "certificate", "key"))
    if not claim and not own:
        raise ConfigError(
            "aws",
            "needs a claim (template, claim_certificate, claim_key) or a thing's own certificate",
            "missing",
        )
    if claim:
        result["template"] = string("aws.template", members["template"], 1, 36, NAME)
    if own:
        result["thing_name"] = string("aws.thing_name", members["thing_name"], 1, 128, _THING)
    for certificate, key in (("claim_certificate", "claim_key"), ("certificate", "key")):
        if key in members:
            result[certificate], result[key] = pair("aws", members, certificate, key)
    result["parameters"] = _parameters(members.get("parameters", {}))
    result["keys"] = members.get("keys", "device")
    if result["keys"] not in ("device", "service"):
        raise ConfigError("aws.keys", '"device" or "service"')
    greengrass = members.get("greengrass", False)
    if not isinstance(greengrass, bool):
        raise ConfigError("aws.greengrass", "true or false")
    if greengrass:  # else nothing says so: other devices pay nothing for it
        result["greengrass"] = True
    return result


def _parameters(value):
    object_of("aws.parameters", value)
    size = 0
    for name, parameter in value.items():
        string("aws.parameters", name, 1, 128)
        path = "aws.parameters." + name
        text = name + string(path, parameter, 0, 256).replace("{id}", _LONGEST_ID)
        size += size_of(path, text) + text.count("\\") + text.count('"') + 8  # with quotes, colon and comma
    if size > _PARAMETERS_MAX:
        text = "at most {} bytes of JSON, the device's id counted as {}"
        raise ConfigError("aws.parameters", text.format(_PARAMETERS_MAX, len(_LONGEST_ID)))
    return value
