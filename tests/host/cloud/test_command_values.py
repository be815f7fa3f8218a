"""A command's parameters and templates."""

import json
from typing import Any

import pytest

from tools.cloud.commands import values
from tools.cloud.errors import ValidationException

RANGE = {"comparisonOperator": "IN_RANGE", "operand": {"numberRange": {"min": "60", "max": "80"}}}


def parameter(kind: str | None = None, *conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = {"name": "p"} | ({"type": kind} if kind else {}) | more
    return made | ({"valueConditions": list(conditions)} if conditions else {})


@pytest.mark.parametrize(
    ("kind", "key", "good", "bad"),
    [
        ("STRING", "S", ["a", "ü"], ["", 1, None, "\ud800"]),
        ("BOOLEAN", "B", [True, False], [1, "true"]),
        ("INTEGER", "I", [0, -(1 << 31), (1 << 31) - 1], [1 << 31, True, 1.0, "1"]),
        ("LONG", "L", [-(1 << 63), (1 << 63) - 1], [1 << 63, True]),
        ("DOUBLE", "D", [1, 1.5, -1e308], [True, float("nan"), float("inf"), 10**400, "1"]),
        ("UNSIGNEDLONG", "UL", ["0", str((1 << 64) - 1)], [str(1 << 64), "-1", "", 1, "٣"]),
        ("BINARY", "BIN", [b"\0"], [b"", "text"]),
    ],
)
def test_types(kind: str, key: str, good: list[Any], bad: list[Any]) -> None:
    for content in good:
        assert values.resolve([parameter(kind)], {"p": {key: content}}) == {"p": {key: content}}
        assert values.resolve([parameter()], {"p": {key: content}}) == {"p": {key: content}}
    for content in bad:
        with pytest.raises(ValidationException, match=r"p: .* is no value of the type"):
            values.resolve([parameter(kind)], {"p": {key: content}})
    other = "I" if key != "I" else "S"
    with pytest.raises(ValidationException):
        values.resolve([parameter(kind)], {"p": {other: 1 if other == "I" else "a"}})


def test_where_a_value_comes_from() -> None:
    """AWS: the request's, else the default; a parameter without either starts nothing."""
    default = parameter("INTEGER", RANGE, defaultValue={"I": 72})
    assert values.resolve([default], {"p": {"I": 75}}) == {"p": {"I": 75}}
    assert values.resolve([default], {}) == {"p": {"I": 72}}
    assert values.resolve([default | {"value": {"I": 61}}], {}) == {"p": {"I": 61}}
    with pytest.raises(ValidationException, match="no value and no default"):
        values.resolve([parameter("INTEGER")], {})
    with pytest.raises(ValidationException, match="none called q"):
        values.resolve([default], {"q": {"I": 1}})
    with pytest.raises(ValidationException, match="85 is not IN_RANGE"):
        values.resolve([default], {"p": {"I": 85}})


@pytest.mark.parametrize(
    ("kind", "key", "operator", "operand", "holding", "failing"),
    [
        ("INTEGER", "I", "EQUALS", {"number": "5.0"}, [5], [4]),
        ("INTEGER", "I", "NOT_EQUALS", {"number": "5"}, [4], [5]),
        ("DOUBLE", "D", "LESS_THAN", {"number": "0.1"}, [0.05], [0.1]),
        ("DOUBLE", "D", "LESS_THAN_EQUALS", {"number": "0.1"}, [0.1], [0.2]),
        ("LONG", "L", "GREATER_THAN", {"number": "9007199254740992"}, [9007199254740993], [9007199254740992]),
        ("UNSIGNEDLONG", "UL", "GREATER_THAN_EQUALS", {"number": "10"}, ["10"], ["9"]),
        ("INTEGER", "I", "IN_RANGE", {"numberRange": {"min": "1", "max": "3"}}, [1, 3], [0, 4]),
        ("INTEGER", "I", "NOT_IN_RANGE", {"numberRange": {"min": "1", "max": "3"}}, [0, 4], [1, 3]),
        ("INTEGER", "I", "IN_SET", {"numbers": ["1", "2"]}, [1, 2], [3]),
        ("INTEGER", "I", "NOT_IN_SET", {"numbers": ["1", "2"]}, [3], [1]),
        ("STRING", "S", "EQUALS", {"string": "ON"}, ["ON"], ["on"]),
        ("STRING", "S", "NOT_EQUALS", {"string": "ON"}, ["on"], ["ON"]),
        ("STRING", "S", "IN_SET", {"strings": ["ON", "OFF"]}, ["OFF"], ["x"]),
        ("STRING", "S", "NOT_IN_SET", {"strings": ["ON", "OFF"]}, ["x"], ["ON"]),
    ],
)
def test_conditions(
    kind: str, key: str, operator: str, operand: dict[str, Any], holding: list[Any], failing: list[Any]
) -> None:
    one = parameter(kind, {"comparisonOperator": operator, "operand": operand})
    values.check_parameters([one])
    for content in holding:
        values.resolve([one], {"p": {key: content}})
    for content in failing:
        with pytest.raises(ValidationException, match=operator):
            values.resolve([one], {"p": {key: content}})


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "a" * 193},
        {"name": 1},
        {"name": "p", "type": "TEXT"},
        {"name": "p", "type": "INTEGER", "defaultValue": {"S": "a"}},
        {"name": "p", "type": "INTEGER", "defaultValue": {"I": 1, "S": "a"}},
        {"name": "p", "type": "INTEGER", "defaultValue": {}},
        parameter("BOOLEAN", {"comparisonOperator": "EQUALS", "operand": {"string": "true"}}),
        parameter("BINARY", {"comparisonOperator": "EQUALS", "operand": {"string": "true"}}),
        parameter("STRING", RANGE),
        parameter("STRING", {"comparisonOperator": "EQUALS", "operand": {"number": "1"}}),
        parameter("INTEGER", {"comparisonOperator": "EQUALS", "operand": {"string": "1"}}),
        parameter("INTEGER", {"comparisonOperator": "EQUALS", "operand": {"number": "one"}}),
        parameter("INTEGER", {"comparisonOperator": "EQUALS", "operand": {"number": "NaN"}}),
        parameter("INTEGER", {"comparisonOperator": "IN_SET", "operand": {"number": "1"}}),
        parameter("INTEGER", {"comparisonOperator": "EQUALS", "operand": {"numbers": ["1"]}}),
        parameter("INTEGER", {"comparisonOperator": "IN_RANGE", "operand": {"numberRange": {"min": "1"}}}),
        parameter("INTEGER", {"comparisonOperator": "EQUALS", "operand": {}}),
        parameter("INTEGER", {"operand": {"number": "1"}}),
    ],
)
def test_parameters_that_cannot_be(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationException, match="mandatoryParameters"):
        values.check_parameters([bad])


