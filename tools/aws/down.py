"""`aws down`: a stack removed, with what was put into it, and nothing else."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tools.board.consent import ask, check_somebody
from tools.board.errors import BoardError
from tools.fleet import claims
from tools.thing.account import Account
from tools.thing.failures import explained, is_missing
from tools.thing.output import Cell, Output, note

from . import bucket, indexing, serials, tokens
from .stack import Stack
from .stacks import BASE, STACKS, stack_name

_NAMED = 10  # of what stands in the way


@dataclass
class Removal:
    """What goes with a stack.

    Args:
        buckets: by name, (versions, bytes).
        claims: batches whose claims are for its provisioning template.
        retired: certificates of things that were retired, (id, ARN); its policy is still attached to them.
    """

    buckets: dict[str, tuple[int, int]] = field(default_factory=dict)
    claims: list[str] = field(default_factory=list)
    retired: list[tuple[str, str]] = field(default_factory=list)


def run(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. Raises BoardError."""
    stack = Stack(account, out, stack_name(args.name, args.stack))
    with explained(account.where, "cloudformation"):
        if stack.find() is None:
            note(f"{stack.name}: is not there")
            out.result({"stack": stack.name, "removed": False})
            return 0
        outputs, parameters, resources = stack.outputs(), stack.parameters(), stack.resources()
    removal = Removal()
    if args.stack == BASE:
        _check_others(account, out, args.name)
        removal.retired = _check_uses(account, outputs)
        removal.claims = claims.of_template(account, outputs["ProvisioningTemplate"])
    for one in resources:
        if one["ResourceType"] == "AWS::S3::Bucket":
            name = one["PhysicalResourceId"]
            removal.buckets[name] = bucket.size(account, name)
    _agree(stack, args, _lost(account, outputs, removal, len(resources)))
    _empty(account, removal)
    if outputs.get("Indexing") == indexing.OURS and not indexing.switch_off(account):
        note("fleet indexing was changed since, and stays as it is")
    with explained(account.where, "cloudformation"):
        stack.delete()
        _forget_code(account, out, args, parameters)
    tokens.forget(account, STACKS[args.stack].token_names(args.name))
    out.result({"stack": stack.name, "removed": True}, [(f"{stack.name}: nothing of it is left",)])
    return 0


def _check_others(account: Account, out: Output, name: str) -> None:
    """Raise BoardError where a stack is there that needs this one."""
    for key in STACKS:
        other = stack_name(name, key)
        if key != BASE and Stack(account, out, other).find() is not None:
            raise BoardError(
                f"{name}: stack {other} needs it",
                f"First: python3 -m tools aws down {key} --name {name}.",
            )


def _check_uses(account: Account, outputs: dict[str, str]) -> list[tuple[str, str]]:
    """Certificates of retired things. Raises BoardError, which names what else uses the stack's policies."""
    retired: list[tuple[str, str]] = []
    uses: list[str] = []
    for use in _uses(account, outputs, retired):
        uses.append(use)
        if len(uses) == _NAMED:
            uses.append("perhaps more")
            break
    if uses:
        raise BoardError(
            f"in use: {'; '.join(uses)}",
            "Take things out of use: python3 -m tools fleet retire THING --aws. "
            "A certificate of no thing: aws iot detach-policy.",
        )
    return retired


def _uses(account: Account, outputs: dict[str, str], retired: list[tuple[str, str]]) -> Iterator[str]:
    """What uses policies and thing type; retired things' certificates go to `retired`."""
    named: set[str] = set()
    for policy in (outputs["DevicePolicy"], outputs["ClaimPolicy"]):
        for identifier, arn, things, status in _targets(account, policy):
            if not things and status == "INACTIVE":
                retired.append((identifier, arn))
                continue
            named |= set(things)
            whose = f"of {', '.join(things)}" if things else f"of no thing, {status}"
            yield f"policy {policy} is attached to certificate {identifier[:12]}… {whose}"
    pages = account.iot.get_paginator("list_things").paginate(thingTypeName=outputs["ThingType"])
    for thing in (one["thingName"] for page in pages for one in page["things"]):
        if thing not in named:
            yield f"thing {thing} is of type {outputs['ThingType']}"


def _targets(account: Account, policy: str) -> Iterator[tuple[str, str, list[str], str]]:
    """(id, ARN, things, status) of the certificates that have a policy."""
    try:
        pages = list(account.iot.get_paginator("list_targets_for_policy").paginate(policyName=policy))
    except ClientError as error:
        if is_missing(error):  # an earlier `down` got that far
            return
        raise
    for arn in (target for page in pages for target in page["targets"]):
        identifier = arn.partition(":cert/")[2]
        if not identifier:  # a group of things, or who signs in with Cognito
            yield arn, arn, [arn], ""
            continue
        things: list[str] = account.iot.list_principal_things(principal=arn)["things"]
        about = account.iot.describe_certificate(certificateId=identifier)["certificateDescription"]
        yield identifier, arn, things, about["status"]


def _lost(
    account: Account, outputs: dict[str, str], removal: Removal, resources: int
) -> list[tuple[Cell, ...]]:
    """What goes, for a person."""
    rows: list[tuple[Cell, ...]] = [("resources", f"{resources}")]
    rows += [
        ("bucket", f"{name}: {versions} files and versions, {size:,} bytes")
        for name, (versions, size) in removal.buckets.items()
    ]
    if "Serials" in outputs:
        rows.append(("serial numbers", f"{serials.count(account, outputs['Serials'])}"))
    rows += [("claim", f"of batch {name}") for name in removal.claims]
    if removal.retired:
        rows.append(("certificates", f"{len(removal.retired)} of retired things"))
    if outputs.get("Indexing") == indexing.OURS:
        rows.append(("fleet indexing", "is switched off again"))
    return rows


def _agree(stack: Stack, args: argparse.Namespace, rows: list[tuple[Cell, ...]]) -> None:
    out = Output(False)
    if not args.json:
        out.table([("removed with it:",), *rows])
    if not args.yes:
        what = f"{stack.name}: will be removed with all that is in it"
        check_somebody(what)
        ask(f"{what}.", args.json)


def _empty(account: Account, removal: Removal) -> None:
    """What CloudFormation would stumble over, or leave."""
    for batch in removal.claims:
        claims.retire(account, batch)
    for identifier, arn in removal.retired:
        for policy in account.iot.list_attached_policies(target=arn)["policies"]:
            account.iot.detach_policy(policyName=policy["policyName"], target=arn)
        account.iot.delete_certificate(certificateId=identifier, forceDelete=True)
    for name in removal.buckets:
        bucket.empty(account, name)


def _forget_code(account: Account, out: Output, args: argparse.Namespace, parameters: dict[str, Any]) -> None:
    """The zips of its functions, which lie in base's bucket."""
    keys = [parameters[one.parameter] for one in STACKS[args.stack].functions if one.parameter in parameters]
    base = Stack(account, out, args.name).outputs() if keys else {}
    for key in keys:
        if key and "Bucket" in base:
            bucket.empty(account, base["Bucket"], key)
