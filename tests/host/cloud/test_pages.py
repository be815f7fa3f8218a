"""Lists in pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cloud.errors import InvalidRequestException
from tools.cloud.registry.pages import listed, page


@given(st.sets(st.text()), st.integers(1, 9), st.booleans())
def test_pages_have_each_key_once_and_in_order(keys: set[str], most: int, ascending: bool) -> None:
    found: list[str] = []
    token = None
    while True:
        chosen, token = page(keys, most, token, ascending)
        assert len(chosen) <= most
        found += chosen
        if token is None:
            break
    assert found == sorted(keys, reverse=not ascending)


@given(st.sets(st.text(), min_size=2), st.data())
def test_what_changes_between_two_pages_shifts_nothing(keys: set[str], data: st.DataObject) -> None:
    first, token = page(keys, len(keys) // 2)
    gone = data.draw(st.sets(st.sampled_from(first)))
    new = data.draw(st.sets(st.text()))
    rest, _ = page((keys - gone) | new, None, token)
    assert set(rest) >= keys - set(first)
    assert not set(rest) & set(first)


@pytest.mark.parametrize("token", ["", "x", "a===", "/w==", "_w==", "ü"])
def test_a_token_that_is_none(token: str) -> None:
    if token:
        with pytest.raises(InvalidRequestException, match="token"):
            page(["a"], 1, token)
    else:
        assert page(["a"], 1, token) == (["a"], None)


def test_the_last_page_has_no_token() -> None:
    assert listed("things", *page(["a"])) == {"things": ["a"]}
    assert listed("p", *page(["a", "b"], 1), "nextMarker") == {"p": ["a"], "nextMarker": "YQ=="}
