"""`python3 -m tools logs`: follows logs, and drains them."""

import argparse
import asyncio

from tools.board.errors import run_verb, wrong_arguments

from . import following, secrets, serve
from .arguments import EXAMPLES, add_arguments

__all__ = ["EXAMPLES", "add_arguments", "main"]


def main(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit status."""
    if args.action == "serve":
        if args.root and not args.webhook:
            return wrong_arguments("logs serve", "--root goes with --webhook", args.json)
        return run_verb("logs serve", lambda: asyncio.run(serve.run(args)), args.json)
    if args.action and not args.aws:
        return wrong_arguments(f"logs {args.action}", "it goes with --aws", args.json)
    if args.action:
        return run_verb(f"logs {args.action}", lambda: secrets.run(args), args.json)
    if (args.profile or args.region or args.group) and not args.aws:
        return wrong_arguments("logs", "--profile, --region and --group go with --aws", args.json)
    return run_verb("logs", lambda: following.run(args), args.json)
