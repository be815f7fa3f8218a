"""Whose a certificate is, and what a thing's policy needs beside the rest to ask discovery."""

import json

from tools.cloud import fleet
from tools.cloud.errors import ResourceNotFoundException
from tools.cloud.registry import Registry


def is_of(registry: Registry, thing: str, identifier: str) -> bool:
    """Whether a thing has the certificate of that id, and may use it."""
    try:
        found = registry.describe_certificate(certificateId=identifier)["certificateDescription"]
    except ResourceNotFoundException:
        return False
    things = registry.list_principal_things(principal=found["certificateArn"])["things"]
    return found["status"] == "ACTIVE" and thing in things


def template_body(arn: fleet.Arn, template: str | None = None) -> str:
    """A provisioning template as tools.cloud.fleet's, whose things may ask discovery, too.

    Each may ask for all: Greengrass knows no thing policy variables. A name's beginning in place of the `*`
    narrows it.
    """
    body = json.loads(fleet.template_body(arn, template))
    properties = body["Resources"]["policy"]["Properties"]
    document = json.loads(properties["PolicyDocument"])
    document["Statement"].append(
        {"Effect": "Allow", "Action": ["greengrass:Discover"], "Resource": [arn("thing/*")]}
    )
    properties["PolicyDocument"] = json.dumps(document)
    return json.dumps(body)
