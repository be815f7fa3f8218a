"""What the drain on AWS has to know and nobody else: drain tokens, the webhook's URL; in SSM, encrypted."""

import argparse
import json
import re
import secrets
import sys
from urllib.parse import urlsplit

from tools.aws import tokens
from tools.aws.stack import Stack
from tools.aws.stacks import stack_name
from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.failures import explained
from tools.thing.output import Output

from .drain.webhook import Webhook

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,100}")
_TOKENS_MAX = 10


def run(args: argparse.Namespace) -> int:
    """`token` or `webhook`; the exit status. Raises BoardError."""
    account = Account.chosen(args)
    return _token(account, args) if args.action == "token" else _webhook(account, args)


def _token(account: Account, args: argparse.Namespace) -> int:
    token = sys.stdin.readline().strip() if args.stdin else secrets.token_urlsafe(24)
    if not _TOKEN.fullmatch(token):
        raise BoardError("no drain token", "It has 16 to 100 of A-Z a-z 0-9 . _ ~ -, a random one.")
    url = _url(account, args.name)
    name = f"/{args.name}/logs/token"
    kept = (tokens.read(account, name) or "").split() if args.keep else []
    if len(kept) >= _TOKENS_MAX:
        raise BoardError(
            f"{name}: there are {len(kept)} tokens already", "Make one in their place: without --keep."
        )
    tokens.put(account, name, " ".join([*kept, token]))
    drain = f"https://drain:{token}@{urlsplit(url).netloc}/"
    if args.json:
        print(json.dumps({"ok": True, "value": {"url": url, "token": token, "drain": drain}}))
    else:
        print(f"drain  {drain}")
        print("It is shown this once. From within five minutes on the drain takes it.", file=sys.stderr)
    return 0


def _webhook(account: Account, args: argparse.Namespace) -> int:
    name = f"/{args.name}/logs/webhook"
    if args.remove:
        tokens.forget(account, [name])
    else:
        url = sys.stdin.readline().strip()
        try:
            Webhook(url)
        except ValueError as error:
            raise BoardError(str(error), "Give it on standard input.") from None
        tokens.put(account, name, url)
    if args.json:
        print(json.dumps({"ok": True, "value": {"parameter": name}}))
    else:
        print(f"{name}: {'removed' if args.remove else 'kept'}")
    return 0


def _url(account: Account, name: str) -> str:
    """The drain's, as its stack tells it."""
    stack = Stack(account, Output(False), stack_name(name, "logs"))
    with explained(account.where, "cloudformation"):
        url = stack.outputs().get("Url")
    if not url:
        raise BoardError(f"there is no stack {stack.name}", "Make it: python3 -m tools aws up logs")
    return url
