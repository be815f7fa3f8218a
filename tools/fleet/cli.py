"""`python3 -m tools fleet`: the things of a cloud, many at a time, on the local cloud and on AWS alike."""

import argparse
from collections.abc import Callable
from typing import Any

from tools.board.errors import run_verb, wrong_arguments
from tools.numbers import count, positive
from tools.thing.account import Account
from tools.thing.arguments import add_cloud
from tools.thing.failures import explained
from tools.thing.output import Output

from . import changes, claims, tables

_EXIT = "exit status: 0, 1 if it did not work, 2 for wrong arguments"
EXAMPLES = f"""examples:
  python3 -m tools fleet list --group hall
  python3 -m tools fleet show
  python3 -m tools fleet stale --days 30 --json
  python3 -m tools fleet tag esp32-240ac4000001 place=hall
  python3 -m tools fleet retire esp32-240ac4000001
  python3 -m tools fleet claim --batch march --until 2027-03-31 --from product.json

The cloud is the local one that was started last with --state (python3 -m tools cloud), or AWS with --aws, by
the credentials that its CLI takes. With --json each result is {{"ok": true, "value": …}}, a failure
{{"ok": false, "text", "remedy"}}. One thing alone, and what it does: python3 -m tools thing.

{_EXIT}"""
_LIST = """examples:
  python3 -m tools fleet list
  python3 -m tools fleet list --group hall --tag place=hall --json
"""
_SHOW = """examples:
  python3 -m tools fleet show                        how many, connected, by version, seen when
  python3 -m tools fleet show esp32-240ac4000001     its groups, when it was seen, and what `thing` shows
"""
_STALE = """examples:
  python3 -m tools fleet stale --days 7
  python3 -m tools fleet stale --json | jq -r .value.thingName

A thing was seen when it was connected, which AWS knows for half an hour, when it last reported to its
$package or its classic shadow, or else when its certificate was made.
"""
_GROUP = """examples:
  python3 -m tools fleet group                       which there are
  python3 -m tools fleet group hall                  which things are in one
  python3 -m tools fleet group hall add esp32-240ac4000001 esp32-240ac4000002
  python3 -m tools fleet group hall remove esp32-240ac4000001
"""
_TAG = """examples:
  python3 -m tools fleet tag esp32-240ac4000001 place=hall size=7
  python3 -m tools fleet tag esp32-240ac4000001 place=           takes it away

Tags are the thing's attributes: three for a thing without a type, fifty with one.
"""
_RETIRE = """examples:
  python3 -m tools fleet retire esp32-240ac4000001
  python3 -m tools fleet retire esp32-240ac4000001 esp32-240ac4000002 --yes

Its certificates become inactive, then are detached, then the thing is deleted: cut off anywhere the device is
shut out, and the same again does the rest.
"""
_CLAIM = """examples:
  python3 -m tools fleet claim                                     which batches have one, until when
  python3 -m tools fleet claim --batch march --until 2027-03-31 --from product.json
      march.json: the product with a claim of its own, which the cloud refuses after that day
  python3 -m tools fleet claim --minutes --template FleetTemplate --out now.json
      now.claim.pem, now.claim.key: a claim for five minutes, as AWS makes it
  python3 -m tools fleet claim --retire march
"""
Run = Callable[[Account, Output, argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, text: str, run: Run, examples: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=parser.formatter_class,
            epilog=f"{examples}\n{_EXIT}",
        )
        add_cloud(made)
        made.add_argument("--json", action="store_true", help="one JSON object a result")
        made.set_defaults(run=run)
        return made

    one = add("list", "things: version, when seen, tags", tables.list_, _LIST)
    _add_choice(one)
    one.add_argument("--count", metavar="N", type=count, default=1000, help="so many; default: %(default)s")
    one = add("show", "the fleet in numbers, or one thing", tables.show, _SHOW)
    one.add_argument("thing", metavar="THING", nargs="?")
    one = add("stale", "things that were not seen for long", tables.stale, _STALE)
    _add_choice(one)
    one.add_argument("--days", metavar="N", type=positive, default=30.0, help="default: 30")
    one = add("group", "groups of things", changes.group, _GROUP)
    one.add_argument("name", metavar="NAME", nargs="?")
    one.add_argument("change", metavar="add | remove", nargs="?", choices=("add", "remove"))
    one.add_argument("things", metavar="THING", nargs="*")
    one = add("tag", "set attributes of a thing", changes.tag, _TAG)
    one.add_argument("thing", metavar="THING")
    one.add_argument("tags", metavar="KEY=VALUE", nargs="+", type=_tag)
    one = add("retire", "take things out of use", changes.retire, _RETIRE)
    one.add_argument("things", metavar="THING", nargs="+")
    one.add_argument("--yes", action="store_true", help="without asking")
    claims.add_arguments(add("claim", "claims of batches, and for minutes", claims.claim, _CLAIM))


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", metavar="NAME", help="those in it, and in groups below it")
    parser.add_argument("--tag", metavar="KEY=VALUE", type=_tag, help="those with this attribute")


def main(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit status."""
    if (args.profile or args.region) and not args.aws:
        return wrong_arguments("fleet", "--profile and --region go with --aws", args.json)
    if args.action == "group" and bool(args.change) != bool(args.things):
        return wrong_arguments("fleet", "group: NAME add THING …, or NAME remove THING …", args.json)
    if args.action == "claim" and bool(args.batch) != bool(args.until):
        return wrong_arguments("fleet", "claim: --batch NAME --until DATE", args.json)
    return run_verb(f"fleet {args.action}", lambda: _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    account = Account.chosen(args)
    with explained(account.where):
        run: Run = args.run
        return run(account, Output(args.json), args)


def _tag(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError("must be KEY=VALUE")
    return key, value
