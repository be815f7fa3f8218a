"""Steps through DER, and what ends before its length says."""

from check import raises
from iot.crypto.tlv import behind, content, inside


def test_lengths_of_one_byte_and_of_more():
    for head, size in (
        (b"\x04\x00", 0),
        (b"\x04\x7f", 127),
        (b"\x04\x81\x80", 128),
        (b"\x04\x82\x01\x00", 256),
        (b"\x04\x84\x00\x01\x00\x00", 65536),
    ):
        der = b"??" + head + bytes(size) + b"behind"
        start, end = content(der, 2)
        assert (start, end) == (2 + len(head), 2 + len(head) + size)
        assert behind(der, 2) == end and der[end:] == b"behind"


def test_what_is_torn():
    for der in (
        b"",
        b"\x30",
        b"\x30\x01",
        b"\x30\x82",
        b"\x30\x82\x01",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\xff",
    ):
        raises(ValueError, "damaged", content, der, 0)
        raises(ValueError, "damaged", behind, der, 0)


def test_only_a_sequence_is_entered():
    assert inside(b"\x30\x03\x02\x01\x05", 0) == 2
    raises(ValueError, "damaged", inside, b"\x31\x03\x02\x01\x05", 0)
    raises(ValueError, "damaged", inside, b"\x30\x04\x02\x01\x05", 0)
