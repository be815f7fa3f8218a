"""What the drain on AWS has to know and nobody else: drain tokens, the webhook's URL; in SSM, encrypted."""

import argparse
import json
import re
import secrets
import sys
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.failures import code, explained

from .drain.webhook import Webhook

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,100}")
_TOKENS_MAX = 10


def run(args: argparse.Namespace) -> int:
    """`token` or `webhook`; the exit status. Raises BoardError."""
    account = Account.chosen(args)
    with explained(account.where, "ssm"):
        client = account.client("ssm")
        if args.action == "token":
            return _token(account, client, args)
        return _webhook(client, args)


def _token(account: Account, client: Any, args: argparse.Namespace) -> int:
    token = sys.stdin.readline().strip() if args.stdin else secrets.token_urlsafe(24)
    if not _TOKEN.fullmatch(token):
        raise BoardError("no drain token", "It has 16 to 100 of A-Z a-z 0-9 . _ ~ -, a random one.")
    url = _url(account, args.name)
    name = f"/{args.name}/logs/token"
    kept = _value(client, name).split() if args.keep else []
    if len(kept) >= _TOKENS_MAX:
        raise BoardError(
            f"{name}: there are {len(kept)} tokens already", "Make one in their place: without --keep."
        )
    _put(client, name, " ".join([*kept, token]))
    drain = f"https://drain:{token}@{urlsplit(url).netloc}/"
    if args.json:
        print(json.dumps({"ok": True, "value": {"url": url, "token": token, "drain": drain}}))
    else:
        print(f"drain  {drain}")
        print("It is shown this once. From within five minutes on the drain takes it.", file=sys.stderr)
    return 0


def _webhook(client: Any, args: argparse.Namespace) -> int:
    name = f"/{args.name}/logs/webhook"
    if args.remove:
        remove(client, name)
    else:
        url = sys.stdin.readline().strip()
        try:
            Webhook(url)
        except ValueError as error:
            raise BoardError(str(error), "Give it on standard input.") from None
        _put(client, name, url)
    if args.json:
        print(json.dumps({"ok": True, "value": {"parameter": name}}))
    else:
        print(f"{name}: {'removed' if args.remove else 'kept'}")
    return 0


def remove(client: Any, name: str) -> None:
    """Let go of a parameter, where there is one."""
    try:
        client.delete_parameter(Name=name)
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise


def _put(client: Any, name: str, value: str) -> None:
    client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


def _value(client: Any, name: str) -> str:
    try:
        return str(client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise
        return ""


def _url(account: Account, name: str) -> str:
    """The drain's, as its stack tells it."""
    stack = f"{name}-logs"
    try:
        found = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return next(one["OutputValue"] for one in found.get("Outputs", []) if one["OutputKey"] == "Url")
    except (ClientError, StopIteration) as error:
        if isinstance(error, ClientError) and code(error) != "ValidationError":
            raise
        raise BoardError(f"there is no stack {stack}", "Make it: python3 -m tools aws up logs") from None
