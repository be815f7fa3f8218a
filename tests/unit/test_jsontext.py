"""JSON from outside: what ends early, what MicroPython leaves half done."""

import json
from io import BytesIO

from check import raises
from documents import claim
from iot import jsontext
from iot.jsontext import load, size

SMILE = "\U0001f600"


def test_what_it_reads():
    for value in ({}, [], {"a": [1, {"b": '}]"\\'}]}, "text", {"ü": "\ud7ff\ue000"}, claim(), None, 1):
        text = json.dumps(value)
        assert load(text) == load(text.encode()) == load(bytearray(text.encode())) == value
        assert load(BytesIO(text.encode())) == value


def test_a_text_cut_off_anywhere():
    text = '{"a": [1, {"b": "x\\"}"}], "ü": {"c": "}"}}'.encode()
    assert load(text)
    for end in range(len(text)):
        for source in (text[:end], BytesIO(text[:end])):
            raises(ValueError, "ends early" if end else "not JSON", load, source)


def test_what_is_none():
    for text in ("}", "{}}", "{} {}", "{,", '{"a" "b"', "hello", b"\xff\xfe", "[" * 5000, "{}x"):
        raises(ValueError, "", load, text)
    assert load("[" * 16 + "]" * 16)
    raises(ValueError, "nested too deep", load, "[" * 17 + "]" * 17)
    raises(ValueError, "nested too deep", load, '{"a":' * 17 + "1" + "}" * 17)
    assert load('"' + "[{" * 100 + '"') == "[{" * 100


def test_characters_above_the_first_plane():
    for character, escaped in (
        (SMILE, "\\ud83d\\ude00"),
        ("\U00010000", "\\uD800\\uDC00"),
        ("\U0010ffff", "\\udbff\\udfff"),
    ):
        for text, value in (
            ('"{}"', character),
            ('"\ud7ff{}x{}"', "\ud7ff" + character + "x" + character),
            ('{{"{}": [{{"{}": "{}"}}]}}', {character: [{character: character}]}),
        ):
            count = text.replace("{{", "").count("{}")
            for written in (escaped, character):
                loaded = load(text.format(*[written] * count))
                assert loaded == value and json.loads(json.dumps(loaded)) == value
    for half in (
        "\\ud83d",
        "\\ude00",
        "\\ud83dx",
        "\\ud83d\\ud83d",
        "\\ude00\\ud83d",
        "x\\udfff",
        "\\ud83d\\u0041",
    ):
        raises(ValueError, "half of a surrogate pair", load, '{"a": "' + half + '"}')
        raises(ValueError, "half of a surrogate pair", load, '{"' + half + '": 1}')
    assert load('"\\\\ud83d"') == "\\ud83d"


def test_the_size_of_what_is_written():
    for value, written in (
        ({}, "{}"),
        ([], "[]"),
        ({"a": 1, "b": [1, 2.5, None, True, {"c": {}}]}, '{"a": 1, "b": [1, 2.5, null, true, {"c": {}}]}'),
        ("ü\u20ac" + SMILE, '"ü\u20ac' + SMILE + '"'),
        ('a"b\\c\n\r\t\x01\x7f', '"a\\"b\\\\c\\n\\r\\t\\u0001\x7f"'),
        ((1, -20), "[1, -20]"),
    ):
        assert size(value) == len(written.encode())
    assert size({SMILE: "x"}) == 13


def test_surrogate_pairs_in_bytes():
    """As MicroPython's strings have them; CPython's have no bytes then."""
    for pair, character in (
        (b"\xed\xa0\xbd\xed\xb8\x80", SMILE),
        (b"\xed\xa0\x80\xed\xb0\x80", "\U00010000"),
        (b"\xed\xaf\xbf\xed\xbf\xbf", "\U0010ffff"),
    ):
        assert jsontext._pair(pair) == character.encode()
    for half in (
        b"\xed\xa0\xbd",
        b"\xed\xa0\xbdabc",
        b"\xed\xb8\x80\xed\xa0\xbd",
        b"\xed\xa0\xbd\xed\x9f\xbf",
    ):
        raises(ValueError, "half of a surrogate pair", jsontext._pair, half)
