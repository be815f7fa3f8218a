"""What a thing's policy needs beside the rest, so that the thing may ask discovery."""

import json

from tools.cloud import fleet


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
