"""`fleet group`, `fleet tag` and `fleet retire`: what changes things of the registry."""

import argparse
from typing import Any

from botocore.exceptions import ClientError

from tools.board.consent import ask, check_somebody
from tools.thing.account import Account
from tools.thing.failures import code, is_missing
from tools.thing.output import Output, note

from .survey import certificates

_SETTLE_S = 30.0  # AWS takes some seconds to forget what was detached


def group(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Which groups there are, what is in one, or a change of that."""
    if not args.name:
        pages = account.iot.get_paginator("list_thing_groups").paginate()
        names = [one["groupName"] for page in pages for one in page["thingGroups"]]
        out.result({"groups": names}, [(name,) for name in names])
        return 0
    if not args.change:
        there = _things(account, args.name)
        out.result({"group": args.name, "things": there}, [(thing,) for thing in there])
        return 0
    for name in args.things:  # a wrong name changes nothing
        account.thing(name)
    if args.change == "add":
        if not _is_there(account, args.name):
            account.iot.create_thing_group(thingGroupName=args.name)
        call = account.iot.add_thing_to_thing_group
    else:
        call = account.iot.remove_thing_from_thing_group
    for name in args.things:
        call(thingGroupName=args.name, thingName=name)
    out.result(
        {"group": args.name, args.change: args.things}, [(f"{args.name}: {args.change} {len(args.things)}",)]
    )
    return 0


def tag(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Set attributes of a thing; those that are not named stay, an empty value takes one away."""
    account.thing(args.thing)
    payload = {"attributes": dict(args.tags), "merge": True}
    account.iot.update_thing(thingName=args.thing, attributePayload=payload)
    attributes = account.thing(args.thing).get("attributes", {})
    rows = [(f"{key}={value}",) for key, value in sorted(attributes.items())]
    out.result({"thingName": args.thing, "attributes": attributes}, rows)
    return 0


def retire(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Take things out of use; asks first."""
    for name in args.things:
        account.thing(name)
    if not args.yes:
        what = f"{len(args.things)} things will be retired: {', '.join(args.things)}"
        check_somebody(what)
        ask(f"{what}. Their certificates stop working, and they are deleted.", out.as_json)
    for name in args.things:
        value = _retire(account, name)
        out.result(value, [(f"{name}: retired, {len(value['certificates'])} certificates inactive",)])
    note("A device that still has a claim can register again: take its name off the hook's list.")
    return 0


def _retire(account: Account, name: str) -> dict[str, Any]:
    """The certificates first: cut off anywhere the device is shut out, and the rest can be done again."""
    mine: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for identifier in certificates(account, name):
        arn = account.iot.describe_certificate(certificateId=identifier)["certificateDescription"][
            "certificateArn"
        ]
        pages = account.iot.get_paginator("list_principal_things").paginate(principal=arn)
        others = {thing for page in pages for thing in page["things"]} - {name}
        (shared if others else mine).append((identifier, arn))
        if others:
            note(f"{name}: certificate {identifier[:12]}… stays active: {', '.join(sorted(others))} has it")
    for identifier, _ in mine:
        account.iot.update_certificate(certificateId=identifier, newStatus="INACTIVE")
    for _, arn in [*mine, *shared]:
        account.iot.detach_thing_principal(thingName=name, principal=arn)
    for _ in account.turns(_SETTLE_S):
        try:
            account.iot.delete_thing(thingName=name)
            break
        except ClientError as error:
            if code(error) != "InvalidRequestException":
                raise
            refusal = error
    else:
        raise refusal
    return {"thingName": name, "certificates": [identifier for identifier, _ in mine]}


def _is_there(account: Account, name: str) -> bool:
    try:
        account.iot.describe_thing_group(thingGroupName=name)
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def _things(account: Account, name: str) -> list[str]:
    pages = account.iot.get_paginator("list_things_in_thing_group").paginate(thingGroupName=name)
    return [thing for page in pages for thing in page["things"]]
