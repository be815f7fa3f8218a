"""What becomes of a shadow's document: a table, each row with the page that says so."""

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cloud.shadows.document import Document, Tree, delta, encode, equal, size, stamped

# Of https://docs.aws.amazon.com/iot/latest/developerguide/
ARRAYS = "device-shadow-document.html#device-shadow-arrays"
CLEARED = "device-shadow-data-flow.html#deleting-device-shadow"
DELETE_FIELD = "device-shadow-data-flow.html#deleting-shadow-property"
DELTA = "device-shadow-document.html#delta-state"
DELTA_MESSAGE = "device-shadow-mqtt.html#update-delta-pub-sub-topic"
EMPTY = "device-shadow-document.html#device-shadow-empty-fields"
FIELDS_ONLY = "device-shadow-document.html#device-shadow-example-request-json"
UPDATE = "device-shadow-data-flow.html#update-pub-sub-topic-client"
# Where the guide is silent: recorded against AWS itself, or told by AWS's own people of what AWS does
MOTO = "https://github.com/getmoto/moto tests/test_iotdata/test_iotdata.py, marked aws_verified"
GREENGRASS = "https://github.com/aws-greengrass/aws-greengrass-shadow-manager/pull/"
GREENGRASS_MERGER = "aws-greengrass-shadow-manager, JsonMergerTest: AWS's own service for the edge"
# Said nowhere: what follows from the rules above
FOLLOWS = "follows from " + DELETE_FIELD

RGB = {"r": 255, "g": 255, "b": 255}


class Row(NamedTuple):
    name: str
    page: str
    before: Tree
    update: Tree | None
    after: Tree
    delta: Tree


