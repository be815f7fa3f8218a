"""`fleet claim`: claim certificates, one a batch that ends on its date, or one that lasts minutes.

The date stands in the policy of the batch's claim, as a condition: from then on the cloud itself refuses it.
"""

import argparse
import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.atomic import write_atomic
from tools.board import document
from tools.board.errors import BoardError, writing
from tools.cloud.fleet import claim_policy
from tools.thing.account import Account
from tools.thing.failures import is_missing
from tools.thing.output import Cell, Output

_POLICY = "claim-"  # and the batch's name
_CONDITION, _KEY = "DateLessThan", "aws:CurrentTime"
_BATCH = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def claim(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Make a claim, take a batch's out of use, or tell which there are."""
    if args.retire:
        return _retire(account, out, args.retire)
    if args.batch or args.minutes:
        return _make(account, out, args)
    found = list(_batches(account))
    rows: list[tuple[Cell, ...]] = [("batch", "until", "certificate", "status")] if found else []
    for one in found:
        identifier = one["certificateId"]
        rows.append(
            (one["batch"], one["until"], f"{identifier[:12]}…" if identifier else "none", _status(one))
        )
    if out.as_json:
        for one in found:
            out.result(one)
    else:
        out.table(rows or [("no batch has a claim",)])
    return 0


def _make(account: Account, out: Output, args: argparse.Namespace) -> int:
    product = document.load_product(args.source) if args.source else None
    template = args.template or (product or {}).get("aws", {}).get("template")
    if not template:
        raise BoardError(
            "which provisioning template the claim is for is not known", "Name it: --template NAME."
        )
    account.iot.describe_provisioning_template(templateName=template)
    path: Path = args.out or Path(f"{args.batch or 'claim'}.json")
    if args.minutes:
        made = account.iot.create_provisioning_claim(templateName=template)
        files = _save(path, product, made)
    else:
        made, files = make(account, args.batch, args.until, template, product, path)
    until = made["expiration"] if args.minutes else args.until
    value = {"template": template, "until": until, "certificateId": made["certificateId"], "files": files}
    rows = [("claim", f"{made['certificateId'][:12]}… for {template}"), ("until", _text(until))]
    out.result(value | ({"batch": args.batch} if args.batch else {}), [*rows, ("files", ", ".join(files))])
    return 0


def make(
    account: Account,
    name: str,
    until: dt.datetime,
    template: str,
    product: dict[str, Any] | None,
    path: Path,
) -> tuple[dict[str, Any], list[str]]:
    """A batch's claim, active once its key is kept.

    Args:
        account: where.
        name: the batch's.
        until: when it ends.
        template: the provisioning template that it is for.
        product: gets it, and is written to `path`; None: it is written beside, as two files.
        path: the product file.

    Returns:
        What AWS has made, and the names of the files.

    Raises:
        BoardError: the batch has one already, or a file cannot be written.
    """
    check_free(account, name)
    made = _of_batch(account, name, until, template)
    try:
        files = _save(path, product, made)
    except BoardError:  # its key is lost
        retire(account, name)
        raise
    account.iot.update_certificate(certificateId=made["certificateId"], newStatus="ACTIVE")
    return made, files


def check_free(account: Account, name: str) -> None:
    """Raise BoardError where the batch has a claim."""
    if _policy(account, _POLICY + name) is not None:
        raise BoardError(
            f"the batch {name} has a claim already", f"Another name; or: fleet claim --retire {name}"
        )


def _of_batch(account: Account, name: str, until: dt.datetime, template: str) -> dict[str, Any]:
    """An inactive certificate, with a policy that ends."""
    made: dict[str, Any] = account.iot.create_keys_and_certificate(setAsActive=False)
    owner = made["certificateArn"].partition(":cert/")[0]
    policy = claim_policy(lambda resource: f"{owner}:{resource}", template)
    for statement in policy["Statement"]:
        statement["Condition"] = {_CONDITION: {_KEY: _text(until)}}
    account.iot.create_policy(policyName=_POLICY + name, policyDocument=json.dumps(policy))
    account.iot.attach_policy(policyName=_POLICY + name, target=made["certificateArn"])
    return made


def _save(path: Path, product: dict[str, Any] | None, made: dict[str, Any]) -> list[str]:
    """The claim's files, or a product file with it, for the owner alone."""
    certificate, key = made["certificatePem"], made["keyPair"]["PrivateKey"]
    if product is not None:
        product["aws"] |= {"claim_certificate": certificate, "claim_key": key}
        document.save_product(path, document.with_pem(path, product))
        return [str(path)]
    files = [path.with_suffix(suffix) for suffix in (".claim.pem", ".claim.key")]
    for file, text in zip(files, (certificate, key), strict=True):
        with writing(file):
            write_atomic(file, text.encode(), 0o600)
    return [str(file) for file in files]


def _retire(account: Account, out: Output, batch: str) -> int:
    if _policy(account, _POLICY + batch) is None:
        raise BoardError(f"no batch {batch!r} has a claim", "fleet claim tells which there are.")
    identifiers = retire(account, batch)
    out.result({"batch": batch, "certificates": identifiers}, [(f"{batch}: its claim is no more",)])
    return 0


def retire(account: Account, batch: str) -> list[str]:
    """Inactive first: wherever this is cut off nobody claims with it, and the rest can be done again."""
    name = _POLICY + batch
    identifiers = _certificates(account, name)
    for identifier in identifiers:
        account.iot.update_certificate(certificateId=identifier, newStatus="INACTIVE")
    for identifier in identifiers:
        account.iot.delete_certificate(certificateId=identifier, forceDelete=True)
    account.iot.delete_policy(policyName=name)
    return identifiers


def of_template(account: Account, template: str) -> list[str]:
    """The batches whose claims are for this provisioning template."""
    topics = f":topic/$aws/provisioning-templates/{template}/"
    names = dict.fromkeys(one["batch"] for one in _batches(account))
    return [name for name in names if topics in json.dumps(_policy(account, _POLICY + name))]


def _batches(account: Account) -> Iterator[dict[str, Any]]:
    pages = account.iot.get_paginator("list_policies").paginate()
    for name in (one["policyName"] for page in pages for one in page["policies"]):
        until = _until(_policy(account, name)) if name.startswith(_POLICY) else None
        if until is None:  # somebody else's
            continue
        identifiers = _certificates(account, name)
        for identifier in identifiers or [""]:
            status = None
            if identifier:
                about = account.iot.describe_certificate(certificateId=identifier)
                status = about["certificateDescription"]["status"]
            batch = name.removeprefix(_POLICY)
            yield {"batch": batch, "until": until, "certificateId": identifier, "status": status}


def _policy(account: Account, name: str) -> dict[str, Any] | None:
    """Its document; None where there is no such policy."""
    try:
        found: dict[str, Any] = json.loads(account.iot.get_policy(policyName=name)["policyDocument"])
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _until(policy: dict[str, Any] | None) -> str | None:
    """The date of a batch's claim; None where it is the policy of something else."""
    statements = policy.get("Statement") if policy else None
    if not isinstance(statements, list) or not statements:
        return None
    found = statements[0].get("Condition", {}).get(_CONDITION, {}).get(_KEY)
    return found if isinstance(found, str) else None


def _certificates(account: Account, policy: str) -> list[str]:
    pages = account.iot.get_paginator("list_targets_for_policy").paginate(policyName=policy)
    targets = (target.partition(":cert/")[2] for page in pages for target in page["targets"])
    return [identifier for identifier in targets if identifier]


def _status(one: dict[str, Any]) -> Cell:
    if one["status"] == "ACTIVE" and one["until"] <= _text(dt.datetime.now(dt.UTC)):
        return "ended", "yellow"
    return (one["status"], "") if one["status"] == "ACTIVE" else (one["status"] or "-", "yellow")


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def batch(text: str) -> str:
    """An argument's type: a batch's name."""
    if not _BATCH.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 64 of A-Z a-z 0-9 _ . -")
    return text


def date(text: str) -> dt.datetime:
    """An argument's type: a day, which the claim still lasts, UTC."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a date as 2027-03-31") from None
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
    if end <= dt.datetime.now(dt.UTC):
        raise argparse.ArgumentTypeError("is over")
    return end
