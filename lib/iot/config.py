"""The configuration: one schema and one pure validator, whatever way the JSON came in."""

import binascii
import json

from micropython import const

from iot.modules import forget

_NETWORKS_MAX = const(8)
_PEM_MAX = const(4096)  # characters of one certificate or key
_ROOT_CA_MAX = const(8192)  # a bundle of a few
_PLAIN_MAX = const(1900)  # bytes of all that is no certificate: it must fit twice into a 16 KiB NVS
_HOST_MAX = const(253)  # RFC 1035, 2.3.4

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HOST = _LETTERS + "0123456789-."
_NAME = _LETTERS + "0123456789-_"
_THING = _NAME + ":"
_BASE64 = _LETTERS + "0123456789+/"

_CERTIFICATE = ("CERTIFICATE",)
_KEY = ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")

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
    try:
        document = json.load(text) if hasattr(text, "read") else json.loads(text)
    except (ValueError, RuntimeError):  # RuntimeError: nested too deep. Their messages may quote the text
        document = None
    if not isinstance(document, dict):
        raise ConfigError("", "not a JSON object", "json")
    return validate(document)


def validate(document):
    """Returns a copy of `document` with defaults filled in; ConfigError names the first wrong member."""
    members = _members("", document, ("wifi", "aws", "time", "ota", "app"), ("wifi", "aws"))
    result = {
        "wifi": _list("wifi", members["wifi"], 1, _NETWORKS_MAX, _network),
        "aws": _aws(members["aws"]),
        "time": _time(members.get("time", {})),
        "ota": _ota(members.get("ota", {})),
        "app": _object("app", members.get("app", {})),
    }
    try:
        size = len(json.dumps(plain(result)))
    except RuntimeError:  # what json reads in a loop it writes by recursion
        raise ConfigError("app", "nested too deep")
    if size > _PLAIN_MAX:
        raise ConfigError("", "at most {} bytes of JSON without its certificates".format(_PLAIN_MAX))
    return result


def plain(document):
    """A copy of a validated `document` without certificates and keys."""
    copy = dict(document)
    copy["aws"] = {k: v for k, v in document["aws"].items() if k not in PEM_MEMBERS}
    return copy


def der(path, text, labels):
    """The DER bytes of a PEM `text` (RFC 7468) that holds one block with one of `labels`, or of DER."""
    if isinstance(text, bytes) and _is_sequence(text):
        return text
    text = text.strip() if isinstance(text, str) else ""
    for label in labels:
        head, tail = "-----BEGIN {}-----".format(label), "-----END {}-----".format(label)
        if text.startswith(head) and text.endswith(tail):
            data = _base64("".join(text[len(head) : -len(tail)].split()))
            if _is_sequence(data):
                return data
    raise ConfigError(path, "not a PEM block of type {}, nor DER".format(" or ".join(labels)))


def certificate_der(path, text):
    """The DER bytes of one certificate in PEM (str) or DER (bytes)."""
    return der(path, text, _CERTIFICATE)


def key_der(path, text):
    """The DER bytes of one unencrypted private key (PKCS#8, SEC 1 or PKCS#1) in PEM (str) or DER (bytes)."""
    return der(path, text, _KEY)


def bundle_der(path, text):
    """The DER bytes of one or more certificates in PEM, one behind the other."""
    end = "-----END CERTIFICATE-----"
    blocks = text.split(end)
    if len(blocks) < 2 or blocks.pop().strip():
        raise ConfigError(path, "not PEM certificates")
    return b"".join([certificate_der(path, block + end) for block in blocks])


def _base64(text):
    """The bytes of base64 `text`, b"" where it is none."""
    for character in text[:-2] + text[-2:].rstrip("="):
        if character not in _BASE64:
            return b""
    return binascii.a2b_base64(text.encode()) if len(text) % 4 == 0 else b""


def _is_sequence(data):
    """True for one DER SEQUENCE that covers all of `data` (X.690, 8.1.3): a torn certificate does not."""
    if len(data) < 3 or data[0] != 0x30:
        return False
    if data[1] < 0x80:
        return len(data) == 2 + data[1]
    size = data[1] & 0x7F
    return len(data) == 2 + size + int.from_bytes(data[2 : 2 + size], "big")


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
    from iot import static  # few networks have one

    forget("iot.static")
    try:
        return static.checked(members)
    except static.StaticError as error:
        raise ConfigError(path + "." + error.member, error.reason)


def _aws(value):
    allowed = ("endpoint", "port", "template", "parameters", "thing_name") + PEM_MEMBERS
    members = _members("aws", value, allowed, ("endpoint", "root_ca"))
    result = {
        "endpoint": _string("aws.endpoint", members["endpoint"], 1, _HOST_MAX, _HOST),
        "port": _integer("aws.port", members.get("port", 8883), 1, 65535),
        "root_ca": _bundle("aws.root_ca", members["root_ca"]),
    }
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
    for name in PEM_MEMBERS[1:]:
        if name in members:
            labels = _KEY if name.endswith("key") else _CERTIFICATE
            result[name] = _pem("aws." + name, members[name], labels)
    parameters = _object("aws.parameters", members.get("parameters", {}))
    for name, parameter in parameters.items():
        _string("aws.parameters." + name, parameter, 0, 256)
    result["parameters"] = parameters
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
    """Bytes of `text` in UTF-8."""
    try:
        return len(text.encode())
    except ValueError:  # half of a surrogate pair; the error would quote it
        raise ConfigError(path, "not valid UTF-8")


def _pem(path, value, labels):
    if not isinstance(value, (str, bytes)) or len(value) > _PEM_MAX:
        raise ConfigError(path, "PEM of at most {} characters".format(_PEM_MAX))
    der(path, value, labels)
    return value


def _bundle(path, value):
    if not isinstance(value, str) or len(value) > _ROOT_CA_MAX:
        raise ConfigError(path, "PEM of at most {} characters".format(_ROOT_CA_MAX))
    bundle_der(path, value)
    return value