D, R = "desired", "reported"
TABLE = [
    # A first update, and one beside what is there
    Row("first desired", UPDATE, {}, {D: {"color": {"r": 10}, "engine": "ON"}},
        {D: {"color": {"r": 10}, "engine": "ON"}}, {"color": {"r": 10}, "engine": "ON"}),
    Row("first reported", EMPTY, {}, {R: {"temp": 55}}, {R: {"temp": 55}}, {}),
    Row("only the fields specified", FIELDS_ONLY, {D: {"a": 1, "b": {"c": 2, "d": 3}}}, {D: {"b": {"c": 4}}},
        {D: {"a": 1, "b": {"c": 4, "d": 3}}}, {"a": 1, "b": {"c": 4, "d": 3}}),
    Row("both sections at once", FIELDS_ONLY, {D: {"a": 1}}, {D: {"a": 2}, R: {"a": 2}},
        {D: {"a": 2}, R: {"a": 2}}, {}),
    Row("the same once more", FIELDS_ONLY, {R: {"a": 1}}, {R: {"a": 1}}, {R: {"a": 1}}, {}),
    # Nulls
    Row("a field", DELETE_FIELD, {D: {"engine": "ON", "color": "RED"}}, {D: {"engine": None}},
        {D: {"color": "RED"}}, {"color": "RED"}),
    Row("a field that is not there", DELETE_FIELD, {D: {"a": 1}}, {D: {"b": None}}, {D: {"a": 1}}, {"a": 1}),
    Row("a section", EMPTY, {D: {"color": "red"}, R: {"color": "blue"}}, {R: {"color": "red"}, D: None},
        {R: {"color": "red"}}, {}),
    Row("a section that is not there", EMPTY, {R: {"a": 1}}, {D: None}, {R: {"a": 1}}, {}),
    Row("both sections", EMPTY, {D: {"a": 1}, R: {"a": 1}}, {D: None, R: None}, {}, {}),
    Row("the state", CLEARED, {D: {"a": 1}, R: {"b": 1}}, None, {}, {}),
    Row("the state of a new shadow", MOTO, {}, None, {}, {}),
    Row("a section's last field", MOTO, {D: {"state2": 2}}, {D: {"state2": None}}, {}, {}),
    Row("a field of a new section", MOTO, {}, {R: {"online": None}}, {}, {}),
    Row("an object's last field", GREENGRASS + "213", {D: {"a": {"b": 1}, "c": 1}}, {D: {"a": {"b": None}}},
        {D: {"a": {}, "c": 1}}, {"a": {}, "c": 1}),
    Row("an object", DELETE_FIELD, {D: {"a": {"b": 1}, "c": 1}}, {D: {"a": None}}, {D: {"c": 1}}, {"c": 1}),
    Row("in a new object", GREENGRASS_MERGER, {D: {"id": 100}},
        {D: {"new": True, "parent": {"one": None, "two": {"three": None}}}},
        {D: {"id": 100, "new": True}}, {"id": 100, "new": True}),
    Row("beside a value in a new object", FOLLOWS, {}, {D: {"a": {"b": 1, "c": None}}}, {D: {"a": {"b": 1}}},
        {"a": {"b": 1}}),
    Row("in an object that replaces a value", FOLLOWS, {D: {"a": 5, "b": 1}}, {D: {"a": {"c": None}}},
        {D: {"b": 1}}, {"b": 1}),
    # Empty objects
    Row("an empty state", GREENGRASS + "193", {D: {"a": 1}}, {}, {D: {"a": 1}}, {"a": 1}),
    Row("an empty state of a new shadow", MOTO, {}, {}, {}, {}),
    Row("an empty section", MOTO, {D: {"enabled": True}}, {R: {}}, {D: {"enabled": True}}, {"enabled": True}),
    Row("an empty section of a new shadow", MOTO, {}, {D: {}}, {}, {}),
    Row("an empty section empties nothing", MOTO, {D: {"a": 1}}, {D: {}}, {D: {"a": 1}}, {"a": 1}),
    Row("a new empty object", MOTO, {D: {"a": 1, "b": {"c": 3}}}, {D: {"a": 1, "b": {"c": 3}, "d": {}}},
        {D: {"a": 1, "b": {"c": 3}, "d": {}}}, {"a": 1, "b": {"c": 3}, "d": {}}),
    Row("an empty object for a value", MOTO, {D: {"b": {"c": 3}, "d": {}}}, {D: {"b": {"c": {}}}},
        {D: {"b": {"c": {}}, "d": {}}}, {"b": {"c": {}}, "d": {}}),
    Row("an empty object for an object", FIELDS_ONLY, {D: {"b": {"c": 3}}}, {D: {"b": {}}},
        {D: {"b": {"c": 3}}}, {"b": {"c": 3}}),
    Row("an empty array is a value", ARRAYS, {D: {"a": [1]}}, {D: {"a": []}}, {D: {"a": []}}, {"a": []}),
    # Other kinds of values
    Row("an object for a value", MOTO, {D: {"b": {"c": 3}}}, {D: {"b": {"c": {"d": 3}}}},
        {D: {"b": {"c": {"d": 3}}}}, {"b": {"c": {"d": 3}}}),
    Row("a value for an object", FIELDS_ONLY, {D: {"b": {"c": 3}}}, {D: {"b": 3}}, {D: {"b": 3}}, {"b": 3}),
    Row("an array for an object", ARRAYS, {D: {"b": {"c": 3}}}, {D: {"b": [3]}}, {D: {"b": [3]}}, {"b": [3]}),
    Row("an object for an array", ARRAYS, {D: {"b": [3]}}, {D: {"b": {"c": 3}}}, {D: {"b": {"c": 3}}},
        {"b": {"c": 3}}),
    # Arrays
    Row("an array is replaced", ARRAYS, {D: {"colors": ["RED", "GREEN", "BLUE"]}}, {D: {"colors": ["RED"]}},
        {D: {"colors": ["RED"]}}, {"colors": ["RED"]}),
    Row("with objects in it", ARRAYS, {D: {"a": [{"b": 1, "c": 2}]}}, {D: {"a": [{"b": 3}]}},
        {D: {"a": [{"b": 3}]}}, {"a": [{"b": 3}]}),
    Row("shorter", MOTO, {R: {"list": ["value_1", "value_2"]}}, {D: {"list": ["value_1"]}},
        {D: {"list": ["value_1"]}, R: {"list": ["value_1", "value_2"]}}, {"list": ["value_1"]}),
    Row("with another element", MOTO, {R: {"list": ["value_1", "value_2"]}},
        {D: {"list": ["value_1", "value_3"]}},
        {D: {"list": ["value_1", "value_3"]}, R: {"list": ["value_1", "value_2"]}},
        {"list": ["value_1", "value_3"]}),
    Row("of arrays", MOTO, {R: {"list": [["value_1"], ["value_2"]]}}, {D: {"list": [["value_1"]]}},
        {D: {"list": [["value_1"]]}, R: {"list": [["value_1"], ["value_2"]]}}, {"list": [["value_1"]]}),
    Row("in an object", MOTO, {R: {"a": {"b": ["d"]}}}, {D: {"a": {"b": ["c", "d"]}}},
        {D: {"a": {"b": ["c", "d"]}}, R: {"a": {"b": ["d"]}}}, {"a": {"b": ["c", "d"]}}),
    Row("the same", DELTA, {R: {"a": [1, {"b": [2]}]}}, {D: {"a": [1, {"b": [2]}]}},
        {D: {"a": [1, {"b": [2]}]}, R: {"a": [1, {"b": [2]}]}}, {}),
    Row("in another order", DELTA, {R: {"a": [1, 2]}}, {D: {"a": [2, 1]}},
        {D: {"a": [2, 1]}, R: {"a": [1, 2]}},
        {"a": [2, 1]}),
    # The delta
    Row("what differs and what is missing", DELTA, {R: {"color": "GREEN", "engine": "ON"}},
        {D: {"color": "RED", "state": "STOP"}},
        {D: {"color": "RED", "state": "STOP"}, R: {"color": "GREEN", "engine": "ON"}},
        {"color": "RED", "state": "STOP"}),
    Row("the path to the root", DELTA, {R: {"lights": {"color": RGB | {"g": 0}}}},
        {D: {"lights": {"color": RGB}}},
        {D: {"lights": {"color": RGB}}, R: {"lights": {"color": RGB | {"g": 0}}}},
        {"lights": {"color": {"g": 255}}}),
    Row("reported alone", DELTA_MESSAGE, {D: {"enabled": True}}, {R: {"online": False, "enabled": True}},
        {D: {"enabled": True}, R: {"online": False, "enabled": True}}, {}),
    Row("deleted from reported", DELTA_MESSAGE, {D: {"a": 1}, R: {"a": 1, "b": 1}}, {R: {"a": None}},
        {D: {"a": 1}, R: {"b": 1}}, {"a": 1}),
    Row("stored before this update", DELTA_MESSAGE, {D: {"a": 1, "b": 2}}, {R: {"b": 2}},
        {D: {"a": 1, "b": 2}, R: {"b": 2}}, {"a": 1}),
    Row("a boolean", MOTO, {D: {"online": True}}, {R: {"online": False}},
        {D: {"online": True}, R: {"online": False}}, {"online": True}),
    Row("an object beside an equal one", MOTO, {R: {"a1": {"b1": {"c": "d"}}}},
        {D: {"a1": {"b1": {"c": "d"}}, "a2": {"b2": "sth"}}},
        {D: {"a1": {"b1": {"c": "d"}}, "a2": {"b2": "sth"}}, R: {"a1": {"b1": {"c": "d"}}}},
        {"a2": {"b2": "sth"}}),
    Row("a field beside an equal object", MOTO, {R: {"a": {"b1": {"c": "d"}}}},
        {D: {"a": {"b1": {"c": "d"}, "b2": "sth"}}},
        {D: {"a": {"b1": {"c": "d"}, "b2": "sth"}}, R: {"a": {"b1": {"c": "d"}}}}, {"a": {"b2": "sth"}}),
    Row("more is reported in an object", MOTO, {R: {"a": {"b": {"c": "d", "e": "f"}}}},
        {D: {"a": {"b": {"c": "d2"}}}},
        {D: {"a": {"b": {"c": "d2"}}}, R: {"a": {"b": {"c": "d", "e": "f"}}}}, {"a": {"b": {"c": "d2"}}}),
    Row("true is not 1", DELTA, {R: {"a": 1}}, {D: {"a": True}}, {D: {"a": True}, R: {"a": 1}}, {"a": True}),
    Row("not in an array either", DELTA, {R: {"a": [0]}}, {D: {"a": [False]}},
        {D: {"a": [False]}, R: {"a": [0]}}, {"a": [False]}),
    Row("1 is not a text", DELTA, {R: {"a": "1"}}, {D: {"a": 1}}, {D: {"a": 1}, R: {"a": "1"}}, {"a": 1}),
    Row("1.0 is 1", DELTA, {R: {"a": 1}}, {D: {"a": 1.0}}, {D: {"a": 1.0}, R: {"a": 1}}, {}),
    Row("an object for a reported value", DELTA, {R: {"a": 1}}, {D: {"a": {"b": 1}}},
        {D: {"a": {"b": 1}}, R: {"a": 1}}, {"a": {"b": 1}}),
    Row("an empty object is in any other", DELTA, {R: {"a": {"b": 1}}}, {D: {"a": {}, "c": 1}, R: {"c": 1}},
        {D: {"a": {}, "c": 1}, R: {"a": {"b": 1}, "c": 1}}, {}),
    # Names that look like ours
    Row("fields called as sections", FIELDS_ONLY, {}, {D: {D: {R: 1}, "timestamp": {"timestamp": 2}}},
        {D: {D: {R: 1}, "timestamp": {"timestamp": 2}}}, {D: {R: 1}, "timestamp": {"timestamp": 2}}),
]  # fmt: skip


