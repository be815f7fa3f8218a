"""What this project's devices need in the registry: a template, and the policies of claim and thing."""

import json
from collections.abc import Callable
from typing import Any

Arn = Callable[[str], str]
"""Makes the ARN of a resource such as `topic/a/b`."""

# For a client of an operator's own, which is no device.
MAY_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}

_NAME = "${iot:Connection.Thing.ThingName}"  # not the name itself: 13 long ones are over a policy's limit


def claim_policy(arn: Arn, template: str, temporary: bool = False) -> dict[str, Any]:
    """What AWS's guide gives a claim certificate, connecting and the provisioning calls, and no more.

    The guide's example has the topics of keys made by the service alone, `create/*`. The client ids are
    `claim-…`: with a thing's own it could throw that thing off and drain its session. A `temporary` claim,
    as AWS makes it itself, binds none.
    """
    topics = ["$aws/certificates/create/*", *_own_key_topics(template)]
    return _policy(arn, "*" if temporary else "claim-*", publish=topics, receive=topics)


def _own_key_topics(template: str) -> list[str]:
    """Of the calls that bring a certificate for a key of the device's own."""
    return ["$aws/certificates/create-from-csr/*", f"$aws/provisioning-templates/{template}/provision/*"]


def template_body(arn: Arn, template: str | None = None) -> str:
    """A template whose things are called by their SerialNumber, with one policy that gives each its own name.

    Args:
        arn: makes ARNs.
        template: its name, for things that may replace their certificates over their own connections: then
            let a hook see to it that none registers another's name. None: they may by the claim alone.
    """
    serial = {"Ref": "SerialNumber"}
    thing = {"ThingName": serial, "AttributePayload": {"serialNumber": serial}}
    certificate = {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}
    policy = {"PolicyDocument": json.dumps(_thing_policy(arn, template))}
    body = {
        "Parameters": {"SerialNumber": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": thing},
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": certificate},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": policy},
        },
        "DeviceConfiguration": {},
    }
    return json.dumps(body)


def _thing_policy(arn: Arn, template: str | None) -> dict[str, Any]:
    """A thing's own topics: telemetry/NAME out, cmd/NAME in, the services' under its name, and rotation's."""
    services = [f"$aws/things/{_NAME}/*", f"$aws/commands/things/{_NAME}/*"]
    if template:
        services += _own_key_topics(template)
    return _policy(
        arn,
        _NAME,
        publish=[f"telemetry/{_NAME}", f"telemetry/{_NAME}/*", *services],
        receive=[f"cmd/{_NAME}", f"cmd/{_NAME}/*", *services],
    )


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
