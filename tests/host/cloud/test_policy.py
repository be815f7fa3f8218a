"""Policies as AWS writes them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host.cloud.support import policy
from tools.cloud.errors import MalformedPolicyException
from tools.cloud.policy import Policy, is_allowed

ARN = "arn:aws:iot:us-east-1:123456789012:"
THING = "${iot:Connection.Thing.ThingName}"


def allowed(document, action="iot:Publish", resource="topic/a", **variables):
    values = {name.replace("__", ":").replace("_", "."): value for name, value in variables.items()}
    return is_allowed([Policy(json.dumps(document))], action, ARN + resource, values)


def test_nothing_is_allowed_unless_something_says_so():
    assert not is_allowed([], "iot:Publish", ARN + "topic/a", {})
    assert not allowed(policy(("Allow", "iot:Publish", ARN + "topic/b")))


@pytest.mark.parametrize(
    "action", ["iot:Publish", ["iot:Connect", "iot:Publish"], "iot:*", "iot:Pub*", "*", "iot:?ublish"]
)
def test_actions(action):
    assert allowed(policy(("Allow", action, "*")))
    assert not allowed(policy(("Deny", action, "*"), ("Allow", "*", "*")))


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("topic/a/*", "topic/a/b/c", True),
        ("topic/a/*", "topic/a/", True),
        ("topic/a/*", "topic/a", False),
        ("topic/a?", "topic/ab", True),
        ("topic/a?", "topic/a", False),
        ("topicfilter/a/+", "topicfilter/a/+", True),
        ("topicfilter/a/+", "topicfilter/a/b", False),
        ("topicfilter/a/#", "topicfilter/a/b", False),
        ("topicfilter/a/*", "topicfilter/a/#", True),
        ("topic/a.c", "topic/abc", False),
        ("topic/${*}", "topic/*", True),
        ("topic/${*}", "topic/x", False),
        ("topic/line*", "topic/line\nbreak", True),
    ],
)
def test_resources(pattern, resource, expected):
    assert allowed(policy(("Allow", "iot:*", ARN + pattern)), "iot:Publish", resource) is expected


def test_deny_wins_wherever_it_stands():
    everything, one = ("Allow", "iot:*", "*"), ("Deny", "iot:Publish", ARN + "topic/a")
    assert not allowed(policy(everything, one))
    assert not allowed(policy(one, everything))
    assert allowed(policy(one, everything), resource="topic/b")
    documents = [Policy(json.dumps(policy(everything))), Policy(json.dumps(policy(one)))]
    assert not is_allowed(documents, "iot:Publish", ARN + "topic/a", {})


def test_variables():
    document = policy(("Allow", "iot:Publish", f"{ARN}topic/{THING}/out"))
    assert allowed(document, resource="topic/lamp/out", iot__Connection_Thing_ThingName="lamp")
    assert not allowed(document, resource="topic/lamp/out", iot__Connection_Thing_ThingName="door")
    assert not allowed(document, resource=f"topic/{THING}/out"), "a variable without a value matches nothing"
    assert not allowed(document, resource="topic//out")


def test_a_value_stands_for_itself_and_widens_nothing():
    document = policy(("Allow", "*", ARN + "topic/${iot:ClientId}"))
    assert allowed(document, resource="topic/*", iot__ClientId="*")
    assert not allowed(document, resource="topic/x", iot__ClientId="*")
    assert not allowed(document, resource="topic/xy", iot__ClientId="x?")
    filters = policy(("Allow", "iot:Subscribe", ARN + "topicfilter/${iot:ClientId}/in"))
    assert not allowed(filters, "iot:Subscribe", "topicfilter/+/in", iot__ClientId="+")
    denied = policy(("Allow", "*", "*"), ("Deny", "*", ARN + "topicfilter/${iot:ClientId}/in"))
    assert not allowed(denied, "iot:Subscribe", "topicfilter/+/in", iot__ClientId="+")


def test_conditions():
    document = policy(("Allow", "iot:Connect", "*"))
    document["Statement"][0]["Condition"] = {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}}
    assert allowed(document, "iot:Connect", iot__Connection_Thing_IsAttached="true")
    assert not allowed(document, "iot:Connect", iot__Connection_Thing_IsAttached="false")
    assert not allowed(document, "iot:Connect")
    document["Statement"][0]["Condition"] = {"StringEquals": {"iot:ClientId": ["a", "b"]}}
    assert allowed(document, "iot:Connect", iot__ClientId="b")
    assert not allowed(document, "iot:Connect", iot__ClientId="c")
    document["Statement"][0]["Condition"] = {"StringLike": {"iot:Certificate.Subject.CommonName": "fleet-*"}}
    assert allowed(document, "iot:Connect", iot__Certificate_Subject_CommonName="fleet-7")
    assert not allowed(document, "iot:Connect", iot__Certificate_Subject_CommonName="other")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "Statement"),
        ('{"Version":"2008-10-17","Statement":[]}', "Version"),
        ('{"Statement":[]}', "Statement"),
        ('{"Statement":["x"]}', r"Statement\[0\]: must be an object"),
        ('{"Statement":{"Effect":"Maybe","Action":"*","Resource":"*"}}', "Effect"),
        ('{"Statement":{"Effect":"Allow","Resource":"*"}}', "Action"),
        ('{"Statement":{"Effect":"Allow","Action":"*","Resource":[1]}}', "Resource"),
        ('{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Extra":1}}', "unknown element Extra"),
        (
            '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAdress":{}}}}',
            "IpAdress",
        ),
        (json.dumps(policy(("Allow", "*", "x" * 2048))), "2048"),
    ],
)
def test_malformed(document, reason):
    with pytest.raises(MalformedPolicyException, match=reason):
        Policy(document)


@settings(deadline=None)
@given(st.text("ab*?", max_size=6), st.text("abc", max_size=6))
def test_wildcards_against_a_plain_matcher(pattern, name):
    def matches(pattern, text):
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(matches(pattern[1:], text[i:]) for i in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and matches(pattern[1:], text[1:])

    document = policy(("Allow", "iot:Publish", f"{ARN}topic/{pattern}"))
    assert allowed(document, resource=f"topic/{name}") is matches(pattern, name)
