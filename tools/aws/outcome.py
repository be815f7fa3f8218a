"""What came of a stack's request, in words: the first cause of a failure, what is left, and what to do."""

import re
from typing import Any

from tools.board.errors import BoardError
from tools.cloud.events import printable

_CONSEQUENCE = re.compile(r"(creation|update|deletion|operation) (was )?cancell?ed|dependent resource", re.I)
# What AWS says, and what to do about it.
_REMEDIES = (
    (r"already exists", "Delete it there, if nobody needs it, or take another --name."),
    (
        r"not authorized|access ?denied|accessdenied|forbidden|unauthorized",
        "Have what it names allowed to whom these credentials are, by an IAM policy; docs/aws.md lists it.",
    ),
    (r"limit|quota|too many|throttl|exceed", "Remove what is not needed, or have AWS raise that quota."),
    (r"not empty|BucketNotEmpty", "Empty it: python3 -m tools aws down asks and does that."),
    (
        r"attach|in use|still used|targets|principal",
        "Retire what uses it: python3 -m tools fleet retire THING.",
    ),
    (r"parameter|template|property|properties|unrecognized|unsupported", "Correct what it names."),
)


def remedy(reason: str) -> str:
    """What to do where AWS gives this reason."""
    for pattern, text in _REMEDIES:
        if re.search(pattern, reason, re.IGNORECASE):
            return text
    return "AWS says no more; its page of the stack's events may: console, CloudFormation."


def failure(stack: str, status: str, events: list[dict[str, Any]]) -> BoardError:
    """Why a stack was not made or brought up to date.

    Args:
        stack: its name.
        status: how it ended.
        events: in the order in which they came.
    """
    failed = [one for one in events if one["ResourceStatus"].endswith("_FAILED")]
    causes = [one for one in failed if not _CONSEQUENCE.search(one.get("ResourceStatusReason", ""))]
    now = "it is as it was" if status == "UPDATE_ROLLBACK_COMPLETE" else "nothing of it is left"
    if status not in ("UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"):
        now = f"it is in state {status}"
    if not causes:
        return BoardError(f"{stack}: ended as {status}; {now}", remedy(""))
    reason = _reason(causes[0])
    return BoardError(f"{stack}: {_named(causes[0])}: {reason}; {now}", remedy(reason))


def remains(stack: str, events: list[dict[str, Any]]) -> BoardError:
    """What AWS did not remove, and why."""
    failed = {one["LogicalResourceId"]: one for one in events if one["ResourceStatus"] == "DELETE_FAILED"}
    left = [one for one in failed.values() if one["PhysicalResourceId"] != one["StackId"]]
    if not left:
        return BoardError(f"{stack}: was not removed", remedy(""))
    text = "; ".join(f"{_named(one)}: {_reason(one)}" for one in left)
    return BoardError(f"{stack}: is left of it: {text}", remedy(_reason(left[0])) + " Then the same again.")


def _named(event: dict[str, Any]) -> str:
    physical = event.get("PhysicalResourceId") or ""
    kind = event["ResourceType"].removeprefix("AWS::")
    return f"{event['LogicalResourceId']} ({kind}{' ' + physical if physical else ''})"


def _reason(event: dict[str, Any]) -> str:
    return printable(" ".join(event.get("ResourceStatusReason", "no reason is told").split()))
