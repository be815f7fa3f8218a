"""`python3 -m tools thing`: shows one thing and talks to it, on the local cloud and on AWS alike."""

import argparse

from tools.board.errors import run_verb, wrong_arguments

from . import jobs, overview, values
from .account import Account
from .arguments import EXAMPLES, Action, add_arguments
from .failures import explained
from .output import Output

__all__ = ["EXAMPLES", "add_arguments", "main"]


def main(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit status."""
    if (args.profile or args.region) and not args.aws:
        return wrong_arguments("thing", "--profile and --region go with --aws", args.json)
    try:
        action = args.told
        args.members = values.tree([*([("action", action)] if action else []), *args.values])
    except ValueError as error:
        return wrong_arguments("thing", str(error), args.json)
    if args.run is jobs.run and not (action or args.document):
        return wrong_arguments("thing", "job run: ACTION or --document is missing", args.json)
    words = filter(None, ("thing", args.thing, args.action))
    return run_verb(" ".join(words), lambda: _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    out = Output(args.json)
    account = Account.chosen(args)
    with explained(account.where):
        if not args.thing:
            return overview.list_things(account, out, args.count)
        thing = account.thing(args.thing)
        run: Action = args.run
        return run(account, out, thing, args)
