"""What `aws check` asks of provisioning: the template, its hook, and what a thing it makes may do."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tools.cloud.context import Variables
from tools.cloud.errors import AwsError
from tools.cloud.intrinsics import ParameterError
from tools.cloud.template import Registration, Template
from tools.thing.account import Account

from . import judging
from .finding import Finding, fault, guarded, ok, unknown

_UP = "python3 -m tools aws up makes it as it should be."
_OPEN = "python3 -m tools aws up makes one; docs/board.md tells what it must check."
_NO_ID = "0" * 64


def template(
    account: Account, name: str | None, aws: Mapping[str, Any] | None, device: str
) -> Iterator[Finding]:
    """Whether the template is there and enabled, has a hook, and gives things what they need.

    Args:
        account: that is asked.
        name: the template's; None where neither a product nor a stack names one.
        aws: that section of a product, for what it gives the template.
        device: the name of a thing that would claim.
    """
    if not name:
        remedy = "Name it: --template NAME. Or the product: --product FILE."
        yield unknown("template", "no product and no stack names one", remedy)
        return
    try:
        found = account.iot.describe_provisioning_template(templateName=name)
    except account.iot.exceptions.ResourceNotFoundException:
        yield fault("template", f"{name} is not there, in {account.region}", _UP)
        return
    if found["enabled"]:
        yield ok("template", name)
    else:
        remedy = f"Enable it: aws iot update-provisioning-template --template-name {name} --enabled"
        yield fault("template", f"{name} is disabled: no device can claim", remedy)
    yield from guarded("hook", account.where, "lambda", _hook(account, found))
    yield from guarded("template's policy", account.where, "iot", _new_thing(account, found, aws, device))


def serial(account: Account, table: str, name: str) -> Iterator[Finding]:
    """Whether the hook's list has a device, and whether that may claim again; `table` is the stack's."""
    key = {"serial": {"S": name}}
    found = account.client("dynamodb").get_item(TableName=table, Key=key).get("Item")
    if found is None:
        remedy = f"If it is yours: python3 -m tools aws serials add {name}"
        yield fault("serial", f"{name} is not on the hook's list: it cannot claim", remedy)
    elif "claimed_at" in found:
        again = f"to claim again it needs: aws serials release {name}"
        yield ok("serial", f"on the hook's list, registered; {again}")
    else:
        yield ok("serial", "on the hook's list, and may claim")


def _hook(account: Account, found: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether AWS IoT asks a function who may claim, and can."""
    function = found.get("preProvisioningHook", {}).get("targetArn")
    if not function:
        yield fault("hook", "none: whoever has the claim's key can register any name", _OPEN)
        return
    name = function.partition(":function:")[2]
    client = account.client("lambda")
    try:
        about = client.get_function_configuration(FunctionName=function)
    except client.exceptions.ResourceNotFoundException:
        yield fault("hook", f"the function {name} is not there: every device is refused", _UP)
        return
    try:
        statements = json.loads(client.get_policy(FunctionName=function)["Policy"])["Statement"]
    except client.exceptions.ResourceNotFoundException:
        statements = []
    if about.get("State", "Active") != "Active":
        yield fault("hook", f"the function {name} is {about['State']}: {about.get('StateReason', '')}", _UP)
    elif "iot.amazonaws.com" not in json.dumps([one.get("Principal") for one in statements]):
        yield fault("hook", f"the function {name} may not be called by AWS IoT: every device is refused", _UP)
    else:
        yield ok("hook", f"the function {name}")


def _new_thing(
    account: Account, found: Mapping[str, Any], aws: Mapping[str, Any] | None, device: str
) -> Iterator[Finding]:
    """What the template's policies let a thing do that it has just made."""
    given = (aws or {}).get("parameters", {"SerialNumber": "{id}"})
    try:
        made = Template(found["templateBody"]).resolve(
            _NO_ID, {name: value.replace("{id}", device) for name, value in given.items()}
        )
    except ParameterError as error:
        text = f"what the product gives the template does not fit: {error}"
        yield fault("template's policy", text, "Correct aws.parameters of the product.")
        return
    except AwsError as error:
        yield unknown("template's policy", f"the template is beyond this project's engine: {error}")
        return
    documents = list(made.policy_documents)
    for name in made.policy_names:
        try:
            documents.append(account.iot.get_policy(policyName=name)["policyDocument"])
        except account.iot.exceptions.ResourceNotFoundException:
            yield fault(
                "template's policy",
                f"{name}, which the template names, is not there: no device can claim",
                _UP,
            )
            return
    owner = found["templateArn"].partition(":provisioningtemplate/")[0]
    variables = _variables(made, made.thing_name or device)
    yield from judging.of_thing("template's policy", documents, owner, variables, found["templateName"])


def _variables(made: Registration, name: str) -> Variables:
    """Those that a thing's connection will have, as far as the template decides."""
    attributes = {f"iot:Connection.Thing.Attributes[{k}]": v for k, v in (made.attributes or {}).items()}
    kind = {"iot:Connection.Thing.ThingTypeName": made.thing_type} if made.thing_type else {}
    return {
        **attributes,
        **kind,
        "iot:ClientId": name,
        "iot:Connection.Thing.ThingName": name,
        "iot:Connection.Thing.IsAttached": "true",
        "aws:SecureTransport": "true",
    }
