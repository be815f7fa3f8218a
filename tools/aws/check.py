"""`aws check`: what is wrong with an account and a device, in words, a line for each question."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.board import document
from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.output import Output

from . import account_checks, certificate_checks, provisioning_checks
from .finding import Finding, fault, guarded, ok, unknown
from .stack import Stack

EXAMPLES = """examples:
  python3 -m tools aws check                              the account: template, hook, policies, claims, …
  python3 -m tools aws check --product march.json         and that this product's devices can claim there
  python3 -m tools aws check esp32-240ac4000001 --json    and this thing: certificates, and what they may do

A line for each question: ok, fault with its remedy, or ? where it may not be asked or cannot be judged. It
changes nothing. Policies are judged by the local cloud's own engine, with the variables of the connection.
"""
_DEVICE = "esp32-240ac4000001"  # stands for a device that would claim
_MARKS = {"ok": ("ok", "green"), "fault": ("fault", "bold red"), "unknown": ("?", "yellow")}
_MARK, _WIDTH = len("fault"), len("template's policy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its options, beside --json, --profile, --region and --name."""
    parser.add_argument("thing", metavar="THING", nargs="?", help="a thing to look at, too")
    parser.add_argument(
        "--product", metavar="FILE", type=Path, help="what devices are given: endpoint, root, claim"
    )
    parser.add_argument("--template", metavar="NAME", help="default: that of --product, or of the stack")


def run(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Ask, and tell; 0 where nothing is wrong. Raises BoardError where something is."""
    asked, wrong, unanswered = 0, [], 0
    for one in _findings(account, out, args):
        _tell(out, one)
        asked += 1
        wrong += [one.what] if one.state == "fault" else []
        unanswered += one.state == "unknown"
    if wrong:
        names = ", ".join(dict.fromkeys(wrong))
        raise BoardError(f"{len(wrong)} of {asked} are wrong: {names}", "What to do stands below each.")
    note = f"nothing wrong; {unanswered} of {asked} could not be asked" if unanswered else "nothing wrong"
    out.result({"asked": asked, "unanswered": unanswered}, [(note,)])
    return 0


def _findings(account: Account, out: Output, args: argparse.Namespace) -> Iterator[Finding]:
    where = account.where
    yield from account_checks.clock(account)
    for one in guarded("credentials", where, "sts", account_checks.identity(account)):
        yield one
        if one.what == "credentials" and one.state == "fault":
            return  # all else would say the same
    product, found = _product(args.product) if args.product else (None, [])
    yield from found
    outputs: dict[str, str] = {}
    yield from guarded("stack", where, "cloudformation", _stack(Stack(account, out, args.name), outputs))
    template = args.template or (product or {}).get("template") or outputs.get("ProvisioningTemplate")
    device = args.thing or _DEVICE
    yield from guarded("endpoint", where, "iot", account_checks.endpoint(account, product))
    yield from guarded(
        "template", where, "iot", provisioning_checks.template(account, template, product, device)
    )
    claims = (
        certificate_checks.claim(account, template, product, device)
        if product
        else certificate_checks.batches(account)
    )
    yield from guarded("claim", where, "iot", claims)
    if args.thing and "Serials" in outputs:
        listed = provisioning_checks.serial(account, outputs["Serials"], args.thing)
        yield from guarded("serial", where, "dynamodb", listed)
    if args.thing:
        yield from guarded("thing", where, "iot", certificate_checks.thing(account, args.thing, template))
    yield from guarded("quota", where, "servicequotas", account_checks.quotas(account))


def _product(path: Path) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The product's section `aws`, None where it cannot be read, and what stands in the way of it."""
    try:
        product = document.load_product(path)
    except BoardError as error:
        return None, [fault("product", error.text, error.remedy)]
    warnings = document.product_warnings(product)
    told = [one.partition(". ") for one in warnings]
    found = [unknown("product", text, remedy) for text, _, remedy in told] or [ok("product", str(path))]
    return product["aws"], found


def _stack(stack: Stack, outputs: dict[str, str]) -> Iterator[Finding]:
    """What `aws up` made, whose outputs are put into `outputs`."""
    found = stack.find()
    if found is None:
        remedy = "python3 -m tools aws up makes it. Or name it: --name N."
        yield unknown("stack", f"none is called {stack.name}", remedy)
        return
    outputs |= stack.outputs()
    status = found["StackStatus"]
    if status.endswith("_COMPLETE") and "ROLLBACK" not in status:
        yield ok("stack", stack.name)
    else:
        yield fault(
            "stack", f"{stack.name} is in state {status}", "Bring it up to date: python3 -m tools aws up."
        )


def _tell(out: Output, one: Finding) -> None:
    if out.as_json:
        out.change({"what": one.what, "state": one.state, "text": one.text, "remedy": one.remedy})
        return
    mark, style = _MARKS[one.state]
    out.table([((mark.ljust(_MARK), style), one.what.ljust(_WIDTH), one.text)])
    if one.remedy:
        out.table([(" " * _MARK, " " * _WIDTH, (one.remedy, "dim"))])
