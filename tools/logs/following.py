"""`logs` without an action: lines as they come, of the local cloud or of AWS."""

import argparse
import base64
import sys
import time
from collections.abc import Iterator

import paho.mqtt.client as mqtt

from tools.board.errors import BoardError
from tools.cloud.actions import follow
from tools.dashboard.messages import drained, parsed
from tools.thing.account import Account
from tools.thing.failures import explained
from tools.waiting import Waiting, turns

from .drain import lines
from .drain.page import TOPIC, topic_of
from .drain.syslog import MalformedError
from .reading import Found, Group, History, Reader, Wanted, group_of
from .showing import Show

_POLL_S = 0.5  # the page writes what it keeps every two seconds


def run(args: argparse.Namespace) -> int:
    """Follow; the exit status, or BoardError."""
    wanted = Wanted(args.thing, args.level, tuple(args.source))
    show = Show(args.json, args.count)
    now_ms = int(time.time() * 1000)
    since_ms = now_ms if args.since is None else now_ms - args.since
    if args.aws:
        account = Account.chosen(args)
        with explained(account.where, "logs"):
            client = account.client("logs")
            group = args.group or group_of(client, args.name)
            again = account.turns(args.seconds)
            return poll(Group(client, group, since_ms, wanted), wanted, show, again, args)
    if args.since is not None:
        return poll(History(args.state, since_ms), wanted, show, turns(_POLL_S, args.seconds), args)

    def come(message: mqtt.MQTTMessage) -> int:
        return sum(show.line(found) for found in _of_message(message) if wanted(found))

    filters = [f"telemetry/{args.thing}/log"] if args.thing else ["telemetry/+/log"]
    filters.append(topic_of(args.thing) if args.thing else f"{TOPIC}+")
    return follow("logs", args, come, *filters)


def poll(reader: Reader, wanted: Wanted, show: Show, again: Iterator[None], args: argparse.Namespace) -> int:
    """Show what is there and what comes, until Ctrl-C, the count that is shown, or the last turn of `again`.

    Raises:
        BoardError: that was over before the count.
    """
    if not args.json:
        print(f"logs: {reader.where}; Ctrl-C ends", file=sys.stderr, flush=True)
    try:
        with Waiting("no line") as waiting:
            for _ in again:
                for found in reader.read():
                    if wanted(found) and show.line(found):
                        waiting.now("no line")
                    if show.is_done:
                        return 0
    except KeyboardInterrupt:
        return 0
    if args.count and not show.is_done:
        raise BoardError(
            f"{reader.where}: {show.shown} of {args.count} lines in {args.seconds:g} s",
            "Wait longer: --seconds.",
        )
    return 0


def _of_message(message: mqtt.MQTTMessage) -> Iterator[Found]:
    """The lines of a device's message, or of one of the drain."""
    now_ms = int(time.time() * 1000)
    name = message.topic.split("/")[1]
    if message.topic.startswith(TOPIC):
        yield from ({"source": name, **line} for line in drained(parsed(message.payload)))
        return
    event = {"thing": name, "line": base64.b64encode(message.payload).decode()}
    for line in lines.payloads(event):
        try:
            yield lines.of_device(line, event, now_ms).document()
        except MalformedError as error:
            text = f"malformed: {error}: {lines.excerpt(line)}"
            yield lines.own_word(name, text, now_ms).document()