def document(state: Tree, now_s: int = 1000, version: int = 7) -> Document:
    return Document(version, state, stamped(state, now_s))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_table(row: Row) -> None:
    before = document(row.before)
    after = before.updated(row.update, 2000)
    # As text: 1, 1.0 and true are equal in Python
    assert text(after.state) == text(row.after), row.page
    assert text(after.delta()[0]) == text(row.delta), row.page
    assert after.version == 8
    assert before == document(row.before), "the one before is as it was"
    assert shape(after.metadata) == shape(stamped(after.state, 0)), "a timestamp for each value there is"


def test_the_table_is_one() -> None:
    names = [row.name for row in TABLE]
    assert len(set(names)) == len(names) > 50


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def shape(metadata: Any) -> Any:
    """Metadata without its moments."""
    if isinstance(metadata, list):
        return [shape(inner) for inner in metadata]
    if isinstance(metadata, dict):
        return {name: shape(inner) for name, inner in metadata.items()}
    return None


def test_metadata_tells_when_each_value_was_set() -> None:
    """device-shadow-document.html#document-structure."""
    first = Document(exists=False).updated({D: {"a": 1, "b": {"c": 2, "d": [3, {"e": 4}]}, "f": {}}}, 100)
    one = {"timestamp": 100}
    assert first.metadata == {D: {"a": one, "b": {"c": one, "d": [one, {"e": one}]}, "f": {}}}
    second = first.updated({D: {"a": None, "b": {"c": 2}}, R: {"a": 1}}, 200)
    two = {"timestamp": 200}
    assert second.metadata == {D: {"b": {"c": two, "d": [one, {"e": one}]}, "f": {}}, R: {"a": two}}
    third = second.updated({D: {"b": {"d": [5]}}, R: {"b": {"c": 2}}}, 300)
    three = {"timestamp": 300}
    assert third.metadata[D] == {"b": {"c": two, "d": [three]}, "f": {}}
    # device-shadow-document.html#delta-state: "equal to the metadata in the desired field"
    assert third.delta() == ({"b": {"d": [5]}, "f": {}}, {"b": {"d": [three]}, "f": {}})