def test_a_name_twice() -> None:
    with pytest.raises(ValidationException, match="twice"):
        values.check_parameters([{"name": "p"}, {"name": "p"}])


def place(name: str) -> str:
    return f"${{aws:iot:commandexecution::parameter:{name}}}"


def test_a_template_is_filled() -> None:
    """A placeholder alone becomes the value with its type; within a text it is text, and JSON stays whole."""
    template = json.dumps(
        {
            "n": place("n"),
            "list": [place("b"), "t " + place("n") + "/" + place("b"), place("s"), place("u")],
            place("s"): place("d"),
            "bin": place("x"),
            "timeout": "${aws:iot:commandexecution::executionTimeoutSec}",
            "other": "${aws:iot:thing}",
        }
    )
    filled = values.fill(
        template,
        {
            "n": {"I": -7},
            "b": {"B": True},
            "s": {"S": 'q"\\' + place("n")},
            "d": {"D": 1.5},
            "u": {"UL": str((1 << 64) - 1)},
            "x": {"BIN": b"\xff"},
        },
        30,
    )
    assert json.loads(filled) == {
        "n": -7,
        "list": [True, "t -7/true", 'q"\\' + place("n"), (1 << 64) - 1],
        'q"\\' + place("n"): 1.5,
        "bin": "/w==",
        "timeout": 30,
        "other": "${aws:iot:thing}",
    }


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("", "bytes"),
        (json.dumps({"a": place("p")}) + " " * 32768, "bytes"),
        ("{", "is not JSON"),
        ('{"a":"\ud800"}', "surrogate"),
        ('["' + place("p") + '"]', "is not a JSON object"),
        ("[" * 500 + "]" * 500, "nested too deeply"),
        ('{"a":"' + place("p") + '","a":1}', "twice"),
        ('{"a":1}', "placeholder"),
        (json.dumps({"a": place("q")}), "q, none of mandatoryParameters"),
    ],
)
def test_templates_that_cannot_be(template: str, reason: str) -> None:
    with pytest.raises(ValidationException, match=f"payloadTemplate.*{reason}"):
        values.check_template(template, [{"name": "p"}])
