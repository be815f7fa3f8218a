"""`python3 -m tools aws`: an account set up and taken down, checked, and what it costs."""

import argparse

from tools.board.errors import run_verb, wrong_arguments
from tools.thing.account import Account
from tools.thing.failures import explained
from tools.thing.output import Output

from . import arguments, check, claim, cost, down, serials, up
from .stacks import BASE

EXAMPLES = arguments.EXAMPLES
add_arguments = arguments.add_arguments


def main(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit status."""
    if args.action == "up" and bool(args.claim) != bool(args.until):
        return wrong_arguments("aws", "up: --claim BATCH --until DATE", args.json)
    if args.action == "up" and args.claim and args.stack != BASE:
        return wrong_arguments("aws", "up: --claim goes with the base", args.json)
    return run_verb(f"aws {args.action}", lambda: _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    out = Output(args.json)
    if args.action == "cost":
        return cost.run(out, args)
    with explained("AWS"):  # where its configuration is read
        account = Account.aws(args.profile, args.region)
    run = {
        "up": up.run,
        "down": down.run,
        "serials": serials.run,
        "check": check.run,
        "claim": claim.run,
    }[args.action]
    with explained(account.where):
        return run(account, out, args)
