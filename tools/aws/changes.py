"""What a change set will do to a stack's resources, as data and as a table."""

from dataclasses import dataclass
from typing import Any

from tools.thing.output import Cell, Output

_ADDED, _CHANGED, _REPLACED, _REMOVED = "added", "changed", "replaced", "removed"
_STYLES = {_ADDED: "green", _CHANGED: "yellow", _REPLACED: "red", _REMOVED: "red"}


@dataclass(frozen=True)
class Change:
    """What will become of one resource.

    Args:
        action: added, changed, replaced or removed, "perhaps replaced" where CloudFormation does not know.
        name: its logical id, in the template.
        kind: such as AWS::S3::Bucket.
        properties: those that change.
    """

    action: str
    name: str
    kind: str
    properties: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A change set that waits; `is_first` where there was no stack before."""

    change_set: str
    is_first: bool
    changes: tuple[Change, ...]


def change(source: dict[str, Any]) -> Change:
    """One of DescribeChangeSet's ResourceChanges."""
    action = {"Add": _ADDED, "Remove": _REMOVED, "Import": _ADDED}.get(source["Action"], _CHANGED)
    if action == _CHANGED and source.get("Replacement") in ("True", "Conditional"):
        action = _REPLACED if source["Replacement"] == "True" else f"perhaps {_REPLACED}"
    targets = (one.get("Target", {}) for one in source.get("Details", []))
    names = dict.fromkeys(one.get("Name") or one.get("Attribute", "") for one in targets)
    return Change(action, source["LogicalResourceId"], source["ResourceType"], tuple(filter(None, names)))


def show(out: Output, stack: str, plan: Plan) -> None:
    """As a table, or an object each."""
    if out.as_json:
        for one in plan.changes:
            value = {"action": one.action, "resource": one.name, "type": one.kind}
            out.change({"stack": stack, **value, "properties": list(one.properties)})
        return
    rows: list[tuple[Cell, ...]] = [
        ((one.action, _style(one.action)), one.name, one.kind, ", ".join(one.properties))
        for one in plan.changes
    ]
    out.table(rows or [("no resource changes, only outputs or parameters",)])


def _style(action: str) -> str:
    return _STYLES[action.removeprefix("perhaps ")]
