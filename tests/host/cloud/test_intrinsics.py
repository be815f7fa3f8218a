"""Functions in templates: what each makes, and what is refused when it is made or when it is called."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.cloud import intrinsics
from tools.cloud.errors import InvalidRequestException
from tools.cloud.intrinsics import MAX_CHARACTERS, ParameterError, Scope
from tools.cloud.template import Template

MAPPINGS: dict[str, Any] = {
    "Places": {"WA": {"Url": "https://wa", "Hosts": ["a", "b"]}, "OR": {"Url": "https://or", "Hosts": ["c"]}},
    "Mixed": {"WA": {"Host": "a"}, "OR": {"Host": ["b"]}},
}
SCOPE = Scope(frozenset(("Serial", "Place", "List")), intrinsics.mappings(MAPPINGS))
VALUES = {"Serial": "7", "Place": "WA", "List": "x,y,,z"}
SERIAL, PLACE = {"Ref": "Serial"}, {"Ref": "Place"}
SPLIT = {"Fn::Split": [",", {"Ref": "List"}]}


def made(source: Any, **values: str) -> str:
    return intrinsics.text(source, "here", SCOPE)(VALUES | values)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("text ${Serial}", "text ${Serial}"),
        (SERIAL, "7"),
        ({"Fn::Join": ["-", ["lamp", SERIAL, "", PLACE]]}, "lamp-7--WA"),
        ({"Fn::Join": ["", []]}, ""),
        ({"Fn::Join": ["+", SPLIT]}, "x+y++z"),
        ({"Fn::Join": [" ", {"Fn::FindInMap": ["Places", PLACE, "Hosts"]}]}, "a b"),
        ({"Fn::Select": [1, ["a", SERIAL]]}, "7"),
        ({"Fn::Select": ["3", SPLIT]}, "z"),
        ({"Fn::Select": [2, SPLIT]}, ""),
        ({"Fn::Select": ["0", {"Fn::FindInMap": ["Places", "OR", "Hosts"]}]}, "c"),
        ({"Fn::FindInMap": ["Places", PLACE, "Url"]}, "https://wa"),
        ({"Fn::FindInMap": ["Places", {"Fn::Join": ["", ["O", "R"]]}, "Url"]}, "https://or"),
        ({"Fn::Sub": "a/${Serial}/${ Place }/$x/${!iot:ClientId}"}, "a/7/WA/$x/${iot:ClientId}"),
        ({"Fn::Sub": ["${url}/${Serial}", {"url": {"Fn::FindInMap": ["Places", PLACE, "Url"]}}]}, "https://wa/7"),
        ({"Fn::Sub": ["${Serial}", {"Serial": "own"}]}, "own"),
    ],
)  # fmt: skip
def test_what_they_make(source: Any, expected: str) -> None:
    assert made(source) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (7, "here: must be a string or one of Ref, Fn::Join"),
        (None, "here: must be a string"),
        (["a"], "here: must be a string"),
        ({"Ref": "Serial", "Fn::Join": []}, "here: must be a string"),
        ({"Fn::GetAtt": ["a", "b"]}, "here: Fn::GetAtt is not one of"),
        ({"Fn::If": []}, "here: Fn::If is not one of"),
        ({"Ref": "Nothing"}, r"here\.Ref: 'Nothing' is not declared"),
        ({"Ref": ["Serial"]}, r"here\.Ref: \['Serial'\] is not declared"),
        (SPLIT, "here: Fn::Split makes a list; Fn::Select"),
        ({"Fn::Join": ["-"]}, r"here\.Fn::Join: must be \[separator, \[part, …\]\]"),
        ({"Fn::Join": [SERIAL, []]}, r"here\.Fn::Join\[0\]: must be a string, no function"),
        ({"Fn::Join": ["", "abc"]}, r"here\.Fn::Join\[1\]: must be a list or one of"),
        ({"Fn::Join": ["", SERIAL]}, r"here\.Fn::Join\[1\]: Ref makes a string, and a list belongs here"),
        ({"Fn::Join": ["", ["a", {"Fn::Oops": 1}]]}, r"here\.Fn::Join\[1\]\[1\]: Fn::Oops is not one of"),
        ({"Fn::Select": [2, ["a", "b"]]}, r"here\.Fn::Select: '2' is no index of a list of 2"),
        ({"Fn::Select": [-1, ["a"]]}, "is no index"),
        ({"Fn::Select": [True, ["a"]]}, r"here\.Fn::Select\[0\]: must be a string"),
        ({"Fn::Select": [0, ["a", None]]}, r"here\.Fn::Select\[1\]\[1\]: must be a string"),
        ({"Fn::Select": [0]}, r"here\.Fn::Select: must be \[index, list\]"),
        ({"Fn::Select": [0, {"Fn::Split": ["", "a"]}]}, r"Fn::Split\[0\]: must not be empty"),
        ({"Fn::FindInMap": ["Places", "WA"]}, r"here\.Fn::FindInMap: must be \[mapping, key, key\]"),
        ({"Fn::FindInMap": ["Nowhere", "WA", "Url"]}, "'Nowhere' is not declared in Mappings"),
        ({"Fn::FindInMap": [SERIAL, "WA", "Url"]}, r"FindInMap\[0\]: must be a string, no function"),
        ({"Fn::FindInMap": ["Places", "CA", "Url"]}, "Mappings.Places has nothing for it"),
        ({"Fn::FindInMap": ["Places", PLACE, "URL"]}, "Mappings.Places has nothing for it"),
        ({"Fn::FindInMap": ["Places", PLACE, "Hosts"]}, "strings or lists where the other belongs"),
        ({"Fn::FindInMap": ["Mixed", PLACE, "Host"]}, "strings or lists where the other belongs"),
        ({"Fn::Join": ["", {"Fn::FindInMap": ["Places", "WA", "Url"]}]}, "where the other belongs"),
        ({"Fn::Sub": "${Nothing}"}, r"here\.Fn::Sub: 'Nothing' is not declared in Parameters$"),
        ({"Fn::Sub": "${iot:ClientId}"}, r"; a policy variable is written \$\{!iot:ClientId\}"),
        ({"Fn::Sub": ["${a}"]}, r"here\.Fn::Sub: must be a string, or \[string"),
        ({"Fn::Sub": ["${a}", []]}, r"here\.Fn::Sub\[1\]: must be an object"),
        ({"Fn::Sub": [SERIAL, {}]}, r"here\.Fn::Sub: must be a string, no function"),
        ({"Fn::Sub": ["${a}", {"a": 7}]}, r"here\.Fn::Sub\[1\]\.a: must be a string"),
    ],
)  # fmt: skip
def test_what_is_refused_when_it_is_made(source: Any, reason: str) -> None:
    with pytest.raises(InvalidRequestException, match=reason):
        intrinsics.text(source, "here", SCOPE)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"Fn::Select": [4, SPLIT]}, "'4' is no index of a list of 4"),
        ({"Fn::Select": [PLACE, ["a"]]}, "'WA' is no index of a list of 1"),
        ({"Fn::FindInMap": ["Places", SERIAL, "Url"]}, "Mappings.Places has nothing for '7', 'Url'"),
        (
            {"Fn::FindInMap": ["Places", "WA", {"Fn::Join": ["", ["U"]]}]},
            "strings or lists|nothing for 'WA', 'U'",
        ),
    ],
)
def test_what_a_device_is_refused_for(source: Any, reason: str) -> None:
    with pytest.raises((ParameterError, InvalidRequestException), match=reason):
        made(source)


def test_doubling_has_an_end() -> None:
    """Thirty-three steps of it, which is as deep as a template may be nested, would be 8 GB a parameter."""
    source: Any = SERIAL
    for _ in range(33):
        source = {"Fn::Sub": ["${a}${a}", {"a": source}]}
    with pytest.raises(ParameterError, match=f"makes more than {MAX_CHARACTERS} characters"):
        made(source)
    wide = {"Fn::Join": ["", [SERIAL] * 100]}
    with pytest.raises(ParameterError, match=f"makes more than {MAX_CHARACTERS} characters"):
        made(wide, Serial="x" * 4096)


leaves = st.sampled_from([SERIAL, PLACE, {"Ref": "List"}]) | st.text(",ab", max_size=3)
functions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda by, of: {"Fn::Join": [by, of]}, st.text(",", max_size=2), st.lists(inner)),
        st.builds(lambda i, text: {"Fn::Select": [i, {"Fn::Split": [",", text]}]}, st.integers(0, 2), inner),
        st.builds(lambda text: {"Fn::Sub": ["<${a}>", {"a": text}]}, inner),
    ),
    max_leaves=8,
)  # fmt: skip


def plainly(source: Any) -> str:
    """The same by the words of AWS's guide; IndexError where that speaks of an error."""
    if isinstance(source, str):
        return source
    ((name, argument),) = source.items()
    if name == "Ref":
        return VALUES[argument]
    if name == "Fn::Join":
        return argument[0].join(plainly(part) for part in argument[1])
    if name == "Fn::Sub":
        return "<" + plainly(argument[1]["a"]) + ">"
    return plainly(argument[1]["Fn::Split"][1]).split(",")[argument[0]]


@settings(deadline=None)
@given(functions)
def test_functions_in_functions(source: Any) -> None:
    try:
        expected = plainly(source)
    except IndexError:
        with pytest.raises(ParameterError, match="is no index"):
            made(source)
    else:
        assert made(source) == expected


NAMES = ["Ref", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::FindInMap", "Fn::Sub"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=2),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(["ThingName", "ThingGroups", "AttributePayload", "BillingGroup"]), anything, anything)
def test_any_template_is_refused_in_words_or_resolved(name: str, source: Any, document: Any) -> None:
    identifier = {"Ref": "AWS::IoT::Certificate::Id"}
    body = {
        "Parameters": {"Ref": {"Type": "String", "Default": "7"}},
        "Resources": {
            "t": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": "t"} | {name: source}},
            "c": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": identifier}},
            "p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}},
        },
        "DeviceConfiguration": {"a": source},
    }
    try:
        Template(json.dumps(body)).resolve("c1", {})
    except (InvalidRequestException, ParameterError) as error:
        assert str(error)
