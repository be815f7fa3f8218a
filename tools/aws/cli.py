"""`python3 -m tools aws`: an account set up and taken down, checked, and what it costs."""

import argparse

from tools.board.errors import BoardError, run_verb, wrong_arguments
from tools.thing.account import Account
from tools.thing.failures import explained
from tools.thing.output import Output

from . import arguments, check, claim, cost

EXAMPLES = arguments.EXAMPLES
add_arguments = arguments.add_arguments


def main(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit status."""
    if args.action == "up" and bool(args.claim) != bool(args.until):
        return wrong_arguments("aws", "up: --claim BATCH --until DATE", args.json)
    if args.action == "claim" and bool(args.batch) != bool(args.until):
        return wrong_arguments("aws", "claim: --batch NAME --until DATE", args.json)
    return run_verb(f"aws {args.action}", lambda: _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    out = Output(args.json)
    if args.action == "cost":
        return cost.run(out, args)
    with explained("AWS"):  # where its configuration is read
        account = Account.aws(args.profile, args.region)
    with explained(account.where):
        if args.action == "check":
            return check.run(account, out, args)
        if args.action == "claim":
            return claim.run(account, out, args)
        raise BoardError(f"aws {args.action} is not there yet", "It comes with the stack.")
