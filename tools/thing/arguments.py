"""The words of `python3 -m tools thing`: NAME, an action, its arguments, and their help."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tools.cloud.actions import STATE
from tools.numbers import count, positive

from . import commands, jobs, logs, overview, shadow, values
from .account import Account
from .output import Output

_EXIT = "exit status: 0, 1 if it did not work, 2 for wrong arguments, 130 after Ctrl-C"
_WHERE = """The cloud is the local one that was started last with --state (python3 -m tools cloud), or AWS
with --aws, by the credentials that its CLI takes. With --json each result is {"ok": true, "value": …}, a
failure {"ok": false, "text", "remedy"}, and each change before it an object of its own."""
EXAMPLES = f"""examples:
  python3 -m tools thing                                      which things there are, and who is connected
  python3 -m tools thing lamp                                 all that is known of one
  python3 -m tools thing lamp shadow set led=true --wait 10   desired, and reported within 10 s
  python3 -m tools thing lamp job run blink times=3           what it does, as it does it
  python3 -m tools thing lamp command run beep
  python3 -m tools thing lamp logs
  python3 -m tools thing lamp show --aws --profile work --region eu-central-1

{_WHERE}

{_EXIT}"""
_SHOW = """examples:
  python3 -m tools thing lamp show
  python3 -m tools thing lamp show --json | jq .value.certificates
"""
_SHADOW = """examples:
  python3 -m tools thing lamp shadow get
  python3 -m tools thing lamp shadow set led=true
"""
_GET = """examples:
  python3 -m tools thing lamp shadow get                  desired, reported and what differs, side by side
  python3 -m tools thing lamp shadow get --name config --json
"""
_SET = """examples:
  python3 -m tools thing lamp shadow set led=true 'color={"r": 7}' 'name="hall"'
  python3 -m tools thing lamp shadow set color.r=9 old=null      one member of an object; null deletes
  python3 -m tools thing lamp shadow set led=true --wait 10      status 1 where it is not reported by then
"""
_JOB = """examples:
  python3 -m tools thing lamp job run reboot
  python3 -m tools thing lamp job list
  python3 -m tools thing lamp job cancel reboot-261128-170501-3f9a
"""
_RUN = """examples:
  python3 -m tools thing lamp job run blink times=3 --timeout-min 5
  python3 -m tools thing lamp job run --document update.json --json
  python3 -m tools thing lamp job run log 'level="debug"' --wait 60

The job's document is that of --document, with {"action": ACTION, KEY: JSON, …} in it. Its statusDetails are
shown as they change, "percent" as a bar. Ctrl-C leaves the job, which goes on, or cancels it: it asks.
"""
_LIST = """examples:
  python3 -m tools thing lamp job list --count 5
"""
_SHOW_JOB = """examples:
  python3 -m tools thing lamp job show blink-261128-170501-3f9a
"""
_CANCEL = """examples:
  python3 -m tools thing lamp job cancel blink-261128-170501-3f9a
  python3 -m tools thing lamp job cancel blink-261128-170501-3f9a --force      one that is in progress

It is canceled for this thing alone, even where it is a job of many.
"""
_COMMAND = """examples:
  python3 -m tools thing lamp command run beep
"""
_RUN_COMMAND = """examples:
  python3 -m tools thing lamp command run beep
  python3 -m tools thing lamp command run beep 'tone="high"' seconds=2 --timeout 30 --json

Its payload is {"action": NAME, KEY: JSON, …}. The command is made once for each content, and kept.
"""
_LOGS = """examples:
  python3 -m tools thing lamp logs                        until Ctrl-C
  python3 -m tools thing lamp logs --count 20 --seconds 60 --json
  python3 -m tools thing lamp logs --aws                  of the log group that `aws up` has made
"""
_ROTATE = """examples:
  python3 -m tools thing lamp rotate                      the same as: job run rotate-certificate
