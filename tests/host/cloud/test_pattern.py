"""Wildcards: what they match, and that no pattern costs more than its length."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.cloud import pattern
from tools.cloud.pattern import Wild


def matches(text: str, name: str, **values: str) -> bool | None:
    filled = pattern.fill(pattern.parse(text), values.get)
    return None if filled is None else pattern.matches(filled, name)


def plainly(wanted: str, text: str) -> bool:
    """What a pattern without variables means, by trying everything."""
    if not wanted:
        return not text
    if wanted[0] == "*":
        return any(plainly(wanted[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and wanted[0] in ("?", text[0]) and plainly(wanted[1:], text[1:])


@settings(deadline=None, max_examples=500)
@given(st.text("ab*?", max_size=8), st.text("abc*?", max_size=8))
def test_as_a_plain_matcher(wanted: str, text: str) -> None:
    assert matches(wanted, text) is plainly(wanted, text)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*"ab*?", "${v}", "${*}", "${?}", "${$}"]), max_size=6),
    st.text("ab*?$", max_size=3),
    st.text("ab*?$", max_size=8),
)
def test_values_stand_for_themselves(parts: list[str], value: str, text: str) -> None:
    """As a pattern in whose place of `${v}` each character of the value can only be itself."""
    own = {"*": "\1", "?": "\2", "$": "\3"}

    def hidden(characters: str) -> str:
        return "".join(own.get(c, c) for c in characters)

    plain = "".join(hidden(value if p == "${v}" else p[2]) if p.startswith("${") else p for p in parts)
    assert matches("".join(parts), text, v=value) is plainly(plain, hidden(text))


def test_a_variable_without_a_value_fills_nothing() -> None:
    assert matches("a${v}*", "a") is None


def test_a_variable_without_its_end() -> None:
    with pytest.raises(ValueError, match=r"'a/\$\{iot:ClientId/b' has a variable without its '}'"):
        pattern.parse("a/${iot:ClientId/b")


def test_in_a_plain_text_a_wildcard_is_a_character() -> None:
    assert pattern.parse_plain("a*${*}?") == ("a", "*", "*", "?")
    assert Wild.ANY not in pattern.parse_plain("*")


@pytest.mark.parametrize("of", ["*a", "*?", "?*a", "a*?", "**", "*ab"])
def test_the_longest_pattern_takes_milliseconds(of: str) -> None:
    """Against the longest topic; `(*a){4}b` took a minute as a regular expression."""
    text = "a" * 600
    wanted = (of * 1024)[:1024] + "b"
    assert not matches(wanted, text)  # and warm
    start = time.process_time()
    assert not matches(wanted, text)
    assert time.process_time() - start < 1
