"""What `aws check` asks of certificates: a product's claim, and those of a thing."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.cloud.ca import certificate_id
from tools.cloud.identity import thing_variables
from tools.fleet import claims
from tools.thing.account import Account

from . import judging
from .finding import Finding, fault, ok, unknown

_SOON = dt.timedelta(days=30)
_MAKE = "python3 -m tools aws claim --batch NAME --until DATE"
_CLAIM = f"Make another: {_MAKE} --from PRODUCT"
_ACTIVATE = "If that is not meant: aws iot update-certificate --new-status ACTIVE --certificate-id"
_ANOTHER = "Have it get another: python3 -m tools thing NAME rotate --aws; out of reach, a factory reset."
_CLAIM_AGAIN = "Have it claim again: a factory reset."


def claim(account: Account, template: str | None, aws: Mapping[str, Any], device: str) -> Iterator[Finding]:
    """A product's claim: whether it is active and until when, and what it may do.

    Args:
        account: that is asked.
        template: the name of that which it claims by; None: its policies are not judged.
        aws: that section of the product.
        device: the name of a thing that would claim.
    """
    if "claim_certificate" not in aws:
        yield unknown("claim", "the product has none")
        return
    identifier = certificate_id(aws["claim_certificate"])
    try:
        found = account.iot.describe_certificate(certificateId=identifier)["certificateDescription"]
    except account.iot.exceptions.ResourceNotFoundException:
        yield fault("claim", f"{identifier[:12]}… is none of this account's, in {account.region}", _CLAIM)
        return
    documents = policies(account, found["certificateArn"])
    ends = [moment for document in documents if (moment := _until(document))]
    yield _state("claim", found, ends, _CLAIM, _CLAIM)
    if not documents:
        yield fault("claim's policy", "there is none: AWS hangs up on whoever claims", _CLAIM)
    elif template:
        owner = found["certificateArn"].partition(":cert/")[0]
        own_key = aws.get("keys", "device") == "device"
        yield from judging.of_claim(documents, owner, template, device, own_key)


def batches(account: Account) -> Iterator[Finding]:
    """The claims of batches, where no product tells which one matters."""
    found = list(claims.batches(account))
    for one in found:
        late = one["until"] <= dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = f"of batch {one['batch']}: {one['status'] or 'no certificate'}, until {one['until']}"
        if late or one["status"] != "ACTIVE":
            remedy = f"Not needed any more? python3 -m tools aws claim --retire {one['batch']}"
            yield fault("claim", f"{text}{', which is over' if late else ''}", remedy)
        else:
            yield ok("claim", text)
    if not found:
        yield unknown("claim", "no batch has one", f"Make one: {_MAKE}")


def thing(account: Account, name: str, template: str | None) -> Iterator[Finding]:
    """A thing: its type, its certificates, what they may do."""
    about = account.thing(name)
    kind = about.get("thingTypeName")
    yield ok("thing", f"{name} of type {kind}" if kind else f"{name}, which has no type")
    owner = about["thingArn"].partition(":thing/")[0]
    groups = _group_policies(account, name)
    pages = account.iot.get_paginator("list_thing_principals").paginate(thingName=name)
    principals = [principal for page in pages for principal in page["principals"]]
    for principal in principals:
        if ":cert/" in principal:
            yield from _certificate(account, name, owner, principal, groups, template)
        else:
            yield ok("principal", principal)
    if not principals:
        yield fault("certificate", f"none is attached to {name}: AWS hangs up on it", _CLAIM_AGAIN)


def _certificate(
    account: Account, name: str, owner: str, arn: str, groups: Sequence[str], template: str | None
) -> Iterator[Finding]:
    identifier = arn.partition(":cert/")[2]
    found = account.iot.describe_certificate(certificateId=identifier)["certificateDescription"]
    yield _state("certificate", found, [], f"{_ACTIVATE} {identifier}", _ANOTHER)
    others = [one for one in _things(account, arn) if one != name]
    if others:
        text = f"{identifier[:12]}… is that of {', '.join(others)}, too: whoever has one has all"
        yield fault("certificate", text, "Have each thing claim one of its own.")
    documents = [*policies(account, arn), *groups]
    if not documents:
        yield fault(
            "thing's policy",
            f"{identifier[:12]}… has none: AWS hangs up on {name}",
            "Attach the device's policy.",
        )
        return
    variables = thing_variables(account.iot, identifier, name)
    yield from judging.of_thing("thing's policy", documents, owner, variables, template)


def policies(account: Account, target: str) -> list[str]:
    """The documents of what is attached to a certificate or a thing group."""
    pages = account.iot.get_paginator("list_attached_policies").paginate(target=target)
    names = [one["policyName"] for page in pages for one in page["policies"]]
    return [account.iot.get_policy(policyName=name)["policyDocument"] for name in names]


def _group_policies(account: Account, name: str) -> list[str]:
    pages = account.iot.get_paginator("list_thing_groups_for_thing").paginate(thingName=name)
    groups = [one["groupArn"] for page in pages for one in page["thingGroups"]]
    return [document for group in groups for document in policies(account, group)]


def _things(account: Account, principal: str) -> list[str]:
    pages = account.iot.get_paginator("list_principal_things").paginate(principal=principal)
    return [name for page in pages for name in page["things"]]


def _until(document: str) -> dt.datetime | None:
    """The moment from which a claim's policy allows nothing any more."""
    text = claims.ends(json.loads(document))
    return dt.datetime.fromisoformat(text) if text else None


def _state(
    what: str, found: Mapping[str, Any], ends: Sequence[dt.datetime], activate: str, renew: str
) -> Finding:
    """Whether a certificate is active, and until when.

    Args:
        what: as for Finding.
        found: of DescribeCertificate.
        ends: those of its policies.
        activate: what to do where it is not active.
        renew: what to do where it ends.
    """
    name, status = f"{found['certificateId'][:12]}…", found["status"]
    end = min([*ends, *filter(None, [found.get("validity", {}).get("notAfter")])], default=None)
    now = dt.datetime.now(dt.UTC)
    if status != "ACTIVE":
        return fault(what, f"{name} is {status}: AWS hangs up on it", activate)
    if end is None:
        return ok(what, f"{name} is active")
    if end <= now:
        return fault(what, f"{name} ended on {end:%Y-%m-%d}", renew)
    text = f"{name} is active until {end:%Y-%m-%d}, for {(end - now).days:,} days"
    return fault(what, text, renew) if end - now < _SOON else ok(what, text)
