"""What a device's shadow joins and cuts comes out as what was reported, by the cloud's own rules."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from iot.aws import shadow_document as rules
from iot.work.tree import find, nested

from tools.cloud.shadows.document import Document, delta

NAMES = st.sampled_from(["a", "b", "c", "é"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.text(max_size=30),
    st.lists(st.integers(0, 9), max_size=3),
)
TREES = st.recursive(
    VALUES, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=6
)
STATES = st.dictionaries(NAMES, TREES, min_size=1, max_size=3)
PATCHES = st.lists(
    st.one_of(STATES.map(lambda s: {"reported": s}), STATES.map(lambda s: {"desired": s})), max_size=6
)


def after(document: Document, patches: list[dict[str, Any]]) -> dict[str, Any]:
    for patch in patches:
        document = document.updated(json.loads(json.dumps(patch)), 0)
    return without_empty(document.state)


def without_empty(state: Any) -> Any:
    """Whether an object is there that has nothing in it depends on what had been in it."""
    if not isinstance(state, dict):
        return state
    kept = {name: without_empty(value) for name, value in state.items()}
    return {name: value for name, value in kept.items() if value != {}}


@given(STATES, PATCHES, st.integers(60, 400))
def test_updates_do_what_the_reports_said(before: dict[str, Any], patches: list[Any], room: int) -> None:
    document = Document().updated({"reported": before, "desired": before}, 0)
    joined = [json.loads(text) for text in rules.joined([json.dumps(patch).encode() for patch in patches])]
    assert len(joined) <= 2
    updates = []
    for tree in joined:
        while tree:
            updates.append(rules.take(tree, room)[0])
            assert updates[-1], "each update takes something along"
    assert after(document, updates) == after(document, patches)


@given(STATES)
def test_what_is_plain_is_a_copy(state: dict[str, Any]) -> None:
    copy = rules.plain(state, "reported")
    assert copy == state and json.loads(rules.patch("reported", state, 1 << 20)) == {"reported": state}


@given(
    st.recursive(
        VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner), max_leaves=9
    )
)
def test_what_is_plain_is_what_json_has(value: Any) -> None:
    try:
        copy = rules.plain({"x": value}, "reported")
    except ValueError:
        return
    assert copy == {"x": value}


@given(STATES, STATES)
def test_a_handled_delta_is_no_delta_any_more(desired: dict[str, Any], reported: dict[str, Any]) -> None:
    document = Document().updated({"reported": reported, "desired": desired}, 0)
    difference = delta(document.state.get("desired", {}), document.state.get("reported", {}))
    for key in difference:
        value = find(difference, key.split("."), ...)
        document = document.updated({"reported": nested(key, value)}, 0)
    assert document.delta()[0] == {}
