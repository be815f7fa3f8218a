"""As much of DER (X.690) as keys, signatures and certificate requests need."""

from micropython import const

from iot.crypto.tlv import content

INTEGER = const(0x02)
BIT_STRING = const(0x03)
OCTET_STRING = const(0x04)
SEQUENCE = const(0x30)

_INTEGER_MAX = const(33)  # bytes of a number of 256 bits, whose sign takes one more


def element(tag, *parts):
    """An element whose content is `parts` (bytes, up to 65535 together) one behind another."""
    value = b"".join(parts)
    length = len(value)
    if length < 128:
        return bytes((tag, length)) + value
    if length < 256:
        return bytes((tag, 0x81, length)) + value
    return bytes((tag, 0x82, length >> 8, length & 255)) + value


def integer(number):
    """An INTEGER of 0 to 2**256 - 1."""
    value = number.to_bytes(_INTEGER_MAX, "big").lstrip(b"\0")
    if not value or value[0] & 128:  # zero, or what would be negative
        value = b"\0" + value
    return element(INTEGER, value)


def sequence(data, place):
    """A Reader of what is in the SEQUENCE that all of `data` (bytes) is; `place` as for Reader."""
    reader = Reader(data, place)
    value = reader.read(SEQUENCE, "SEQUENCE")
    reader.end()
    return Reader(value, place)


class Reader:
    """Reads elements that stand one behind another; its methods raise ValueError, with the place, for others.

    Strict: what DER allows is encoded in one way alone, so what was read is encoded anew and compared.

    Args:
        data: bytes.
        place: what `data` is, for the errors.
    """

    def __init__(self, data, place):
        self._left = data
        self._place = place

    def next_is(self, tag):
        """Whether an element with `tag` comes next: for OPTIONAL ones."""
        return self._left[:1] == bytes((tag,))

    def read(self, tag, name, expected=None):
        """The content of the next element.

        Args:
            tag: which it must have.
            name: what an error calls it.
            expected: bytes, the one content that will do; None: any.
        """
        data = self._left
        try:
            start, end = content(data, 0)
        except ValueError:
            self.fail(name)
        value = data[start:end]
        if data[:end] != element(tag, value) or expected not in (None, value):
            self.fail(name)
        self._left = data[end:]
        return value

    def integer(self, name):
        """The value of the next element, an INTEGER of 0 to 2**256 - 1."""
        value = self.read(INTEGER, name)
        number = int.from_bytes(value[:_INTEGER_MAX], "big")
        if integer(number) != element(INTEGER, value):
            self.fail(name)
        return number

    def octets(self, name):
        """The bytes in the next element, a BIT STRING of whole bytes."""
        value = self.read(BIT_STRING, name)
        if value[:1] != b"\0":
            self.fail(name)
        return value[1:]

    def end(self):
        """Raises ValueError where anything follows."""
        if self._left:
            self.fail("end")

    def fail(self, name):
        """Raises ValueError for the element `name`."""
        raise ValueError("{}.{}: malformed".format(self._place, name))
