"""The rules of a shadow's document: what may be in it, what waits, and how that is cut into updates."""

import json

from check import raises
from iot.aws import shadow_document as rules
from iot.work import tree as tree_rules

ROOM = 1800


def joined(*patches):
    return [json.loads(text) for text in rules.joined([json.dumps(patch).encode() for patch in patches])]


def test_what_json_and_aws_have_a_word_for():
    for state in (
        {},
        {"a": 1},
        {"a": None, "b": [1, "x", True, 1.5, [], {}]},
        {"a": {"b": {"c": {"d": {}}}}},
    ):
        assert json.loads(rules.patch("reported", state, ROOM)) == {"reported": state}
    assert json.loads(rules.patch("desired", {"a": (1, (2, 3))}, ROOM)) == {"desired": {"a": [1, [2, 3]]}}


def test_what_they_have_none_for():
    circle = {}
    circle["a"] = circle
    endless = []
    endless.append(endless)
    for state, text in (
        (None, "reported: a dictionary, not"),
        ([1], "reported: a dictionary, not"),
        ({"a": float("nan")}, "reported.a: nan can be in no shadow"),
        ({"a": {"b": [0, float("inf")]}}, "reported.a.b[]: inf can be in no shadow"),
        ({"a": b"x"}, "reported.a: "),
        ({"a": {1, 2}}, "reported.a: "),
        ({"a": object()}, "reported.a: "),
        ({"a": {1: 2}}, "reported.a: a name is of "),
        ({"a": [None]}, "reported.a[]: "),
        ({"a": [{"b": None}]}, "reported.a[].b: "),
        (circle, "more than 6 levels"),
        ({"a": endless}, "more than 6 levels"),
    ):
        raises(ValueError, text, rules.patch, "reported", state, ROOM)


def test_six_levels_and_not_seven():
    state = 1
    for _ in range(6):
        state = {"a": state}
    assert rules.patch("reported", state, ROOM)
    raises(
        ValueError, "reported.a.a.a.a.a.a: more than 6 levels", rules.patch, "reported", {"a": state}, ROOM
    )


def test_a_value_that_no_message_has_room_for():
    assert rules.patch("reported", {"a": "x" * 80, "b": "y" * 80}, 110)
    raises(
        ValueError,
        "reported.a: 202 bytes; there is room for 79",
        rules.patch,
        "reported",
        {"a": "x" * 200},
        100,
    )
    raises(ValueError, "reported.a.b: ", rules.patch, "reported", {"a": {"b": [1] * 100}}, 100)
    raises(ValueError, "reported.a: ", rules.patch, "reported", {"a": "é" * 50}, 100)


def test_patches_are_joined():
    assert joined() == []
    assert joined({"reported": {"a": 1}}, {"reported": {"b": 2}}) == [{"reported": {"a": 1, "b": 2}}]
    assert joined({"reported": {"a": 1}}, {"desired": {"a": 2}}) == [
        {"reported": {"a": 1}, "desired": {"a": 2}}
    ]
    assert joined({"r": {"a": {"x": 1, "y": 1}}}, {"r": {"a": {"y": 2}}}) == [{"r": {"a": {"x": 1, "y": 2}}}]
    assert joined({"r": {"a": [1, 2]}}, {"r": {"a": [3]}}) == [{"r": {"a": [3]}}]
    assert joined({"r": {"a": {"x": 1}}}, {"r": {"a": None}}) == [{"r": {"a": None}}]


def test_an_object_in_the_place_of_a_value_goes_out_after_it():
    assert joined({"r": {"a": None}}, {"r": {"a": {"x": 1}}}) == [{"r": {"a": None}}, {"r": {"a": {"x": 1}}}]
    assert joined({"r": {"a": 5, "b": 1}}, {"r": {"a": {"x": {}}}}, {"r": {"a": {"y": 1}}}) == [
        {"r": {"a": 5}},
        {"r": {"a": {"x": {}, "y": 1}, "b": 1}},
    ]
    # What is below has gone by then.
    assert joined({"r": {"a": None}}, {"r": {"a": {"b": 5}}}, {"r": {"a": {"b": {"c": 1}}}}) == [
        {"r": {"a": None}},
        {"r": {"a": {"b": {"c": 1}}}},
    ]
    # And what is above has gone after all.
    assert joined(
        {"r": {"a": {"b": 5}}}, {"r": {"a": {"b": {}}}}, {"r": {"a": None}}, {"r": {"a": {"c": 1}}}
    ) == [
        {"r": {"a": None}},
        {"r": {"a": {"c": 1}}},
    ]


def parts(tree, room):
    found = []
    while tree:
        found.append(rules.take(tree, room)[0])
        assert found[-1]
    return found


def test_an_update_takes_what_it_has_room_for():
    tree = {"reported": {"a": 1, "b": {"c": "x" * 40, "d": "y" * 40}}, "desired": {"e": 1}}
    whole = json.loads(json.dumps(tree))
    assert parts(json.loads(json.dumps(tree)), 1000) == [whole]
    several = parts(tree, 150)
    assert len(several) == 4
    assert joined(*several) == [whole]
    for part in several:
        assert rules.weight(part) <= 150


def test_what_is_too_large_for_an_answer_goes_alone():
    tree = {"reported": {"a": 1, "b": [1] * 100, "c": 2}}
    found = parts(tree, 300)
    assert {"reported": {"b": [1] * 100}} in found
    assert joined(*found) == [{"reported": {"a": 1, "b": [1] * 100, "c": 2}}]


def test_the_weight_is_what_an_answer_has_at_most():
    for value in (1, None, "x", [], {}, [1, [2, 3]], {"a": {"b": [1, {"c": 2}]}}, {"é": "é"}, -1.5):
        assert rules.weight(value) >= len(json.dumps(value)) + len(json.dumps(stamped(value))), value


def stamped(value):
    if isinstance(value, dict):
        return {name: stamped(value[name]) for name in value}
    if isinstance(value, list):
        return [stamped(item) for item in value]
    return {"timestamp": 1700000000}


def test_names():
    for name in ("a", "x" * 64, "$package", "a-b_c:D9"):
        rules.check_name(name)
    for name in ("", "x" * 65, "a/b", "a+", "#", "é", "a b", "a\0"):
        raises(ValueError, "a shadow's name: 1 to 64", rules.check_name, name)


def test_keys_with_dots():
    tree = {"a": {"b": 0}, "c": None}
    for key, value in (("a", {"b": 0}), ("a.b", 0), ("c", None), ("a.b.c", ...), ("x", ...), ("c.d", ...)):
        assert tree_rules.find(tree, key.split("."), ...) == value, key
    assert tree_rules.nested("a", 1) == {"a": 1} and tree_rules.nested("a.b.c", None) == {
        "a": {"b": {"c": None}}
    }
