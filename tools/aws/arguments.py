"""The words of `python3 -m tools aws`: its verbs, their options and their help."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from tools.fleet import claims
from tools.numbers import positive

from . import check, claim, cost, serials
from .stacks import BASE, STACKS

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
      tells when the account's month costs 80 % of that
  python3 -m tools aws up camera --yes --json
"""
_DOWN = """examples:
  python3 -m tools aws down camera
  python3 -m tools aws down                                 what is lost is told first, and it asks
"""
NAME = "iot"
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,23}")  # what a template's name leaves of 36 characters


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
        ("serials", "the serial numbers that may register", serials.EXAMPLES, serials.add_arguments),
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
        "--name",
        metavar="N",
        type=_name,
        default=NAME,
        help="what is made is called by it; default: %(default)s",
    )


def _add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stack",
        metavar="STACK",
        nargs="?",
        choices=tuple(STACKS),
        default=BASE,
        help="; ".join(f"{name}: {one.text}" for name, one in STACKS.items()),
    )
    parser.add_argument("--yes", action="store_true", help="without asking")


def _add_up(parser: argparse.ArgumentParser) -> None:
    _add_stack(parser)
    parser.add_argument("--claim", metavar="BATCH", type=claims.batch, help="make a claim for this batch")
    parser.add_argument("--until", metavar="DATE", type=claims.date, help="with --claim: its last day, UTC")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="the product file of --claim; default: BATCH.json"
    )
    parser.add_argument("--email", metavar="ADDRESS", help="who is told of costs; '' for nobody")
    parser.add_argument(
        "--budget",
        metavar="USD",
        type=positive,
        help="a month's, of the whole account; with --email; default: 10",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        type=_parameter,
        help="another parameter of the template; what was told once stays",
    )
    group = parser.add_argument_group("for the product file, where the AWS is not Amazon's")
    group.add_argument("--endpoint", metavar="HOST", help="in place of the account's own")
    group.add_argument("--port", metavar="N", type=int, help="default: 8883")
    group.add_argument("--root", metavar="FILE", type=Path, help="the certificates that devices trust, PEM")


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 24 of A-Z a-z 0-9 -, a letter first")
    return text
