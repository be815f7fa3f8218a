"""The words of `python3 -m tools logs`: what it follows, its actions, their help."""

import argparse
import datetime as dt
import re
from pathlib import Path

from tools import pages
from tools.cloud.actions import STATE
from tools.numbers import count, positive
from tools.thing.arguments import add_cloud

_EXIT = "exit status: 0, 1 if it did not work, 2 for wrong arguments"
EXAMPLES = f"""examples:
  python3 -m tools logs                                    all devices of the local cloud, until Ctrl-C
  python3 -m tools logs --level warning --source 'esp32-*'
  python3 -m tools logs --since 2h --thing esp32-240ac4000001
  python3 -m tools logs --aws --since 10m --json | jq .text
  python3 -m tools logs serve                              takes syslog by HTTPS, too

The cloud is the local one that was started last with --state (python3 -m tools cloud), or AWS with --aws:
there a log group is read, which python3 -m tools aws up makes. With --json each line is an object, a failure
{{"ok": false, "text", "remedy"}}.

{_EXIT}"""
_SERVE = """examples:
  python3 -m tools logs serve
  python3 -m tools logs serve --webhook https://example.com/logs --level warning --port 0

What comes goes to the live page and to `logs`; with --webhook lines of syslog and of devices go there, too.
It listens on this computer alone, with a certificate of the local cloud's authority.
"""
_SENDERS = """examples:
  python3 -m tools logs token --aws                        makes one, and shows the drain's URL with it
  python3 -m tools logs token --aws --keep                 those that there are count as well
  echo d.9173ea1f-… | python3 -m tools logs token --aws --keep --stdin

Whoever sends syslog shows one: as Logplex-Drain-Token, or as the password of the URL. Within five minutes
the drain knows it.
"""
_WEBHOOK = """examples:
  echo https://example.com/logs | python3 -m tools logs webhook --aws
  python3 -m tools logs webhook --aws --remove

Its URL is read from standard input, as it may be a secret. It counts from the function's next start on.
"""
_LEVELS = {"error": "E", "warning": "W", "info": "I", "debug": "D"}
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
PORT = 8514
NAME = "iot"
_KEPT = argparse.SUPPRESS  # what was told before the action stands


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    add_cloud(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--thing", metavar="T", help="lines of this thing alone")
    _add_choice(parser)
    parser.add_argument(
        "--since",
        metavar="T",
        type=since,
        help="what was kept since then, too: 10m, 2h, 3d, or 2026-11-29T10:00",
    )
    parser.add_argument(
        "--group", metavar="G", help="with --aws: the log group; default: /N/logs or /N/devices"
    )
    _add_name(parser)
    parser.add_argument("--count", metavar="N", type=count, help="end after so many")
    parser.add_argument("--seconds", metavar="S", type=positive, help="end after this time")
    actions = parser.add_subparsers(dest="action", metavar="[serve | token | webhook]")

    def add(name: str, text: str, examples: str) -> argparse.ArgumentParser:
        one = actions.add_parser(
            name,
            help=text,
            description=text,
            formatter_class=parser.formatter_class,
            epilog=f"{examples}\n{_EXIT}",
        )
        one.add_argument("--json", default=_KEPT, action="store_true", help="one JSON object a result")
        return one

    one = add("serve", "the drain on this computer, beside the local cloud", _SERVE)
    one.add_argument(
        "--state", metavar="DIR", default=_KEPT, type=Path, help=f"the cloud's; default: {STATE}"
    )
    one.add_argument(
        "--port", type=pages.port, default=PORT, help="0 takes any free one; default: %(default)s"
    )
    one.add_argument("--webhook", metavar="URL", help="https, for the lines")
    one.add_argument("--root", metavar="FILE", type=Path, help="what the webhook's certificate is signed by")
    _add_choice(one, _KEPT)
    one = add("token", "make the token that whoever sends syslog to AWS shows", _SENDERS)
    _add_account(one)
    one.add_argument("--keep", action="store_true", help="beside those that there are")
    one.add_argument("--stdin", action="store_true", help="read it from standard input in place of making it")
    one = add("webhook", "name the webhook that the drain on AWS hands lines to", _WEBHOOK)
    _add_account(one)
    one.add_argument("--remove", action="store_true", help="there is to be none")


def _add_choice(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--level",
        metavar="L",
        type=level,
        default=default or "debug",
        help=f"{', '.join(_LEVELS)}; default: all",
    )
    parser.add_argument(
        "--source",
        metavar="P",
        action="append",
        default=default or [],
        help="a thing or host, or a pattern; may be repeated",
    )


def _add_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--aws", default=_KEPT, action="store_true", help="AWS's; the local drain makes its own token"
    )
    parser.add_argument("--profile", metavar="P", default=_KEPT, help="of AWS's configuration")
    parser.add_argument("--region", metavar="R", default=_KEPT, help="of AWS")
    _add_name(parser, _KEPT)


def _add_name(parser: argparse.ArgumentParser, default: str = NAME) -> None:
    parser.add_argument(
        "--name", metavar="N", default=default, help=f"with --aws: as for `aws up`; default: {NAME}"
    )


def level(text: str) -> str:
    """An argument's type: its letter."""
    try:
        return _LEVELS[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"one of {', '.join(_LEVELS)}") from None


def since(text: str) -> int:
    """An argument's type: so many milliseconds ago."""
    if found := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return int(found[1]) * _UNITS_S[found[2]] * 1000
    try:
        at = dt.datetime.fromisoformat(text).astimezone()
        ago = dt.datetime.now(dt.UTC) - at
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("10m, 2h, 3d, or 2026-11-29T10:00") from None
    return max(0, ago // dt.timedelta(milliseconds=1))
