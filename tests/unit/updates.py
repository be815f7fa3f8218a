"""Manifests and roots for tests, and who signs them. The keys are nobody's."""

import binascii
import hashlib

from iot.crypto import p256

PRODUCT = "lamp-1"
SHA256 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
LISTED = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
BOARD = "Generic ESP32 module with ESP32"
NOW = (2026, 11, 28, 12, 30, 59, 5, 332)
COUNTER = 7

# A private key is a number, and of each of the first six this is the public one.
KEYS = (
    "BAiLuf8iqykadMhvxne6iXuq3uNwzGEpuC0XC6P8JkFcRC2ppxYGeVbZHqoCuTrUCUkOh81edY6mozGh3rdbqEY=",
    "BLDN7q5ZM6BoUbUhKvS1TK5uO3humEjH/6Xod14TmxDGG06u480d6fjKZxmBq6jZOmjgthaokQG+LkdU3gcF2gA=",
    "BAiTTU5z7gPwcuMOdJDPeSNGWKghPq8LZOVdXOOYkw2MyPZsyFBtB1EPQ8VR9apicxJeVdethklPXbalaOTMsz4=",
    "BDWPQAjiD9l3iJdGd8SZMieUPUWODUBEa3RkFWBMCgNS0KWX0tqG/jv4iCUIveJ2rdaUYfi6oNUwd1cRBuYJjqM=",
    "BKQFr1qfANQUHpdnJrCIO9MMtksFOZWHaDBv814X41gUVk9ovlDRuDQ1KT0SUxC6qlQ2NAEEJOAFxUZW+Za93ms=",
    "BL0NB/kH0tFVmUnOESLzCHuKRI5PMXSV72+9zfl+X1xauMAgcyvaMTwvalVxfpOEO2qeEDytBnRCOhK8A4q3Zyk=",
)
_STEP = 0x1234567  # between two private keys
_made = {}


class Python:
    """What a chip says of its MicroPython."""

    def __init__(self, machine=BOARD, version=(1, 25, 0, ""), architecture=10):
        self._machine = machine
        self.version = version
        self._mpy = architecture << 10 | 3 << 8 | 6


APP = (
    ("iot-update", "1"),
    ("product", PRODUCT),
    ("kind", "app"),
    ("version", "1.4.0"),
    ("counter", "7"),
    ("expires", "2027-06-01T00:00:00Z"),
    ("chip", "ESP32"),
    ("board", "Other board with ESP32"),
    ("board", BOARD),
    ("micropython", "1.25.0"),
    ("mpy", "6"),
    ("size", "97311"),
    ("sha256", SHA256),
)
IMAGE = tuple([line for line in APP if line[0] not in ("kind", "micropython", "mpy", "size", "sha256")]) + (
    ("size", "1700000"),
    ("sha256", SHA256),
    ("blocks", "26 " + LISTED),
)
IMAGE = IMAGE[:2] + (("kind", "image"),) + IMAGE[2:]


def text(lines=APP, **values):
    """A manifest's; `values` take the place of lines' own, None that of the whole line."""
    left = [(name, values.get(name, value)) for name, value in lines]
    return "".join(["{} {}\n".format(name, value) for name, value in left if value is not None])


def root_text(numbers=(1, 2, 3), threshold=2, version=1, product=PRODUCT):
    """A root's, with the keys of these numbers, 1 to 6."""
    keys = "".join(["key {}\n".format(KEYS[number - 1]) for number in numbers])
    return "iot-root 1\nproduct {}\nversion {}\nthreshold {}\n{}".format(product, version, threshold, keys)


def key_id(number):
    key = binascii.a2b_base64(KEYS[number - 1])
    return str(binascii.hexlify(hashlib.sha256(key).digest())[:8], "ascii")


async def sign(signed, *numbers):
    """The signatures of a text by the keys of these numbers, in their order."""
    found = []
    for number in numbers:
        if (signed, number) not in _made:
            private = (number * _STEP).to_bytes(32, "big")
            der = await p256.sign(private, hashlib.sha256(signed.encode()).digest())
            base64 = str(binascii.b2a_base64(der)[:-1], "ascii")
            _made[signed, number] = "{}:{}".format(key_id(number), base64)
        found.append(_made[signed, number])
    return found