def test_size_is_that_of_the_sections_in_utf_8() -> None:
    """diagnosing-shadows.html: only desired and reported count, and no metadata."""
    assert size({D: {"a": 1}, R: {"ä": "€"}}) == len('{"a":1}') + len('{"ä":"€"}'.encode())
    assert size({}) == size({D: None}) == 0


NAMES = st.sampled_from(["a", "b", "c", "timestamp", D])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0]) | st.text(max_size=2)
VALUES = SCALARS.filter(lambda value: value is not None)
ARRAY_ITEMS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
FIELDS: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.lists(ARRAY_ITEMS, max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
SECTIONS = st.none() | st.dictionaries(NAMES, FIELDS, max_size=3)
PATCHES = st.none() | st.fixed_dictionaries({}, optional={D: SECTIONS, R: SECTIONS})


def history(patches: list[Tree | None]) -> list[Document]:
    documents = [Document(exists=False)]
    for moment, patch in enumerate(patches, start=1):
        documents.append(documents[-1].updated(patch, moment))
    return documents


def has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_null, value.values()))
    return any(map(has_null, value)) if isinstance(value, list) else value is None


@given(st.lists(PATCHES, max_size=6))
def test_versions_grow_by_one_and_no_state_holds_null(patches: list[Tree | None]) -> None:
    for version, shadow in enumerate(history(patches)):
        assert shadow.version == version
        assert not has_null(shadow.state)
        assert all(shadow.state.values()), "no section is empty"
        assert shape(shadow.metadata) == shape(stamped(shadow.state, 0))


@given(st.lists(PATCHES, min_size=1, max_size=6))
def test_who_reports_the_delta_ends_it(patches: list[Tree | None]) -> None:
    """A device that does what a delta says and reports it is told nothing more."""
    shadow = history(patches)[-1]
    difference, metadata = shadow.delta()
    assert shape(metadata) == shape(stamped(difference, 0))
    reported = shadow.updated({R: difference}, 100)
    assert reported.delta() == ({}, {})
    assert reported.state.get(D) == shadow.state.get(D)


@given(st.lists(PATCHES, min_size=1, max_size=6))
def test_no_delta_is_no_difference_in_what_is_desired(patches: list[Tree | None]) -> None:
    state = history(patches)[-1].state
    desired = state.get(D, {})
    assert delta(desired, desired) == {}
    assert delta(desired, {}) == desired
    merged = Document(1, state, stamped(state, 0)).updated({R: desired}, 1)
    assert merged.delta()[0] == {}


@given(st.lists(PATCHES, max_size=4), PATCHES)
def test_an_update_twice_is_the_same_as_once(patches: list[Tree | None], patch: Tree | None) -> None:
    """So a device may send again what it does not know to have arrived."""
    once = history(patches)[-1].updated(patch, 50)
    twice = once.updated(patch, 60)
    assert equal(once.state, twice.state)


@given(FIELDS)
def test_equal_is_equality_of_json(value: Any) -> None:
    assert equal(value, json.loads(encode(value)))
    assert not equal([value], value) and not equal({"a": value}, {})