"""

Action = Callable[[Account, Output, dict[str, Any], argparse.Namespace], int]


class OfThing(argparse.Action):
    """The positional arguments NAME ACTION …: what follows the name is for `inner`, a parser of its own."""

    def __init__(self, *, inner: argparse.ArgumentParser, **options: Any) -> None:
        super().__init__(nargs=argparse.PARSER, **options)
        self.inner = inner
        self.required = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        given: str | Sequence[Any] | None,
        option: str | None = None,
    ) -> None:
        words = list(given or ())
        namespace.thing = words[0]
        self.inner.parse_args(words[1:], namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    inner = type(parser)(
        prog=f"{parser.prog} NAME",
        description="Shows one thing, unless there is an ACTION.",
        formatter_class=parser.formatter_class,
        epilog=EXAMPLES,
    )
    _add_actions(inner)
    parser.usage = "%(prog)s [--state DIR | --aws …] [--json] [NAME [ACTION …]]"
    parser.set_defaults(action=None, run=overview.show, told=None, values=[])
    parser.add_argument(
        "thing",
        metavar="NAME",
        action=OfThing,
        inner=inner,
        help="a thing, and what to do with it: show (the default), "
        "shadow, job, command, logs, rotate; NAME --help tells more. Without, all things are listed",
    )
    _add_where(parser, defaults=True)
    parser.add_argument("--count", metavar="N", type=count, default=100, help="list so many; default: 100")


def _add_actions(inner: argparse.ArgumentParser) -> None:
    actions = inner.add_subparsers(dest="action", metavar="ACTION")
    _add_where(inner)

    def add(to: Any, name: str, text: str, run: Action | None, examples: str) -> argparse.ArgumentParser:
        epilog = f"{examples}\n{_EXIT}"
        made: argparse.ArgumentParser = to.add_parser(
            name, help=text, description=text, formatter_class=inner.formatter_class, epilog=epilog
        )
        _add_where(made)
        if run is not None:
            made.set_defaults(run=run)
        return made

    add(
        actions,
        "show",
        "attributes, connection, certificates, shadows, the latest jobs",
        overview.show,
        _SHOW,
    )
    _add_shadow(actions, add)
    _add_job(actions, add)
    group = add(actions, "command", "have a command done at once", None, _COMMAND)
    under = group.add_subparsers(dest="command_action", metavar="run", required=True)
    one = add(under, "run", "start a command, and wait for its result", commands.run, _RUN_COMMAND)
    one.add_argument("told", metavar="NAME", help="as the device's application calls it")
    _add_values(one, "*")
    one.add_argument(
        "--timeout", metavar="S", type=count, default=10, help="the device has so long; default: 10"
    )
    one = add(actions, "logs", "what the device logs, as it comes", logs.follow_log, _LOGS)
    one.add_argument(
        "--topic", default="telemetry/NAME/log", help="where it sends that; default: telemetry/NAME/log"
    )
    one.add_argument(
        "--group", metavar="G", help="with --aws: the log group; default: /iot/logs or /iot/devices"
    )
    one.add_argument("--name", metavar="N", default="iot", help="with --aws: as for `aws up`; default: iot")
    one.add_argument("--count", metavar="N", type=count, default=None, help="end after so many")
    one.add_argument("--seconds", metavar="S", type=positive, help="end after this time")
    one = add(actions, "rotate", "have it get a new certificate and give up the old", jobs.run, _ROTATE)
    one.set_defaults(told="rotate-certificate", document=None)
    _add_watch(one)


def _add_shadow(actions: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    group = add(actions, "shadow", "what is desired of it and what it reports", None, _SHADOW)
    under = group.add_subparsers(dest="shadow_action", metavar="get | set", required=True)
    get = add(under, "get", "desired, reported and delta side by side", shadow.get, _GET)
    change = add(under, "set", "change what is desired", shadow.set_, _SET)
    _add_values(change, "+")
    change.add_argument("--wait", metavar="S", type=positive, help="until it is reported, at most so long")
    for one in (get, change):
        one.add_argument("--name", metavar="SHADOW", dest="shadow", help="default: the classic one")


def _add_job(actions: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    group = add(actions, "job", "have a job done, and see to jobs", None, _JOB)
    under = group.add_subparsers(dest="job_verb", metavar="run | list | show | cancel", required=True)
    one = add(under, "run", "make a job for this thing, and watch it", jobs.run, _RUN)
    one.add_argument("told", metavar="ACTION", nargs="?", help="as the device calls it")
    _add_values(one, "*")
    one.add_argument("--document", metavar="FILE", type=Path, help="a JSON object")
    _add_watch(one)
    one = add(under, "list", "the latest, the newest first", jobs.list_, _LIST)
    one.add_argument("--count", metavar="N", type=count, default=20, help="default: 20")
    one = add(under, "show", "one with its document and details", jobs.show, _SHOW_JOB)
    one.add_argument("id", metavar="ID")
    one = add(under, "cancel", "cancel one for this thing", jobs.cancel, _CANCEL)
    one.add_argument("id", metavar="ID")
    one.add_argument("--force", action="store_true", help="even if it is in progress")


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout-min", metavar="N", type=_minutes, help="1 to 10080; begun, it may take so long"
    )
    parser.add_argument(
        "--wait", metavar="S", type=positive, help="watch at most so long; default: to its end"
    )


def _add_values(parser: argparse.ArgumentParser, nargs: str) -> None:
    parser.add_argument("values", metavar="KEY=JSON", nargs=nargs, type=values.pair, help="as led=true")


def _add_where(parser: argparse.ArgumentParser, defaults: bool = False) -> None:
    """Which cloud, and how it is told: before NAME and behind it."""
    add_cloud(parser, defaults)
    default = False if defaults else argparse.SUPPRESS
    parser.add_argument(
        "--json", default=default, help="one JSON object a result or change", action="store_true"
    )


def add_cloud(parser: argparse.ArgumentParser, defaults: bool = True) -> None:
    """Which cloud, for `Account.chosen`; without defaults one that was told before stands."""

    def add(option: str, default: Any, text: str, **more: Any) -> None:
        parser.add_argument(option, default=default if defaults else argparse.SUPPRESS, help=text, **more)

    add("--state", STATE, f"the local cloud's; default: {STATE}", metavar="DIR", type=Path)
    add("--aws", False, "AWS in place of the local cloud", action="store_true")
    add("--profile", None, "of AWS's configuration; with --aws", metavar="P")
    add("--region", None, "of AWS; with --aws", metavar="R")


def _minutes(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 7 * 24 * 60:  # AWS: CreateJob, inProgressTimeoutInMinutes
        raise argparse.ArgumentTypeError("must be 1 to 10080")
    return number
