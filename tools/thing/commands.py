"""A command for a thing: what it is to do, at once, and what came of it."""

import argparse
import base64
import hashlib
import json
import re
from typing import Any

from botocore.exceptions import ClientError

from tools.board.errors import BoardError
from tools.board.progress import status

from . import values
from .account import Account
from .failures import code, is_missing
from .output import Cell, Output

_ENDED = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT")
_ID_CHARS = 40  # of a command's name in its id, which has 64
_MORE_S = 10  # for the cloud to say that the time is over


def run(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Start it on this thing and wait for its end; 0 where that is SUCCEEDED."""
    name, target = thing["thingName"], thing["thingArn"]
    arn = command_arn(
        account, args.told, json.dumps(args.members, sort_keys=True, separators=(",", ":")).encode()
    )
    started = account.jobs_data.start_command_execution(
        targetArn=target, commandArn=arn, executionTimeoutSeconds=args.timeout
    )
    execution, seen = started["executionId"], ""
    with status(f"{name} has not answered {args.told}"):
        for _ in account.turns(args.timeout + _MORE_S):
            found = account.iot.get_command_execution(
                executionId=execution, targetArn=target, includeResult=True
            )
            shown = outcome(found)
            if shown["status"] != seen:
                seen = shown["status"]
                if out.as_json or seen not in _ENDED:
                    out.change(shown | {"thing": name}, (seen, "cyan"))
            if seen in _ENDED:
                break
    if seen != "SUCCEEDED":
        reason = ": ".join(filter(None, (shown.get("reasonCode"), shown.get("reason"))))
        text = f"command {args.told}: {seen}" + (f": {reason}" if reason else "")
        silent = seen == "TIMED_OUT" or seen not in _ENDED
        remedy = f"Whether it is connected: python3 -m tools thing {name} show. More time: --timeout S."
        raise BoardError(
            text, remedy if silent else f"What the device says: python3 -m tools thing {name} logs"
        )
    rows: list[tuple[Cell, ...]] = [("status", (seen, "green"))]
    rows += [(key, shown[key]) for key in ("reasonCode", "reason") if key in shown]
    rows += [("result", f"{key}={values.text(value)}") for key, value in sorted(shown["result"].items())]
    out.result(shown, rows)
    return 0


def command_arn(account: Account, name: str, content: bytes) -> str:
    """The ARN of the command with this content, made where there is none as yet: one never changes."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:_ID_CHARS]
    command_id = f"{plain}-{hashlib.sha256(content).hexdigest()[:16]}"
    try:
        found = account.iot.get_command(commandId=command_id)
    except ClientError as error:
        if not is_missing(error):
            raise
        payload = {"content": content, "contentType": "application/json"}
        try:
            found = account.iot.create_command(commandId=command_id, payload=payload, displayName=name[:64])
        except ClientError as again:
            if code(again) != "ConflictException":  # another has just made it
                raise
            found = account.iot.get_command(commandId=command_id)
    if found.get("deprecated") or found.get("pendingDeletion"):
        restore = f"aws iot update-command --command-id {command_id} --no-deprecated"
        raise BoardError(
            f"command {command_id} is deprecated or about to be deleted", f"Restore it: {restore}"
        )
    return str(found["commandArn"])


def outcome(found: dict[str, Any]) -> dict[str, Any]:
    """Status, reason and result of an execution."""
    reason = found.get("statusReason") or {}
    shown = {
        "executionId": found["executionId"],
        "status": found["status"],
        "reasonCode": reason.get("reasonCode"),
        "reason": reason.get("reasonDescription"),
    }
    result = {key: _plain(value) for key, value in (found.get("result") or {}).items()}
    return {key: value for key, value in shown.items() if value is not None} | {"result": result}


def _plain(value: dict[str, Any]) -> Any:
    """A result's value, which boto3 has as {type: value}; bytes are base64."""
    content = next(iter(value.values()), None)
    return base64.b64encode(content).decode() if isinstance(content, bytes) else content
