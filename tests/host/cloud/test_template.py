"""Provisioning templates: checked when made, resolved with parameters."""

import json
from typing import Any

import pytest

from tools.cloud.errors import InvalidRequestException
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


def test_not_json():
    with pytest.raises(InvalidRequestException, match="not JSON"):
        Template("{")
