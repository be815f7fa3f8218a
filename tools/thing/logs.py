"""What a thing's device logs, as it sends it by MQTT."""

import argparse
import json
from typing import Any

import paho.mqtt.client as mqtt

from tools.board.errors import BoardError
from tools.board.view import TextView
from tools.cloud.actions import follow
from tools.cloud.events import printable

from .account import Account
from .output import Output


def follow_log(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Until Ctrl-C, --count or --seconds; of the local cloud alone."""
    name = thing["thingName"]
    topic = args.topic.replace("NAME", name)
    if args.aws:
        raise BoardError(
            f"{account.where}: what comes on {topic} needs a rule that takes it to where it can be read",
            f"Make one from '{topic}' to CloudWatch Logs; then: aws logs tail GROUP --follow",
        )
    view = TextView()

    def show(message: mqtt.MQTTMessage) -> None:
        for line in message.payload.decode(errors="backslashreplace").splitlines():
            found = _read(line)
            if out.as_json:
                out.change(found)
            else:
                view.line(_as_console(found))

    return follow(f"thing {name} logs", args, topic, show)


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
    left_out = f" ({found['left_out']} left out)" if found.get("left_out") else ""
    return f"{ms // 1000:6d}.{ms % 1000:03d} {level[:1].upper()} {printable(str(area))}: {text}{left_out}"
