"""Provisioning templates: checked when made, resolved with parameters."""

import json
from typing import Any

import pytest

from tools.cloud.errors import InvalidRequestException, MalformedPolicyException
from tools.cloud.policy import Policy
from tools.cloud.template import ParameterError, Template


def body(**changes: Any) -> str:
    serial = {"Ref": "SerialNumber"}
    template: dict[str, Any] = {
        "Parameters": {
            "SerialNumber": {"Type": "String"},
            "Place": {"Type": "String", "Default": "shelf"},
            "AWS::IoT::Certificate::Id": {"Type": "String"},
        },
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {
                    "ThingName": {"Fn::Join": ["-", ["lamp", serial, {"Ref": "Place"}]]},
                    "ThingTypeName": "Lamp",
                    "AttributePayload": {"serial": serial, "version": "v1"},
                },
                "OverrideSettings": {"AttributePayload": "REPLACE"},
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "Lamps"}},
        },
        "DeviceConfiguration": {"url": {"Fn::Join": ["", ["https://", {"Ref": "Place"}]]}},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = template
        for parent in parents:
            target = target[parent]
        target[last] = value
    return json.dumps(template)


def test_resolve():
    wanted = Template(body()).resolve("c1", {"SerialNumber": "7"})
    assert wanted.thing_name == "lamp-7-shelf"
    assert wanted.thing_type == "Lamp"
    assert wanted.attributes == {"serial": "7", "version": "v1"}
    assert wanted.overrides == {"AttributePayload": "REPLACE"}
    assert wanted.certificate_status == "ACTIVE"
    assert wanted.policy_names == ["Lamps"]
    assert wanted.device_configuration == {"url": "https://shelf"}


def test_a_given_parameter_replaces_the_default():
    assert Template(body()).resolve("c1", {"SerialNumber": "7", "Place": "hall"}).thing_name == "lamp-7-hall"


def test_policy_document_with_references():
    document = {
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": {"Ref": "AWS::IoT::Certificate::Id"}}
    }
    wanted = Template(body(Resources__policy__Properties={"PolicyDocument": document})).resolve(
        "c1", {"SerialNumber": "7"}
    )
    assert json.loads(wanted.policy_documents[0])["Statement"]["Resource"] == "c1"


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "SerialNumber is missing"),
        ({"SerialNumber": "7", "Colour": "red"}, "Colour is not declared"),
        ({"SerialNumber": 7}, "SerialNumber must be a string"),
        ({"SerialNumber": "a\udfff"}, "SerialNumber has half of a surrogate pair"),
        ({"SerialNumber": "a/b"}, "thing name"),
        ({"SerialNumber": "x" * 128}, "thing name"),
    ],
)
def test_parameters_refused(parameters, reason):
    with pytest.raises(ParameterError, match=reason):
        Template(body()).resolve("c1", parameters)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Parameters": []}, "Parameters: must be an object"),
        ({"Parameters__SerialNumber": {"Type": "Number"}}, "Parameters.SerialNumber.Type"),
        ({"Parameters": {}}, "'SerialNumber' is not declared"),
        ({"Resources": None}, "Resources: must be an object"),
        ({"Resources__thing__Type": "AWS::IoT::Lamp"}, "Resources.thing.Type"),
        ({"Resources__thing__Properties": {}}, "ThingName is missing"),
        (
            {"Outputs": {}},
            "template: Outputs is not one of DeviceConfiguration, Mappings, Parameters, Resources",
        ),
        (
            {"Parameters__Place": {"Type": "String", "Default": 7}},
            "Parameters.Place.Default: must be a string",
        ),
        (
            {"Parameters__Place": {"Type": "String", "Max": 7}},
            "Parameters.Place: Max is not one of Default, Type",
        ),
        ({"Mappings": []}, "Mappings: must be an object"),
        ({"Mappings": {"a": {"b": "c"}}}, "Mappings.a.b: must be an object"),
        ({"Mappings": {"a": {"b": {"c": 7}}}}, "Mappings.a.b.c: must be a string or a list of them"),
        ({"Mappings": {"a": {"b": {"c": {"Ref": "Place"}}}}}, "functions have no place in Mappings"),
        ({"Resources__thing__Type": []}, r"Resources.thing.Type: \[\], must be one of"),
        ({"Resources__thing__DependsOn": "x"}, "Resources.thing: DependsOn is not one of"),
        ({"Resources__thing__Properties__Colour": "red"}, "Resources.thing.Properties: Colour is not one of"),
        ({"Resources__thing__Properties__PackageVersions": {}}, "PackageVersions is not supported here"),
        ({"Resources__thing__Properties__ThingName": "a/b"}, "ThingName: name 'a/b': must be 1 to 128"),
        ({"Resources__thing__Properties__ThingGroups": "lamps"}, "ThingGroups: must be a list"),
        ({"Resources__thing__Properties__ThingGroups": ["a b"]}, "ThingGroups: name 'a b'"),
        ({"Resources__thing__Properties__BillingGroup": "a b"}, "BillingGroup: name 'a b'"),
        ({"Resources__thing__Properties__AttributePayload": ["a"]}, "AttributePayload: must be an object"),
        (
            {"Resources__thing__Properties__AttributePayload": {"Attributes": {}}},
            "Attributes: must be a string",
        ),
        (
            {"Resources__second": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": "x"}}},
            "at most one thing",
        ),
        (
            {"Resources__thing__OverrideSettings": {"ThingTypeName": "MERGE"}},
            "ThingTypeName: 'MERGE', must be one of",
        ),
        ({"Resources__thing__OverrideSettings": {"THING_GROUPS": "MERGE"}}, "THING_GROUPS is not one of"),
        ({"Resources__thing__OverrideSettings": {"BillingGroup": "REPLACE"}}, "BillingGroup is not one of"),
        (
            {"Resources__certificate__OverrideSettings": {"Status": "MERGE"}},
            "Status: 'MERGE', must be one of",
        ),
        ({"Resources__certificate__Properties__Status": "REVOKED"}, "Status: certificate status 'REVOKED'"),
        (
            {"Resources__policy__OverrideSettings": {"PolicyName": "REPLACE"}},
            r"PolicyName is not one of \(none\)",
        ),
        ({"Resources__policy__Properties": {"PolicyName": "a b"}}, "PolicyName: name 'a b'"),
        (
            {"Resources__policy__Properties__PolicyDocument": "{}"},
            "PolicyName or PolicyDocument, and not both",
        ),
        ({"Resources__policy__Properties": {"PolicyDocument": "{"}}, "PolicyDocument: policy is not JSON"),
        (
            {"Resources__policy__Properties": {"PolicyDocument": {"a": {"Fn::Oops": 1}}}},
            "Fn::Oops is not one of",
        ),
        ({"DeviceConfiguration": {"a": {"b": "c"}}}, "DeviceConfiguration.a: must be a string or one of"),
        ({"DeviceConfiguration": {"a": 7}}, "DeviceConfiguration.a: must be a string or one of"),
        ({"Resources__thing__OverrideSettings": {"AttributePayload": "ADD"}}, "OverrideSettings"),
        ({"Resources__certificate__Properties": {"CertificateId": "c1"}}, "CertificateId"),
        ({"Resources__policy__Properties": {}}, "PolicyName or PolicyDocument"),
        ({"Resources": {}}, "needs one certificate"),
        ({"DeviceConfiguration": {"a": {"Ref": "Nothing"}}}, "DeviceConfiguration.a.Ref"),
    ],
)
def test_templates_refused(changes, reason):
    with pytest.raises(InvalidRequestException, match=reason):
        Template(body(**changes))


