"""`python3 -m tools cloud client | watch | send`: a person's or another program's way into the cloud."""

import argparse
import base64
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from rich.console import Console
from rich.text import Text

from tools.board.errors import BoardError
from tools.numbers import positive
from tools.waiting import Waiting

from . import topics
from .clients import make_client
from .events import printable
from .limits import Limits
from .visitor import Visitor

CLIENT = """examples:
  python3 -m tools cloud client laptop                          certificate, key, root; commands to use them
  python3 -m tools cloud client laptop --policy policy.json     allowed what AWS would allow by that document
  python3 -m tools cloud client laptop --folder ~/keys --json   files elsewhere; the result for a script

The cloud may run or not; the certificate can be used at once. A client that there is keeps its certificate,
and with --policy gets that one from its next connection on. Without, it may send and get all messages, under
the client ids NAME and NAME-….

exit status: 0, 1 if it did not work, 2 for wrong arguments"""
WATCH = """examples:
  python3 -m tools cloud watch                         all messages, until Ctrl-C
  python3 -m tools cloud watch 'telemetry/+' --count 5 --seconds 60
  python3 -m tools cloud watch --json '$aws/events/presence/#' | jq .

With --json each message is an object: {"topic", "payload", "qos", "retain"}, or "payload_base64" where it is
not UTF-8. A cloud that is stopped is waited for.

exit status: 0, 1 if there is no cloud or --seconds were over before --count, 2 for wrong arguments"""
SEND = """examples:
  python3 -m tools cloud send cmd/esp32-240ac4000001 '{"led": true}'
  python3 -m tools cloud send config/all '{"interval_s": 30}' --retain
  date | python3 -m tools cloud send time -            what standard input has

exit status: 0 when the cloud has it, 1 if not, 2 for wrong arguments"""
STATE = Path("state/cloud")
_OPERATOR = "operator"  # the client that watch and send are


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Declare them, beside the verb's own options."""
    actions = parser.add_subparsers(dest="action", metavar="[client | watch | send]")

    def action(name: str, text: str, examples: str) -> argparse.ArgumentParser:
        verb = actions.add_parser(
            name, help=text, description=text, epilog=examples, formatter_class=parser.formatter_class
        )
        verb.add_argument(
            "--state",
            metavar="DIR",
            type=Path,
            default=argparse.SUPPRESS,  # it would undo a --state before the action
            help=f"the cloud's; default: {STATE}",
        )
        verb.add_argument("--json", action="store_true", help="one JSON object a result")
        return verb

    verb = action("client", "make a client: certificate, key, root certificate, and how to use them", CLIENT)
    verb.add_argument("name", metavar="NAME", help="1 to 100 of A-Z a-z 0-9 _ -")
    verb.add_argument("--policy", metavar="FILE", type=Path, help="a policy document; default: all messages")
    verb.add_argument(
        "--folder", metavar="DIR", type=Path, help="for the files; default: clients, in --state"
    )
    verb = action("watch", "show messages as they come", WATCH)
    verb.add_argument("filter", metavar="FILTER", nargs="?", default="#", type=_filter, help="default: #")
    verb.add_argument("--count", metavar="N", type=positive, help="end after so many")
    verb.add_argument("--seconds", metavar="S", type=positive, help="end after this time")
    verb = action("send", "send a message", SEND)
    verb.add_argument("topic", metavar="TOPIC", type=_topic)
    verb.add_argument("payload", metavar="PAYLOAD", help="text; - for what standard input has")
    verb.add_argument("--qos", type=int, choices=(0, 1), default=1, help="default: %(default)s")
    verb.add_argument("--retain", action="store_true", help="keep it for who subscribes later")


def run_action(args: argparse.Namespace) -> int:
    """Run it; the exit status, or BoardError."""
    return _ACTIONS[args.action](args)


