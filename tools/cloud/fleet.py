"""What this project's devices need in the registry: a template, and the policies of claim and thing."""

import json
from collections.abc import Callable
from typing import Any

Arn = Callable[[str], str]
"""Makes the ARN of a resource such as `topic/a/b`."""


def claim_policy(arn: Arn, template: str) -> dict[str, Any]:
    """What AWS's guide gives a claim certificate: connecting, and the two provisioning calls."""
    topics = ["$aws/certificates/create/*", f"$aws/provisioning-templates/{template}/provision/*"]
    return _policy(arn, "*", publish=topics, receive=topics)


def thing_policy(arn: Arn) -> dict[str, Any]:
    """Each thing its own topics: telemetry/NAME out, cmd/NAME in, and the services' `$aws/things/NAME`."""
    thing = "${iot:Connection.Thing.ThingName}"
    services = f"$aws/things/{thing}/*"
    return _policy(
        arn,
        thing,
        publish=[f"telemetry/{thing}", f"telemetry/{thing}/*", services],
        receive=[f"cmd/{thing}", f"cmd/{thing}/*", services],
    )


def template_body(policy_name: str) -> str:
    """A template whose things are called as their SerialNumber says."""
    serial = {"Ref": "SerialNumber"}
    thing = {"ThingName": serial, "AttributePayload": {"serialNumber": serial}}
    certificate = {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}
    body = {
        "Parameters": {"SerialNumber": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": thing},
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": certificate},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": policy_name}},
        },
        "DeviceConfiguration": {},
    }
    return json.dumps(body)


def _policy(arn: Arn, client: str, publish: list[str], receive: list[str]) -> dict[str, Any]:
    def allow(action: str, kind: str, names: list[str]) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": action, "Resource": [arn(f"{kind}/{name}") for name in names]}

    statements = [
        allow("iot:Connect", "client", [client]),
        allow("iot:Publish", "topic", publish),
        allow("iot:Subscribe", "topicfilter", receive),
        allow("iot:Receive", "topic", receive),
    ]
    return {"Version": "2012-10-17", "Statement": statements}
