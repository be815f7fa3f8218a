"""What the sections of a configuration are made of: members, texts, numbers, certificates, keys. Pure."""

from micropython import const

from iot.memory import borrow

HOST_MAX = 253  # RFC 1035, 2.3.4
ROOT_CA_MAX = 8192  # a bundle of a few
_PEM_MAX = const(4096)  # bytes of one certificate or key, with all that its file says beside it

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
HOST = _LETTERS + "0123456789-."
NAME = _LETTERS + "0123456789-_"


class ConfigError(ValueError):
    """What is wrong with a configuration, as `path: reason`, without the value (it may be a secret).

    Attributes:
        kind: "json" where it is not a JSON object, "missing" where a member is missing, else "value".
    """

    def __init__(self, path, reason, kind="value"):
        super().__init__("{}: {}".format(path or "document", reason))
        self.kind = kind


def together(path, members, names):
    """True where all of `names` are there, False where none is."""
    present = [name for name in names if name in members]
    if present and len(present) < len(names):
        missing = [name for name in names if name not in members]
        raise ConfigError(join(path, missing[0]), "missing (goes with {})".format(present[0]), "missing")
    return bool(present)


def members_of(path, value, allowed, required):
    object_of(path, value)
    for name in value:
        if name not in allowed:
            raise ConfigError(join(path, name), "unknown; one of {}".format(", ".join(allowed)))
    for name in required:
        if name not in value:
            raise ConfigError(join(path, name), "missing", "missing")
    return value


def join(path, name):
    return path + "." + name if path else name


def object_of(path, value):
    if not isinstance(value, dict):
        raise ConfigError(path, "not a JSON object")
    return value


def list_of(path, value, least, most, item):
    if not isinstance(value, (list, tuple)) or not least <= len(value) <= most:
        raise ConfigError(path, "a list of {} to {}".format(least, most))
    return [item("{}[{}]".format(path, i), v) for i, v in enumerate(value)]


def integer(path, value, least, most):
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(path, "an integer from {} to {}".format(least, most))
    return value


def string(path, value, least, most, alphabet=None):
    """A string of `least` to `most` bytes of UTF-8 without control characters."""
    if not isinstance(value, str) or not least <= size_of(path, value) <= most:
        raise ConfigError(path, "{} to {} bytes".format(least, most))
    for character in value:
        if ord(character) < 0x20 or (alphabet and character not in alphabet):
            raise ConfigError(path, "has a character that is not allowed")
    return value


def size_of(path, text):
    """Bytes of `text` (str, in UTF-8, or bytes)."""
    try:
        return len(text if isinstance(text, bytes) else text.encode())
    except ValueError:  # half of a surrogate pair; the error would quote it
        raise ConfigError(path, "not valid UTF-8")


def der(path, value, most, find):
    """What `find` makes of PEM (str) or DER (bytes)."""
    if not isinstance(value, (str, bytes)) or size_of(path, value) > most:
        raise ConfigError(path, "PEM of at most {} bytes".format(most))
    return checked(path, find, value)


def checked(path, function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        raise ConfigError(path, str(error))


def roots(path, value):
    """One or more root certificates in DER, one behind the other."""
    found = der(path, value, ROOT_CA_MAX, borrow("iot.crypto.pem").certificates)
    for number, root in enumerate(found):
        checked("{}: certificate {}".format(path, number + 1), borrow("iot.crypto.loadable").public, root)
    return b"".join(found)


def server(name, members, endpoint=None):
    """Endpoint, port and root certificates of the section of that name; `endpoint` is the usual one."""
    return {
        "endpoint": string(name + ".endpoint", members.get("endpoint", endpoint), 1, HOST_MAX, HOST),
        "port": integer(name + ".port", members.get("port", 8883), 1, 65535),
        "root_ca": roots(name + ".root_ca", members["root_ca"]),
    }


def pair(path, members, certificate, key):
    """A certificate and its key in DER; ConfigError where they do not belong together."""
    pem, loadable = borrow("iot.crypto.pem"), borrow("iot.crypto.loadable")
    own = der(join(path, certificate), members[certificate], _PEM_MAX, pem.certificate)
    private = der(join(path, key), members[key], _PEM_MAX, pem.key)
    numbers = checked(join(path, certificate), loadable.public, own)
    checked(join(path, key), loadable.check_key, private, numbers)
    return own, private