def _client(args: argparse.Namespace) -> int:
    policy = None
    if args.policy:
        try:
            policy = args.policy.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise BoardError(f"{args.policy}: cannot be read: {reason}", "Name a policy's JSON.") from None
    client = make_client(args.state, args.name, policy, args.folder)
    watch, send = client.mosquitto("sub", "-t", "#", "-v"), client.mosquitto("pub", "-t", "hello", "-m", "hi")
    if args.json:
        value = {
            "name": client.name,
            "host": client.endpoint.host,
            "port": client.endpoint.port,
            "root_ca": str(client.root_ca),
            "certificate": str(client.certificate),
            "key": str(client.key),
            "certificate_id": client.certificate_id,
            "commands": [watch, send],
        }
        print(json.dumps({"ok": True, "value": value}))
        return 0
    print(f"client       {client.name} of {client.endpoint.host} port {client.endpoint.port}")
    print(f"certificate  {client.certificate}\nkey          {client.key}\nroot         {client.root_ca}")
    print(f"receive      {watch}\nsend         {send}")
    if others := [host for host in client.endpoint.hosts if host not in ("localhost", "127.0.0.1")]:
        print(f"From another computer take the three files there, and -h {others[0]}.", file=sys.stderr)
    return 0


def _watch(args: argparse.Namespace) -> int:
    out = Console(highlight=False, soft_wrap=True, color_system="auto")

    def show(message: mqtt.MQTTMessage) -> int:
        if args.json:
            out.out(json.dumps(_as_json(message)), highlight=False)
            return 1
        line = Text(time.strftime("%H:%M:%S  "), style="dim").append(printable(message.topic), style="green")
        text = printable(message.payload.decode(errors="backslashreplace"))
        out.print(line.append(f"  {text}", style="default not dim"))
        return 1

    return follow("cloud watch", args, show, args.filter)


def follow(
    verb: str, args: argparse.Namespace, show: Callable[[mqtt.MQTTMessage], int], *topic_filters: str
) -> int:
    """Have the messages on some filters shown until Ctrl-C, `args.count` or `args.seconds`.

    Args:
        verb: as failures call it.
        args: with state, count, seconds and json.
        show: returns how much of it counts.
        topic_filters: what is subscribed to.

    Returns:
        The exit status.
    """
    what = ", ".join(topic_filters)
    seen = 0
    end_s = time.monotonic() + args.seconds if args.seconds else None

    def come(message: mqtt.MQTTMessage) -> None:
        nonlocal seen
        waiting.now("no message")
        if not (args.count and seen >= args.count):
            seen += show(message)

    def over() -> bool:
        return bool(args.count and seen >= args.count) or (end_s is not None and time.monotonic() >= end_s)

    waiting = Waiting("no message")

    def say(text: str) -> None:
        print(f"{verb}: {text}", file=sys.stderr, flush=True)

    with closing(Visitor(make_client(args.state, _OPERATOR), come)) as visitor:
        visitor.connect()
        visitor.subscribe(*topic_filters)
        if not args.json:
            say(f"{what} of {visitor.where}; Ctrl-C ends")
        try:
            with waiting:
                visitor.follow(over, say, *topic_filters)
        except KeyboardInterrupt:
            return 0
    if args.count and seen < args.count:
        raise BoardError(
            f"{what}: {seen} of {args.count} messages in {args.seconds:g} s",
            "Wait longer: --seconds.",
        )
    return 0


def _as_json(message: mqtt.MQTTMessage) -> dict[str, Any]:
    try:
        payload = {"payload": message.payload.decode()}
    except UnicodeDecodeError:
        payload = {"payload_base64": base64.b64encode(message.payload).decode()}
    return {"topic": message.topic, **payload, "qos": message.qos, "retain": bool(message.retain)}


def _send(args: argparse.Namespace) -> int:
    payload = sys.stdin.buffer.read() if args.payload == "-" else os.fsencode(args.payload)
    if len(payload) > Limits.payload_bytes:
        raise BoardError(
            f"{args.topic}: a payload of {len(payload):,} bytes", f"AWS carries {Limits.payload_bytes:,}."
        )
    with closing(Visitor(make_client(args.state, _OPERATOR))) as visitor:
        visitor.connect()
        visitor.publish(args.topic, payload, args.qos, args.retain)
    if args.json:
        print(json.dumps({"ok": True, "value": {"topic": args.topic, "bytes": len(payload)}}))
    return 0


def _filter(text: str) -> str:
    return _checked(text, topics.filter_error)


def _topic(text: str) -> str:
    return _checked(text, topics.topic_error)


def _checked(text: str, check: Callable[[str, Limits], str | None]) -> str:
    if error := check(text, Limits()):
        raise argparse.ArgumentTypeError(error)
    return text


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "client": _client,
    "watch": _watch,
    "send": _send,
}
