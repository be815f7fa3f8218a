"""What a thing's device logs: as it sends it by MQTT, or on AWS as it is kept."""

import argparse
import json
import time
from typing import Any

import paho.mqtt.client as mqtt

from tools.board.view import TextView
from tools.cloud.actions import follow
from tools.cloud.events import printable
from tools.logs.following import poll
from tools.logs.reading import Group, Wanted, group_of
from tools.logs.showing import Show

from .account import Account
from .output import Output


def follow_log(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Until Ctrl-C, --count or --seconds; on AWS of the group where the log drain or a rule keeps them."""
    name = thing["thingName"]
    view = TextView()
    if args.aws:
        wanted = Wanted(name)
        client = account.client("logs")
        group = Group(client, args.group or group_of(client, args.name), int(time.time() * 1000), wanted)
        show = Show(out.as_json, args.count, lambda found: view.line(_as_console(found)))
        return poll(group, wanted, show, account.turns(args.seconds), args)

    def come(message: mqtt.MQTTMessage) -> int:
        for line in message.payload.decode(errors="backslashreplace").splitlines():
            found = _read(line)
            if out.as_json:
                out.change(found)
            else:
                view.line(_as_console(found))
        return 1

    return follow(f"thing {name} logs", args, come, args.topic.replace("NAME", name))


def _read(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": line}


def _as_console(found: dict[str, Any]) -> str:
    """A line as the device's own console has it, where it has the members of one."""
    text = printable(str(found.get("text", json.dumps(found, ensure_ascii=False))))
    ms, level, area = found.get("t"), found.get("level"), found.get("area")
    if not (isinstance(ms, int) and isinstance(level, str) and level[:1].upper() in "EWID" and area):
        return text
    left_out = f" ({printable(str(found['left_out']))} left out)" if found.get("left_out") else ""
    return f"{ms // 1000:6d}.{ms % 1000:03d} {level[:1].upper()} {printable(str(area))}: {text}{left_out}"