def test_a_name_by_a_parameter_is_judged_with_a_devices():
    name = {"Fn::Join": ["/", ["a", {"Ref": "Place"}]]}
    template = Template(body(Resources__thing__Properties__ThingName=name))
    with pytest.raises(ParameterError, match="thing name 'a/shelf': must be 1 to 128"):
        template.resolve("c1", {"SerialNumber": "7"})


def test_a_status_by_a_parameter():
    template = Template(body(Resources__certificate__Properties__Status={"Ref": "Place"}))
    assert template.resolve("c1", {"SerialNumber": "7", "Place": "inactive"}).certificate_status == "INACTIVE"
    with pytest.raises(ParameterError, match="certificate status 'shelf': ACTIVE or INACTIVE"):
        template.resolve("c1", {"SerialNumber": "7"})


def test_what_a_device_may_send():
    template = Template(body(DeviceConfiguration={f"k{n}": {"Ref": "Place"} for n in range(50)}))
    with pytest.raises(ParameterError, match="parameter Place has more than 4096 characters"):
        template.resolve("c1", {"SerialNumber": "7", "Place": "x" * 4097})
    with pytest.raises(ParameterError, match="DeviceConfiguration has more than 102400 bytes"):
        template.resolve("c1", {"SerialNumber": "7", "Place": "x" * 4096})


def test_a_condition_by_a_parameter_is_judged_with_a_devices():
    condition = {"IpAddress": {"aws:SourceIp": {"Ref": "Place"}}}
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    properties = {"PolicyDocument": {"Statement": statement}}
    changes = {"Resources__policy__Properties": properties, "Resources__thing__Properties__ThingName": "lamp"}
    template = Template(body(**changes))
    (document,) = template.resolve("c1", {"SerialNumber": "7", "Place": "192.0.2.1"}).policy_documents
    Policy(document)
    (document,) = template.resolve("c1", {"SerialNumber": "7"}).policy_documents
    with pytest.raises(MalformedPolicyException, match="'shelf' is neither an IP address"):
        Policy(document)


def test_not_json():
    with pytest.raises(InvalidRequestException, match="not JSON"):
        Template("{")
