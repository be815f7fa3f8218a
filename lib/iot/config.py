"""The configuration: one schema and one pure validator, whatever way the JSON came in."""

from micropython import const

from iot.memory import borrow

_NETWORKS_MAX = const(8)
_PEM_MAX = const(4096)  # bytes of one certificate or key, with all that its file says beside it
_ROOT_CA_MAX = const(8192)  # a bundle of a few
_PLAIN_MAX = const(1900)  # bytes of all that is no certificate: it must fit twice into a 16 KiB NVS
_HOST_MAX = const(253)  # RFC 1035, 2.3.4
# Bytes that aws.parameters may have as JSON: they go into one message of iot.aws.claim's 2,048 bytes, beside
# topic and token.
_PARAMETERS_MAX = const(800)
_LONGEST_ID = const("prefix-of-16-cha-240ac4000001")

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HOST = _LETTERS + "0123456789-."
_NAME = _LETTERS + "0123456789-_"
_THING = _NAME + ":"

#: The members of `aws` that hold certificates and keys; they are stored in files, all else in NVS.
PEM_MEMBERS = ("root_ca", "claim_certificate", "claim_key", "certificate", "key")


class ConfigError(ValueError):
    """What is wrong with a configuration, as `path: reason`, without the value (it may be a secret).

    Attributes:
        kind: "json" where it is not a JSON object, "missing" where a member is missing, else "value".
    """

    def __init__(self, path, reason, kind="value"):
        super().__init__("{}: {}".format(path or "document", reason))
        self.kind = kind


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
    members = _members("", document, ("wifi", "aws", "time", "ota", "app"), ("wifi", "aws"))
    result = {
        "wifi": _list("wifi", members["wifi"], 1, _NETWORKS_MAX, _network),
        "aws": _aws(members["aws"]),
        "time": _time(members.get("time", {})),
        "ota": _ota(members.get("ota", {})),
        "app": _object("app", members.get("app", {})),
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
    """A copy of a validated `document` without certificates and keys."""
    copy = dict(document)
    copy["aws"] = {k: v for k, v in document["aws"].items() if k not in PEM_MEMBERS}
    return copy


def _network(path, value):
    members = _members(path, value, ("ssid", "password", "static"), ("ssid",))
    ssid = _string(path + ".ssid", members["ssid"], 1, 32)
    password = _string(path + ".password", members.get("password", ""), 0, 64)
    if password and _size(path, password) < 8:  # IEEE 802.11i: 8 to 63 characters, or 64 hex digits
        raise ConfigError(path + ".password", "8 to 64 bytes, or empty for an open network")
    network = {"ssid": ssid, "password": password}
    if "static" in members:
        network["static"] = _static(path + ".static", members["static"])
    return network


def _static(path, value):
    members = _members(path, value, ("ip", "netmask", "gateway", "dns"), ("ip", "netmask", "gateway"))
    static = borrow("iot.wifi.static")  # few networks have one
    try:
        return static.checked(members)
    except static.StaticError as error:
        raise ConfigError(path + "." + error.member, error.reason)


def _aws(value):
    pem, loadable = borrow("iot.crypto.pem"), borrow("iot.crypto.loadable")
    allowed = ("endpoint", "port", "template", "parameters", "thing_name", "keys", "greengrass") + PEM_MEMBERS
    members = _members("aws", value, allowed, ("endpoint", "root_ca"))
    result = {
        "endpoint": _string("aws.endpoint", members["endpoint"], 1, _HOST_MAX, _HOST),
        "port": _integer("aws.port", members.get("port", 8883), 1, 65535),
        "root_ca": _der("aws.root_ca", members["root_ca"], _ROOT_CA_MAX, pem.certificates),
    }
    for number, root in enumerate(result["root_ca"]):
        _checked("aws.root_ca: certificate {}".format(number + 1), loadable.public, root)
    result["root_ca"] = b"".join(result["root_ca"])
    claim = _together(members, ("template", "claim_certificate", "claim_key"))
    own = _together(members, ("thing_name", "certificate", "key"))
    if not claim and not own:
        raise ConfigError(
            "aws",
            "needs a claim (template, claim_certificate, claim_key) or a thing's own certificate",
            "missing",
        )
    if claim:
        result["template"] = _string("aws.template", members["template"], 1, 36, _NAME)
    if own:
        result["thing_name"] = _string("aws.thing_name", members["thing_name"], 1, 128, _THING)
    for certificate, key in (("claim_certificate", "claim_key"), ("certificate", "key")):
        if key in members:
            result[certificate] = _der("aws." + certificate, members[certificate], _PEM_MAX, pem.certificate)
            result[key] = _der("aws." + key, members[key], _PEM_MAX, pem.key)
            numbers = _checked("aws." + certificate, loadable.public, result[certificate])
            _checked("aws." + key, loadable.check_key, result[key], numbers)
    parameters = _object("aws.parameters", members.get("parameters", {}))
    size = 0
    for name, parameter in parameters.items():
        _string("aws.parameters", name, 1, 128)
        path = "aws.parameters." + name
        text = name + _string(path, parameter, 0, 256).replace("{id}", _LONGEST_ID)
        size += _size(path, text) + text.count("\\") + text.count('"') + 8  # with quotes, colon and comma
    if size > _PARAMETERS_MAX:
        text = "at most {} bytes of JSON, the device's id counted as {}"
        raise ConfigError("aws.parameters", text.format(_PARAMETERS_MAX, len(_LONGEST_ID)))
    result["parameters"] = parameters
    result["keys"] = members.get("keys", "device")
    if result["keys"] not in ("device", "service"):
        raise ConfigError("aws.keys", '"device" or "service"')
    greengrass = members.get("greengrass", False)
    if not isinstance(greengrass, bool):
        raise ConfigError("aws.greengrass", "true or false")
    if greengrass:  # else nothing says so: other devices pay nothing for it
        result["greengrass"] = True
    return result


def _time(value):
    members = _members("time", value, ("ntp",), ())
    hosts = members.get("ntp", ["pool.ntp.org", "time.google.com"])
    return {"ntp": _list("time.ntp", hosts, 1, 4, lambda path, v: _string(path, v, 1, _HOST_MAX, _HOST))}


def _ota(value):
    members = _members("ota", value, ("public_keys",), ())
    keys = members.get("public_keys", [])
    return {"public_keys": _list("ota.public_keys", keys, 0, 2, lambda path, v: _string(path, v, 1, 256))}


def _together(members, names):
    """True where all of `names` are there, False where none is."""
    present = [name for name in names if name in members]
    if present and len(present) < len(names):
        missing = [name for name in names if name not in members]
        raise ConfigError("aws." + missing[0], "missing (goes with {})".format(present[0]), "missing")
    return bool(present)


def _members(path, value, allowed, required):
    _object(path, value)
    for name in value:
        if name not in allowed:
            raise ConfigError(_join(path, name), "unknown; one of {}".format(", ".join(allowed)))
    for name in required:
        if name not in value:
            raise ConfigError(_join(path, name), "missing", "missing")
    return value


def _join(path, name):
    return path + "." + name if path else name


def _object(path, value):
    if not isinstance(value, dict):
        raise ConfigError(path, "not a JSON object")
    return value


def _list(path, value, least, most, item):
    if not isinstance(value, (list, tuple)) or not least <= len(value) <= most:
        raise ConfigError(path, "a list of {} to {}".format(least, most))
    return [item("{}[{}]".format(path, i), v) for i, v in enumerate(value)]


def _integer(path, value, least, most):
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(path, "an integer from {} to {}".format(least, most))
    return value


def _string(path, value, least, most, alphabet=None):
    """A string of `least` to `most` bytes of UTF-8 without control characters."""
    if not isinstance(value, str) or not least <= _size(path, value) <= most:
        raise ConfigError(path, "{} to {} bytes".format(least, most))
    for character in value:
        if ord(character) < 0x20 or (alphabet and character not in alphabet):
            raise ConfigError(path, "has a character that is not allowed")
    return value


def _size(path, text):
    """Bytes of `text` (str, in UTF-8, or bytes)."""
    try:
        return len(text if isinstance(text, bytes) else text.encode())
    except ValueError:  # half of a surrogate pair; the error would quote it
        raise ConfigError(path, "not valid UTF-8")


def _der(path, value, most, find):
    """What `find` makes of PEM (str) or DER (bytes)."""
    if not isinstance(value, (str, bytes)) or _size(path, value) > most:
        raise ConfigError(path, "PEM of at most {} bytes".format(most))
    return _checked(path, find, value)


def _checked(path, function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        raise ConfigError(path, str(error))
