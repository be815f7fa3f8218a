"""What can be published and subscribed to, on AWS IoT Core."""

from check import raises
from iot.mqtt import checks

ALLOWED = (
    "a", "/", "a/b/c/d/e/f/g/h", "ä" * 128, "x" * 256, "a$b/$c",
    "$aws/things/x/shadow/name/n/update/documents/more/and/more", "$aws/things/" + "x" * 300,
    "$aws/certificates/create/json", "$aws/provisioning-templates/T/provision/json",
    "$aws/commands/things/x/executions/e/response/json", "$aws/rules/r", "$aws/rules/r/a/b/c/d/e/f/g/h",
    "$aws/rules/name/" + "x" * 256,
)  # fmt: skip
REFUSED = (
    ("", "1 to 65535 bytes, not 0"),
    ("x" * 65536, "1 to 65535 bytes, not 65536"),
    ("a\0", "no NUL"),
    ("x" * 257, "257 bytes; AWS IoT takes 256"),
    ("ä" * 129, "258 bytes"),
    ("a/b/c/d/e/f/g/h/i", "8 slashes; AWS IoT takes 7"),
    ("////////", "8 slashes"),
    ("$", "no service"),
    ("$SYS/broker", "no service"),
    ("$aws", "no service"),
    ("$aws/", "no service"),
    ("$aws/thing/x", "no service"),
    ("$AWS/things/x", "no service"),
    ("$awsome", "no service"),
    ("$share/g/a", "shared subscriptions are not supported"),
    ("$aws/rules/r/a/b/c/d/e/f/g/h/i", "8 slashes"),
    ("$aws/rules/r/" + "x" * 257, "257 bytes"),
)


def test_topics_within_the_limits_are_allowed():
    for topic in ALLOWED:
        checks.message(topic, 1)
        checks.subscription(topic, 1, 8)


def test_topics_beyond_them_are_refused_by_name():
    for topic, reason in REFUSED:
        error = raises(ValueError, reason, checks.message, topic, 0)
        if 0 < len(topic) < 1000 and "NUL" not in reason:
            assert topic in str(error)
        raises(ValueError, reason, checks.subscription, topic, 0, 8)


def test_filters_have_wildcards():
    for topic_filter in (
        "#",
        "+",
        "a/#",
        "+/+/+/+/+/+/+/+",
        "$aws/#",
        "$aws/+/x",
        "$aws/things/+/shadow/#",
        None,
    ):
        checks.subscription(topic_filter, 0, 1)
    for topic_filter, reason in (
        ("a#", "whole levels"), ("#/a", "whole levels"), ("a+/b", "whole levels"), ("$+/x", "whole levels"),
        ("+/+/+/+/+/+/+/+/+", "8 slashes"), ("$share/g/#", "shared"),
    ):  # fmt: skip
        raises(ValueError, reason, checks.subscription, topic_filter, 0, 1)
    raises(ValueError, "depth: at least 1", checks.subscription, None, 0, 0)


def test_nothing_is_retained_on_reserved_topics():
    checks.message("a", 1, True)
    raises(ValueError, "retains nothing there", checks.message, "$aws/things/x", 1, True)


def test_what_json_has_no_word_for_is_named():
    nan, inf = float("nan"), float("inf")
    for document, place in (
        ([nan], "[0] is nan"),
        ({"a": {"b": [0, (1, -inf)]}}, "a.b[1][1] is -inf"),
        ({"a": {1, 2}}, "a is of <class 'set'>"),
        ([b"x"], "[0] is of <class 'bytes'>"),
        ([1j], "[0] is of <class 'complex'>"),
        ({1: {"b": print}}, "1.b is of"),
    ):
        raises(ValueError, 'publish to "t": ' + place, checks.message, "t", 0, False, document)
    checks.message("t", 0, False, {"a": [1, 1.5, "nan", None, True, {}, [], ()]})
