"""The words of `python3 -m tools aws`: its verbs, their options and their help."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tools.fleet import claims

from . import check, claim, cost

_EXIT = "exit status: 0, 1 if it did not work, 2 for wrong arguments"
EXAMPLES = f"""examples:
  python3 -m tools aws up --profile work --region eu-central-1
  python3 -m tools aws up --claim march --until 2027-03-31 --out product.json
  python3 -m tools aws check
  python3 -m tools aws cost --devices 1000 --every 60
  python3 -m tools aws down

The account is that of the credentials which AWS's CLI takes, or of --profile. All that is made is called by
--name, so that two can be in one account. With --json each result is {{"ok": true, "value": …}}, a failure
{{"ok": false, "text", "remedy"}}, and what happens before it an object a line.

{_EXIT}"""
_UP = """examples:
  python3 -m tools aws up                                   what it would make is shown first, and it asks
  python3 -m tools aws up --claim march --until 2027-03-31 --out product.json
      a claim for this batch, too, in the file that `phone`, `configure` and `station` take
  python3 -m tools aws up --email me@example.com --budget 20
  python3 -m tools aws up camera --yes --json
"""
_DOWN = """examples:
  python3 -m tools aws down camera
  python3 -m tools aws down                                 what is lost is told first, and it asks
"""
STACKS = ("base", "camera", "logs")
NAME = "iot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, text: str, examples: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=parser.formatter_class,
            epilog=f"{examples}\n{_EXIT}",
        )
        made.add_argument("--json", action="store_true", help="one JSON object a result")
        return made

    one = add("up", "make in an account what devices need there, or bring it up to date", _UP)
    _add_account(one)
    _add_up(one)
    one = add("down", "remove what `up` made, and nothing else", _DOWN)
    _add_account(one)
    _add_stack(one)
    add_parts: tuple[tuple[str, str, str, Callable[[argparse.ArgumentParser], None]], ...] = (
        ("check", "tell what is wrong with account and device", check.EXAMPLES, check.add_arguments),
        ("claim", "make and retire claims by batch", claim.EXAMPLES, claim.add_arguments),
    )
    for name, text, examples, declare in add_parts:
        one = add(name, text, examples)
        _add_account(one)
        declare(one)
    cost.add_arguments(add("cost", "tell what a month is", cost.EXAMPLES))


def _add_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", metavar="P", help="of AWS's configuration")
    parser.add_argument("--region", metavar="R", help="of AWS")
    parser.add_argument(
        "--name", metavar="N", default=NAME, help="what is made is called by it; default: %(default)s"
    )


def _add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stack", metavar="STACK", nargs="?", choices=STACKS, default="base", help=f"{' or '.join(STACKS)}"
    )
    parser.add_argument("--yes", action="store_true", help="without asking")


def _add_up(parser: argparse.ArgumentParser) -> None:
    _add_stack(parser)
    parser.add_argument("--claim", metavar="BATCH", type=claims.batch, help="make a claim for this batch")
    parser.add_argument("--until", metavar="DATE", type=claims.date, help="with --claim: its last day, UTC")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="the product file of --claim; default: BATCH.json"
    )
