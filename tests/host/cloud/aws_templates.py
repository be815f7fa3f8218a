"""Provisioning templates of the forms that AWS's Developer Guide shows; see test_aws_documents.py."""

import json
from typing import Any

from tests.host.cloud.support import policy

ID = {"Ref": "AWS::IoT::Certificate::Id"}
DOCUMENT = policy(("Allow", "iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/lamps/all"))
OVERRIDES = {"AttributePayload": "MERGE", "ThingTypeName": "REPLACE", "ThingGroups": "DO_NOTHING"}


def strings(*names: str) -> dict[str, Any]:
    return {name: {"Type": "String"} for name in names}


def resources(
    thing: dict[str, Any], certificate: dict[str, Any], document: Any, **overrides: Any
) -> dict[str, Any]:
    return {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": thing} | overrides,
        "certificate": {"Type": "AWS::IoT::Certificate", "Properties": certificate},
        "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}},
    }


THING = {
    "ThingName": {"Fn::Join": ["", ["lamp_", {"Ref": "SerialNumber"}]]},
    "AttributePayload": {"version": "v1", "serialNumber": {"Ref": "SerialNumber"}},
    "ThingTypeName": {"Fn::Join": ["", ["Type_", {"Ref": "SerialNumber"}]]},
    "ThingGroups": ["lamps", "WA"],
    "BillingGroup": "LampCustomers",
}
MAPPINGS = {"Places": {"Seattle": {"Url": "https://seattle.example"}}}
CONFIGURATION = {
    "FallbackUrl": "https://www.example.com/lamps",
    "LocationUrl": {"Fn::FindInMap": ["Places", {"Ref": "DeviceLocation"}, "Url"]},
}

FLEET: dict[str, Any] = {
    "Parameters": strings("SerialNumber", "DeviceLocation"),
    "Mappings": MAPPINGS,
    "Resources": resources(
        THING, {"CertificateId": ID, "Status": "Active"}, DOCUMENT, OverrideSettings=OVERRIDES
    ),
    "DeviceConfiguration": CONFIGURATION,
}
BULK_THING = {
    "ThingName": {"Ref": "ThingName"},
    "AttributePayload": {"version": "v1", "serialNumber": {"Ref": "SerialNumber"}},
    "ThingTypeName": "Lamp",
    "ThingGroups": ["v1-lamps", {"Ref": "Location"}],
}
BULK = strings("ThingName", "SerialNumber", "CSR", "CertificateId") | {
    "Location": {"Type": "String", "Default": "WA"}
}
JITP_NAMES = ("CommonName", "SerialNumber", "Country", "Id")

# Those that no device could provision with, and why.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "bulk registration with a signing request": (
        {
            "Parameters": BULK,
            "Resources": resources(
                BULK_THING, {"CertificateSigningRequest": {"Ref": "CSR"}}, json.dumps(DOCUMENT)
            ),
        },
        r"Resources\.certificate\.Properties: CertificateSigningRequest .* only CertificateId",
    ),
    "bulk registration with a certificate's id": (
        {
            "Parameters": BULK,
            "Resources": resources(BULK_THING, {"CertificateId": {"Ref": "CertificateId"}}, DOCUMENT),
        },
        r"Resources\.certificate\.Properties\.CertificateId: must be .*AWS::IoT::Certificate::Id",
    ),
    "a certificate of one's own CA": (
        {
            "Parameters": BULK,
            "Resources": resources(
                BULK_THING, {"CACertificatePem": {"Ref": "CSR"}, "CertificatePem": {"Ref": "CSR"}}, DOCUMENT
            ),
        },
        r"Resources\.certificate\.Properties: CACertificatePem",
    ),
    "just-in-time provisioning": (
        {
            "Parameters": strings(*(f"AWS::IoT::Certificate::{name}" for name in JITP_NAMES)),
            "Resources": resources(
                {"ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"}}, {"CertificateId": ID}, DOCUMENT
            ),
        },
        r"Parameters\.AWS::IoT::Certificate::CommonName: only just-in-time provisioning has it",
    ),
    "without the parameter that it uses": (
        FLEET | {"Parameters": strings("DeviceLocation")},
        r"Resources\.thing\.Properties\.ThingName\.Fn::Join\[1\]\[1\]\.Ref: 'SerialNumber' is not declared",
    ),
    "without a thing's name": (
        FLEET | {"Resources": resources({"ThingGroups": ["a"]}, {"CertificateId": ID}, DOCUMENT)},
        r"Resources\.thing\.Properties: ThingName is missing",
    ),
}
