"""Documents are read strictly."""

import json

import pytest

from tools.cloud import documents
from tools.cloud.errors import InvalidRequestException, MalformedPolicyException
from tools.cloud.policy import Policy
from tools.cloud.template import Template

BAD = [
    ("", "is not JSON"),
    ("{", "is not JSON"),
    ("[]", "is not a JSON object"),
    ("7", "is not a JSON object"),
    ('{"a": {"b": 1, "c": 2, "b": 3}}', "has 'b' twice in one object"),
    ('{"a": NaN}', "NaN is no number"),
    ('{"a": -Infinity}', "is no number"),
    ('{"a": "\\ud800"}', "half of a surrogate pair"),
    ('{"\\udc00": 1}', "half of a surrogate pair"),
    ("[" * 100_000, "nested too deeply|is not JSON"),
    ('{"a":' * 101 + "1" + "}" * 101, "nested too deeply"),
    ('{"a":' * 5000 + "1" + "}" * 5000, "nested too deeply"),
    ('{"a": ' + "9" * 5000 + "}", "integer"),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        documents.load(text)
    with pytest.raises(MalformedPolicyException, match=f"^policy .*({reason})"):
        Policy(text)
    if len(text) <= 10_240:
        with pytest.raises(InvalidRequestException, match=f"^template .*({reason})"):
            Template(text)


def test_what_is_taken() -> None:
    deep = '{"a":' * 100 + "1" + "}" * 100
    assert json.dumps(documents.load(deep), separators=(",", ":")) == deep
    assert documents.load('{"a": [1, 2.5, null, "ü"]}') == {"a": [1, 2.5, None, "ü"]}


def test_a_long_template() -> None:
    with pytest.raises(InvalidRequestException, match="more than 10240 characters"):
        Template(" " * 10_241)
