"""What stands on the device's label: its name, and the code that proves that its owner has it at hand."""

import binascii

from micropython import const

from iot.memory import borrow

_LETTERS = const("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_PREFIX_MAX = const(109)  # of the 128 that a client id may have, 13 are the address's, and 6 "claim-"
_ADDRESS = const(13)  # characters: a hyphen and the MAC address
_ON_AIR_MAX = const(28)  # bytes of a name that aioble puts into a scan response
_ALPHABET = const("0123456789ABCDEFGHJKMNPQRSTVWXYZ")  # Crockford's base32: no I, L, O, U
_LENGTH = const(12)  # 60 bits: too many to try them all on what an impostor between phone and device sees
_GROUP = const(4)
_KEY = const("code")


def device_id(prefix, address):
    """The device's name: the product's prefix, a hyphen and the MAC address.

    Raises:
        ValueError: the prefix, NAME_PREFIX of firmware/settings.py, makes no thing's name and client id.
    """
    if not isinstance(prefix, str) or not 1 <= len(prefix) <= _PREFIX_MAX:
        raise ValueError("NAME_PREFIX: 1 to {} characters".format(_PREFIX_MAX))
    for character in prefix:
        if character not in _LETTERS:
            raise ValueError("NAME_PREFIX: letters, digits, - and _ alone")
    return prefix + "-" + str(binascii.hexlify(address), "ascii")


def on_air(name):
    """What the device `name` is called on the air: a long prefix is cut, not what tells devices apart."""
    return name if len(name) <= _ON_AIR_MAX else name[: _ON_AIR_MAX - _ADDRESS] + name[-_ADDRESS:]


def code(nvs, text, random):
    """The device's code, made and stored at the first call. A factory reset leaves it: it is on the label.

    Args:
        nvs: an esp32.NVS.
        text: the product's code from firmware/settings.py, or None for one of the device's own.
        random: gives n random bytes, os.urandom.

    Raises:
        ValueError: the product's code is none.
        OSError: NVS fails.
    """
    if text is not None:
        return normalised(text)
    values = borrow("iot.storage.nvs")
    stored = values.get_blob(nvs, _KEY, bytearray(_LENGTH))
    if stored and len(stored) == _LENGTH:
        return str(stored, "ascii")
    made = "".join([_ALPHABET[byte & 31] for byte in random(_LENGTH)])
    values.set(nvs, _KEY, made.encode())
    return made


def normalised(text):
    """A code as people write it, in the form that the protocol uses. ValueError where it is none."""
    result = text.upper().replace("-", "").replace(" ", "")
    for looks, means in (("O", "0"), ("I", "1"), ("L", "1")):
        result = result.replace(looks, means)
    if len(result) != _LENGTH or any([character not in _ALPHABET for character in result]):
        raise ValueError("a code has {} of {}".format(_LENGTH, _ALPHABET))
    return result


def shown(text):
    """A code in groups of four, as people read it."""
    return "-".join([text[i : i + _GROUP] for i in range(0, len(text), _GROUP)])
