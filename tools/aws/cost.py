"""`aws cost`."""

import argparse

from tools.board.errors import BoardError
from tools.thing.output import Output

EXAMPLES = """examples:
  python3 -m tools aws cost --devices 1000 --every 60
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its options, beside --json."""


def run(out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. Raises BoardError."""
    raise BoardError("aws cost is not there yet", "Another helper makes it.")
