"""`json` of the simulated chip on CPython against that of the oldest MicroPython, text by text."""

import contextlib
import io
import json
import random

import pytest

from tests.host.sim import json_cases
from tools.sim.cpython import ujson

TEXTS = (
    '{"a" 1}',
    '{"a": 1',
    '{"a": [1',
    '{"a"',
    '{"a":',
    "[1 2]",
    "[1,,2]",
    "[1,]",
    ",1",
    "1,",
    "{} {}",
    "{}x",
    "[}",
    '{"a":[1}]',
    "NaN",
    "-Infinity",
    "-",
    "--1",
    "1-2",
    "01",
    "1.",
    ".5",
    "1e",
    "1e400",
    "1.5.5",
    "1E+2",
    "-.5",
    "12345678901234567890123",
    "tru",
    "truex",
    "null",
    "",
    " ",
    '"a',
    '"\\x"',
    '"\\u00g9"',
    '"\\u12"',
    '"\\u12',
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"a\nb"',
    '"\0"',
    "{}\0",
    '{"a":1,"a":2}',
    "{1:2}",
    "{null:1}",
    "{[]:1}",
    '{"x":{"a"},"b":1}',
    "[1]]",
    "\ufeff1",
    "[1]\v",
    "\v[1]",
    "[1] ,",
    "0x10",
    "1_0",
    "'a'",
    "[1;2]",
    "-0.0",
    '"é"',
)
PIECES = (
    *'{}[],:"a1-.e\\ \n',
    "null",
    "true",
    "fals",
    '"b"',
    '"c":',
    "1.5",
    "\\u00e9",
    "\\ud83d",
    "\\n",
    "é",
    "😀",
    "x",
)
RANDOM_TEXTS = 1000
NO_UTF_8 = (b'"\xff"', b"\xff", b'"\xed\xa0\xbd"', b'{"\xc3": 1}')


def test_every_text_means_the_same(micropython_says, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(12)  # the same each time
    texts = [text.encode() for text in TEXTS] + list(NO_UTF_8)
    texts += ["".join(chance.choices(PIECES, k=chance.randint(1, 12))).encode() for _ in range(RANDOM_TEXTS)]
    written = [text.hex() for text in texts if text]
    monkeypatch.setattr(json_cases, "json", ujson)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        json_cases.run(written)
    assert said.getvalue().splitlines() == micropython_says(json_cases, written)


@pytest.mark.parametrize("end", [" \n", " \v"])
def test_json_as_it_should_be_is_read_by_a_faster_reader_to_the_same(end: str) -> None:
    """The blank at the end tells which of the two: none minds it."""
    text = json.dumps({"a": [1, -2.5e3, 0, -0.0, 1e400, True, None, 'b\n"\\/é', {}, []], "é": {"a": 10**40}})
    text = text.replace("\\u00e9", "é").replace("Infinity", "1e400")
    value = ujson.loads(text + end)
    assert repr(value) == repr(json.loads(text))
    assert ujson.loads("[" * 5000 + "]" * 5000 + end)


def test_what_is_nested_without_end_is_told() -> None:
    value: list = []
    value.append(value)
    with pytest.raises(RuntimeError, match=r"^maximum recursion depth exceeded$"):
        ujson.dumps(value)


def test_streams_are_of_text_or_of_bytes() -> None:
    assert ujson.load(io.BytesIO(b'{"a": [1]} \n')) == ujson.load(io.StringIO('{"a": [1]}')) == {"a": [1]}
    with pytest.raises(ValueError, match=r"^syntax error in JSON$"):
        ujson.load(io.StringIO("[1] [2]"))
    for made, written in ((io.BytesIO(), '{"é": 1}'.encode()), (io.StringIO(), '{"é": 1}')):
        ujson.dump({"é": 1}, made)
        assert made.getvalue() == written
