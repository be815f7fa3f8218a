"""The forms of docs/updates.md, manifests and roots, read strictly. In memory for a moment."""

import binascii
import hashlib
import re

from micropython import const

_MANIFEST_MAX = const(2048)
# Names of lines in their order; behind a star none or many of them, and a list; behind a # a number.
_MANIFEST = const("iot-update product kind version counter# expires chip board* ")
_APP = const("micropython mpy size# sha256")
_IMAGE = const("size# sha256 blocks")
_ROOT_MAX = const(1024)
_ROOT = const("iot-root product version# threshold# key*")
_NUMBER_MAX = const(0x7FFFFFFF)
_BOARDS_MAX = const(8)
_KEYS_MAX = const(5)
_VERSION_MAX = const(32)
_APP_MAX = const(196608)  # bytes of a slot
_IMAGE_MAX = const(4194304)
_BLOCK = const(65536)  # of an image, before which stands the hash of each
_HASH = const(32)
# MicroPython's `re` takes some stack for each turn of a loop: no loop over what may be long.
_VERSION = const(r"[\w.+-]+$")
_EXPIRES = const(r"\d\d\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$")
_TIME = const("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z")
_WRONG = const("wrong software")


def manifest(text):
    """What a manifest says, signed or not, by the names of its lines; ValueError where its form is wrong.

    `counter` and `size` are numbers, `micropython` is three of them, `board` a list; `text` has the bytes.
    """
    is_image = "\nkind image\n" in str(text)
    found = _fields(text, _MANIFEST_MAX, _MANIFEST + (_IMAGE if is_image else _APP))
    found["micropython"] = release = [_number(part) for part in found.get("micropython", "0.0.0").split(".")]
    size = found["size"]
    blocks, _, list_hash = found.get("blocks", "").partition(" ")
    blocks = _number(blocks)
    digest = "[0-9a-f]" * (2 * _HASH) + "$"
    _demand(
        ("iot-update", found["iot-update"] == "1"),
        ("kind", found["kind"] in ("app", "image")),
        ("version", len(found["version"]) <= _VERSION_MAX and re.match(_VERSION, found["version"])),
        ("expires", re.match(_EXPIRES, found["expires"])),
        ("board", is_image <= len(found["board"]) <= _BOARDS_MAX),
        ("micropython", len(release) == 3 and min(release) >= 0),
        ("size", 0 < size <= (_IMAGE_MAX if is_image else _APP_MAX)),
        ("sha256", re.match(digest, found["sha256"])),
        ("blocks", not is_image or (blocks - 1) * _BLOCK < size - blocks * _HASH <= blocks * _BLOCK),
        ("blocks", not is_image or re.match(digest, list_hash)),
    )
    return found


def judge(found, product, counter, now, python):
    """Raises ValueError where this device must not install what a signed manifest is about.

    Args:
        found: as `manifest` gave it.
        product, counter: the device's.
        now, python: as for iot.ota.verify.manifest.
    """
    machine, mpy, release = python._machine, str(python._mpy & 255), list(python.version[:3])
    native = mpy + {10: " xtensawin", 11: " rv32imc"}.get(python._mpy >> 10 & 15, "")  # of all ESP32s
    chip = machine.rpartition(" with ")[2]
    now = _TIME.format(*now[:6])
    for name, is_right, own, attack in (
        ("product", found["product"] == product, product, _WRONG),
        ("chip", found["chip"] == chip, chip, _WRONG),
        ("board", machine in (found["board"] or (machine,)), machine, _WRONG),
        ("micropython", found["micropython"] <= release, release, _WRONG),
        ("mpy", found.get("mpy", mpy) in (mpy, native), native, _WRONG),
        ("counter", found["counter"] >= counter, counter, "rollback"),
        ("expires", found["expires"] > now, now, "freeze"),
    ):
        if not is_right:
            raise ValueError("{} {}: this device has {} ({})".format(name, found[name], own, attack))


def root(text, product):
    """What a root of `product` says, signed or not: {"version", "threshold", "keys": {id: 65 bytes}, …}.

    ValueError where its form is wrong, or it is another's. Whether keys are points of the curve is looked at
    when they are used.
    """
    found = _fields(text, _ROOT_MAX, _ROOT)
    found["keys"] = keys = dict([_key(line) for line in found["key"]])
    _demand(
        ("iot-root", found["iot-root"] == "1"),
        ("product", found["product"] == product),
        ("version", found["version"] > 0),
        ("key", len(found["key"]) == len(keys) <= _KEYS_MAX and None not in keys),
        ("threshold", 0 < found["threshold"] <= len(keys)),
    )
    return found


def _fields(text, most, names):
    """The values of lines by their names, and as `text` the bytes; ValueError for anything but these lines.

    Args:
        text: each line is ended by one line feed.
        most: bytes that it may have.
        names: as _MANIFEST has them.
    """
    _demand(("text", isinstance(text, str)))
    data = text.encode()
    # As bytes: MicroPython keeps each character of a str that is gone through for ever.
    if len(data) > most or data[-1:] != b"\n" or max(data) > 126 or min(data.replace(b"\n", b" ")) < 32:
        raise ValueError("not lines of ASCII, of {} bytes at the most (endless data)".format(most))
    found = {"text": data}
    lines = text.split("\n")
    for name in names.split():
        bare = name.rstrip("*#")
        start, values = bare + " ", []
        while lines[0].startswith(start) and (name[-1] == "*" or not values):
            values.append(lines.pop(0)[len(start) :])
        _demand((bare, (name[-1] == "*" or values) and "" not in values))
        value = values if name[-1] == "*" else values[0]
        if name[-1] == "#":
            value = _number(value)
            _demand((bare, 0 <= value <= _NUMBER_MAX))
        found[bare] = value
    _demand(("end", lines == [""]))
    return found


def _demand(*checks):
    """Raises ValueError for the first of these names whose line is not sound."""
    for name, is_sound in checks:
        if not is_sound:
            raise ValueError(name + ": not as it has to be")


def _number(text):
    """The number that stands there in decimal digits, with no zeros before it; -1 for anything else."""
    try:
        found = int(text)
    except ValueError:
        return -1
    return found if str(found) == text else -1


def _key(line):
    """The id and the 65 bytes of a key; None for the id where it is none."""
    try:
        key = binascii.a2b_base64(line)
    except ValueError:
        key = b""
    name = str(binascii.hexlify(hashlib.sha256(key).digest()), "ascii")[:8]
    return name if len(key) == 65 and binascii.b2a_base64(key)[:-1] == line.encode() else None, key
