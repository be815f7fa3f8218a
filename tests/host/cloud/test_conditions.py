"""Conditions of policies: each operator, with the key there, with several values, without."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.cloud.conditions import conditions
from tools.cloud.errors import MalformedPolicyException
from tools.cloud.policy import Policy, is_allowed

ARN = "arn:aws:iot:us-east-1:123456789012:"
ID, IP, NOW = "iot:ClientId", "aws:SourceIp", "aws:CurrentTime"
NAMES = "iot:Certificate.Subject.CommonName.List"


def holds(operator: str, key: str, wanted: Any, **variables: Any) -> bool:
    """Whether a condition holds; in the names of variables `__` is a colon and `_` a dot."""
    values = {name.replace("__", ":").replace("_", "."): value for name, value in variables.items()}
    return all(condition.holds(values) for condition in conditions({operator: {key: wanted}}))


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "${iot:DomainName}", "d", True),
        ("StringEquals", "${iot:CertificateId}", "c", False),
        ("StringEquals", [], "a", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", [], "b", True),
        ("StringEqualsIgnoreCase", "aB", "Ab", True),
        ("StringNotEqualsIgnoreCase", "aB", "Ab", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringLike", "${iot:DomainName}*", "dx", True),
        ("StringLike", "a${*}", "ab", False),
        ("StringNotLike", "a*", "ab", False),
        ("NumericEquals", 7, "7.0", True),
        ("NumericEquals", "7", "x", False),
        ("NumericNotEquals", "7", "8", True),
        ("NumericLessThan", "7", "6.5", True),
        ("NumericLessThan", "7", "7", False),
        ("NumericLessThanEquals", "7", "7", True),
        ("NumericGreaterThan", "-7", "-6", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("DateNotEquals", "2026-01-01", "2026-01-01T00:00:00Z", False),
        ("DateLessThan", "2026-01-01T00:00:00Z", "1700000000", True),
        ("DateGreaterThanEquals", "1700000000", "2023-11-14T22:13:20Z", True),
        ("DateGreaterThan", "1700000000", "2023-11-14T22:13:20Z", False),
        ("DateLessThanEquals", "1700000000", "2023-11-14T22:13:21Z", False),
        ("Bool", "TRUE", "true", True),
        ("Bool", True, "true", True),
        ("Bool", False, "true", False),
        ("BinaryEquals", "YWI=", "ab", True),
        ("BinaryEquals", "YWI=", "YWI=", False),
        ("IpAddress", "192.0.2.0/24", "192.0.2.7", True),
        ("IpAddress", ["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
        ("IpAddress", "192.0.2.7", "::ffff:192.0.2.7", True),
        ("IpAddress", "192.0.2.7/24", "192.0.2.8", True),
        ("IpAddress", "0.0.0.0/0", "no address", False),
        ("NotIpAddress", "192.0.2.0/24", "198.51.100.1", True),
        ("NotIpAddress", "192.0.2.0/24", "192.0.2.7", False),
        ("ArnEquals", "arn:aws:iot:*:*:topic/a", "arn:aws:iot:us-east-1:1:topic/a", True),
        ("ArnLike", "arn:aws:iot:*:topic/a", "arn:aws:iot:us-east-1:1:topic/a", None),
        ("ArnLike", "arn:aws:iot:*:1:topic/*", "arn:aws:iot:a:b:1:topic/x", False),
        ("ArnLike", "arn:aws:iot:*:1:topic/${iot:DomainName}:*", "arn:aws:iot:a:1:topic/d:e:f", True),
        ("ArnLike", "arn:aws:iot:*:1:topic/*", "topic/x", False),
        ("ArnNotEquals", "arn:aws:iot:*:*:topic/a", "arn:aws:iot:r:1:topic/b", True),
        ("ArnNotLike", "arn:aws:iot:*:*:topic/*", "arn:aws:iot:r:1:topic/b", False),
    ],
)  # fmt: skip
def test_operators(operator: str, wanted: Any, value: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="not an ARN"):
            conditions({operator: {ID: wanted}})
        return
    assert holds(operator, ID, wanted, iot__ClientId=value, iot__DomainName="d") is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("NotIpAddressIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
        ("NumericLessThan", False),
        ("DateNotEquals", True),
        ("Bool", False),
        ("IpAddress", False),
        ("ArnNotLike", True),
    ],
)
def test_without_the_key(operator: str, expected: bool) -> None:
    base = operator.partition(":")[2] or operator
    kinds = {
        "Num": "1",
        "Dat": "1",
        "Boo": "true",
        "IpA": "192.0.2.1",
        "Not": "192.0.2.1",
        "Arn": "arn:a:b:c:d:e",
    }
    assert holds(operator, ID, kinds.get(base[:3], "a")) is expected
    assert (
        holds(operator, NAMES, kinds.get(base[:3], "a"), iot__Certificate_Subject_CommonName_List=())
        is expected
    )


def test_null() -> None:
    for wanted in ("true", True, ["True"]):
        assert holds("Null", ID, wanted)
        assert not holds("Null", ID, wanted, iot__ClientId="a")
    assert holds("Null", ID, "false", iot__ClientId="a")
    assert not holds("Null", ID, "false")


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=3), st.lists(st.sampled_from("abc"), max_size=3))
def test_sets(wanted: list[str], values: list[str]) -> None:
    """Each set operator as a sentence about two sets."""

    def of(operator: str) -> bool:
        return holds(operator, NAMES, wanted, iot__Certificate_Subject_CommonName_List=tuple(values))

    assert of("ForAllValues:StringEquals") is (set(values) <= set(wanted))
    assert of("ForAnyValue:StringEquals") is bool(set(values) & set(wanted))
    assert of("ForAllValues:StringNotEquals") is (not set(values) & set(wanted))
    assert of("ForAnyValue:StringNotEquals") is bool(set(values) - set(wanted))
    assert of("StringEquals") is bool(set(values) & set(wanted))
    assert of("StringNotEquals") is (not of("StringEquals"))


def test_all_operators_and_keys_must_hold() -> None:
    source = {"StringEquals": {ID: "a", "iot:DomainName": "d"}, "Bool": {"aws:SecureTransport": "true"}}
    made = conditions(source)
    full = {ID: "a", "iot:DomainName": "d", "aws:SecureTransport": "true"}
    assert all(condition.holds(full) for condition in made)
    for key in full:
        assert not all(condition.holds(full | {key: "false"}) for condition in made), key


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ([], ": must be an object"),
        ({"StringEquals": []}, r"\.StringEquals: must be an object"),
        ({"StringMatches": {ID: "a"}}, r"\.StringMatches.iot:ClientId: 'StringMatches' is not an operator"),
        ({"StringMatches": {}}, "'StringMatches' is not an operator"),
        ({"ForSomeValues:StringEquals": {ID: "a"}}, "is not an operator"),
        ({"ForAllValues:Null": {ID: "true"}}, "is not an operator"),
        ({"NullIfExists": {ID: "true"}}, "is not an operator"),
        ({"StringEquals": {"iot:ClientID": "a"}}, "'iot:ClientID' is not a key"),
        ({"StringEquals": {"iot:Certificate.Subject.Locality": "a"}}, "is not a key"),
        ({"StringEquals": {"iot:Connection.Thing.Attributes[]": "a"}}, "is not a key"),
        ({"StringEquals": {ID: {}}}, "must be a string or a list of strings"),
        ({"StringEquals": {ID: [["a"]]}}, "must be a string or a list of strings"),
        ({"StringEquals": {ID: None}}, "must be a string or a list of strings"),
        ({"StringLike": {ID: "${iot:Client}"}}, "'iot:Client' is not a variable"),
        ({"StringLike": {ID: "${iot:ClientId"}}, "has a variable without its '}'"),
        ({"Bool": {ID: "yes"}}, "'yes' is neither true nor false"),
        ({"Null": {ID: "yes"}}, "'yes' is neither true nor false"),
        ({"Null": {ID: []}}, "must be true or false"),
        ({"Null": {ID: ["true", "false"]}}, "must be true or false"),
        ({"NumericEquals": {ID: "1e5"}}, "'1e5' is not a number"),
        ({"NumericEquals": {ID: "${iot:ClientId}"}}, "is not a number"),
        ({"DateLessThan": {NOW: "tomorrow"}}, "'tomorrow' is neither a date"),
        ({"IpAddress": {IP: "192.0.2.0/33"}}, "'192.0.2.0/33' is neither an IP address"),
        ({"ArnLike": {ID: "topic/a"}}, "'topic/a' is not an ARN"),
        ({"BinaryEquals": {ID: "a"}}, "'a' is not base64"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_when_it_is_made(source: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        conditions(source)
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": source}
    with pytest.raises(MalformedPolicyException, match=r"^Statement\[0\]\.Condition.*" + reason):
        Policy(json.dumps({"Statement": statement}))


texts = st.text(max_size=20)


@settings(deadline=None)
@given(
    st.sampled_from(
        ["StringLike", "ForAllValues:ArnLike", "NumericLessThan", "DateEquals", "IpAddress", "Bool", "Null"]
    ),
    st.sampled_from([ID, IP, NAMES]),
    st.lists(texts | st.booleans() | st.integers() | st.floats(), max_size=2),
    texts,
)
def test_any_value_is_refused_in_words_or_judged(operator: str, key: str, wanted: Any, value: str) -> None:
    """Neither a policy's value nor a client's makes it fail in another way."""
    try:
        made = conditions({operator: {key: wanted}})
    except ValueError as error:
        assert str(error).startswith(f".{operator}.{key}: ")
    else:
        assert made[0].holds({key: value}) in (True, False)


def test_a_statement_of_all_but() -> None:
    """NotAction and NotResource; a variable without a value makes an Allow of the rest no wider."""

    def allowed(statement: dict[str, Any], action: str, resource: str, **variables: str) -> bool:
        values = {name.replace("__", ":"): value for name, value in variables.items()}
        return is_allowed([Policy(json.dumps({"Statement": statement}))], action, ARN + resource, values)

    one: dict[str, Any] = {
        "Effect": "Allow",
        "NotAction": "iot:Sub*",
        "NotResource": f"{ARN}topic/${{iot:ClientId}}/*",
    }
    assert allowed(one, "iot:Publish", "topic/b/x", iot__ClientId="a")
    assert not allowed(one, "iot:Publish", "topic/a/x", iot__ClientId="a")
    assert not allowed(one, "iot:Subscribe", "topic/b/x", iot__ClientId="a")
    assert not allowed(one, "iot:Publish", "topic/b/x")
    assert not allowed(one, "iot:Publish", "topic/b/x", iot__ClientId="+")
    other = {"Effect": "Deny", "Action": "*", "NotResource": one["NotResource"]}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = Policy(json.dumps({"Statement": [everything, other]}))
    assert is_allowed([policy], "iot:Publish", ARN + "topic/a/x", {"iot:ClientId": "a"})
    assert not is_allowed([policy], "iot:Publish", ARN + "topic/b/x", {"iot:ClientId": "a"})
    assert not is_allowed([policy], "iot:Publish", ARN + "topic/b/x", {})
    for both in (
        {"Action": "*", "NotAction": "*", "Resource": "*"},
        {"Action": "*", "Resource": "*", "NotResource": "*"},
    ):
        with pytest.raises(MalformedPolicyException, match="and not both"):
            Policy(json.dumps({"Statement": {"Effect": "Allow"} | both}))
