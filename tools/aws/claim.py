"""`aws claim`."""

import argparse

from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.output import Output

EXAMPLES = """examples:
  python3 -m tools aws claim
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its options, beside --json, --profile, --region and --name."""


def run(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. Raises BoardError."""
    raise BoardError("aws claim is not there yet", "Another helper makes it.")
