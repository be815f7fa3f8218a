"""Topic names and filters, and the tree against the plain rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.cloud.limits import Limits
from tools.cloud.topics import FilterTree, filter_error, matches, topic_error


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a", False),
        ("a", "a/b", False),
        ("a/+", "a/b", True),
        ("a/+", "a/", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("+/b", "a/b", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a/", True),
        ("a/#", "a", False),  # AWS: MQTT 3.1.1 (4.7.1.2) would match it
        ("#", "a", True),
        ("#", "a/b", True),
        ("#", "/", True),
        ("+", "/", False),
        ("+/+", "/", True),
        ("#", "$aws/things", False),
        ("+/things", "$aws/things", False),
        ("$aws/#", "$aws/things/x", True),
        ("$aws/+/x", "$aws/things/x", True),
        ("A", "a", False),
    ],
)
def test_matches(topic_filter, topic, expected):
    assert matches(topic_filter, topic) is expected


LEVELS = st.sampled_from(["a", "b", "", "$x"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)
FILTERS = st.builds(
    lambda levels, last: "/".join(levels + last),
    st.lists(LEVELS | st.just("+"), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
) | st.just("#")
SUBSCRIPTIONS = st.dictionaries(st.tuples(FILTERS, st.integers(1, 3)), st.integers(0, 1), max_size=12)


@settings(deadline=None)
@given(SUBSCRIPTIONS, TOPICS)
def test_tree_finds_what_the_rule_says(subscriptions, topic):
    tree: FilterTree[int] = FilterTree()
    expected: dict[int, int] = {}
    for (topic_filter, key), qos in subscriptions.items():
        tree.add(topic_filter, key, qos)
        if matches(topic_filter, topic):
            expected[key] = max(qos, expected.get(key, 0))
    assert tree.match(topic) == expected


@settings(deadline=None)
@given(SUBSCRIPTIONS, TOPICS)
def test_tree_forgets(subscriptions, topic):
    tree: FilterTree[int] = FilterTree()
    for (topic_filter, key), qos in subscriptions.items():
        tree.add(topic_filter, key, qos)
    for topic_filter, key in subscriptions:
        tree.discard(topic_filter, key)
    tree.discard("never/there", 1)
    assert tree.match(topic) == {}
    assert not tree._root.children


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("", "empty"),
        ("a/+", "wildcard"),
        ("#", "wildcard"),
        ("a" * 257, "longer than 256 bytes"),
        ("é" * 129, "longer than 256 bytes"),
        ("/".join("123456789"), "more than 7 slashes"),
        ("$" + "a" * 512, "longer than 512 bytes"),
    ],
)
def test_topic_errors(topic, reason):
    assert reason in (topic_error(topic, Limits()) or "")


@pytest.mark.parametrize("topic", ["a", "a" * 256, "/".join("12345678"), "$aws/1/2/3/4/5/6/7/8/9"])
def test_topics_in_order(topic):
    assert topic_error(topic, Limits()) is None


@pytest.mark.parametrize(
    ("topic_filter", "reason"),
    [
        ("", "empty"),
        ("a/#/b", "not its last level"),
        ("a#", "not its last level"),
        ("a/b+", "not a whole level"),
        ("+a/b", "not a whole level"),
        ("$share/group", "$share/NAME/FILTER"),
        ("$share//a", "$share/NAME/FILTER"),
        ("$share/+/a", "$share/NAME/FILTER"),
        ("$share/a/$share/b/c", "$share/NAME/FILTER"),
        ("$share/group/", "$share/NAME/FILTER"),
        ("$share/group/a/#/b", "not its last level"),
        ("$share/group/" + "+/" * 8, "more than 7 slashes"),
        ("+/" * 8, "more than 7 slashes"),
    ],
)
def test_filter_errors(topic_filter, reason):
    assert reason in (filter_error(topic_filter, Limits()) or "")


@pytest.mark.parametrize("topic_filter", ["#", "+", "+/+/#", "a/+/b", "$aws/things/+/jobs/#"])
def test_filters_in_order(topic_filter):
    assert filter_error(topic_filter, Limits()) is None
