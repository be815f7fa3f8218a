"""The configuration while it comes in pieces."""

import hashlib
import struct

from check import raises
from fakes import Without
from iot.ble import document
from iot.ble.codes import Refused
from iot.ble.document import Document

TEXT = bytes([i % 251 for i in range(2500)])
MOST = 16384


def announced(text, size=None):
    """A BEGIN's body."""
    return struct.pack(">I", len(text) if size is None else size) + hashlib.sha256(text).digest()


def piece(at, data):
    return struct.pack(">I", at) + data


def begun(text=TEXT, upto=0):
    document = Document()
    document.begin(announced(text))
    if upto:
        document.add(piece(0, text[:upto]))
    return document


def refused(name, function, *args):
    """The error, with what belongs into its answer."""
    error = raises(Refused, name, function, *args)
    assert error.name == name
    return error.extra


def test_piece_by_piece():
    document = begun()
    for at in range(0, len(TEXT), 1024):
        assert document.at == at and document.size == len(TEXT)
        assert refused("MISSING_PACKETS", document.whole) == {"at": at}
        document.add(piece(at, TEXT[at : at + 1024]))
    assert document.whole() == TEXT and document.at == len(TEXT)


def test_a_piece_that_is_not_the_next_is_refused_with_the_place_of_the_next():
    document = begun(upto=1000)
    for at in (0, 999, 1001, 2500, 0xFFFFFFFF):
        assert refused("MISSING_PACKETS", document.add, piece(at, b"x")) == {"at": 1000}
    document.add(piece(1000, TEXT[1000:]))
    assert document.whole() == TEXT


def test_more_than_was_announced():
    document = begun(upto=2499)
    assert refused("TOO_LARGE", document.add, piece(2499, b"xy")) == {"at": 2499}
    document.add(piece(2499, TEXT[2499:]))
    assert refused("TOO_LARGE", document.add, piece(2500, b"x")) == {"at": 2500}
    assert document.whole() == TEXT


def test_what_is_no_piece():
    for body in (b"", b"\0", b"\0\0\0\0"):
        assert refused("INVALID_REQUEST", begun().add, body) == {}
    refused("INVALID_REQUEST", Document().add, piece(0, b"x"))


def test_the_same_document_goes_on_where_it_stopped():
    document = begun(upto=1500)
    document.begin(announced(TEXT))
    assert document.at == 1500
    document.add(piece(1500, TEXT[1500:]))
    document.begin(announced(TEXT))
    assert document.at == len(TEXT) and document.whole() == TEXT


def test_another_document_begins_anew():
    for text, size in ((TEXT[:-1] + b"x", None), (TEXT, 2499)):
        document = begun(upto=1500)
        document.begin(announced(text, size))
        assert document.at == 0
        assert refused("MISSING_PACKETS", document.whole) == {"at": 0}


def test_lengths():
    for size in (0, MOST + 1, 0xFFFFFFFF):
        document = begun(upto=1500)
        refused("TOO_LARGE", document.begin, announced(TEXT, size))
        assert document.at == document.size == 0
        refused("INVALID_REQUEST", document.add, piece(0, b"x"))
    longest = begun(bytes(MOST))
    longest.add(piece(0, bytes(MOST)))
    assert longest.whole() == bytes(MOST)
    for body in (b"", announced(TEXT)[:-1], announced(TEXT) + b"x"):
        document = begun(upto=1500)
        refused("INVALID_REQUEST", document.begin, body)
        assert document.at == 1500


def test_another_document_than_the_one_announced():
    document = begun()
    document.add(piece(0, TEXT[:-1] + b"x"))
    refused("CHECKSUM_FAILED", document.whole)
    assert document.at == document.size == 0
    assert refused("MISSING_PACKETS", document.whole) == {"at": 0}
    document.begin(announced(TEXT))  # not taken for the one that is there
    assert document.at == 0


def test_nothing_is_left_of_what_is_forgotten():
    document = begun(upto=1500)
    document.clear()
    document.begin(announced(TEXT))
    assert document.at == 0


def test_there_may_be_no_memory_for_it():
    made = Document()
    with Without(document, "bytearray"):
        refused = raises(Refused, "no memory for 2500 bytes", made.begin, announced(TEXT))
    assert refused.name == "TOO_LARGE" and made.size == 0
    made.begin(announced(TEXT))
    assert made.size == len(TEXT), "the next one begins"
