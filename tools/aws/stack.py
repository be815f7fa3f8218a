"""One CloudFormation stack: its change set made, shown and executed, what happens told; and its removal.

    stack = Stack(account, out, "iot-camera")
    plan = stack.prepare(template_text, {"Bucket": "…"})   # None: nothing to change
    if plan is not None:
        stack.show(plan)
        stack.execute(plan)                                # or stack.discard(plan)
    stack.outputs()["Url"]
    stack.delete()

`tools.aws.up` does so for what tools.aws.stacks has in its table.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from tools.board import progress
from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.failures import code
from tools.thing.output import Output

from . import changes, outcome
from .changes import Plan

CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_SHELL = "REVIEW_IN_PROGRESS"  # there is a change set, and no more
_NEVER_WORKED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
_NO_CHANGE = ("didn't contain changes", "no updates are to be performed")


class Stack:
    """A stack by its name, which may not be there yet.

    Args:
        account: whose.
        out: where changes and events are told.
        name: CloudFormation's.
    """

    def __init__(self, account: Account, out: Output, name: str) -> None:
        self.name = name
        self._account = account
        self._out = out
        self._cloudformation = account.client("cloudformation")

    def find(self) -> dict[str, Any] | None:
        """DescribeStacks' answer; None where there is no such stack, or only the shell of one."""
        found = self._describe(self.name)
        return None if found is None or found["StackStatus"] == _SHELL else found

    def outputs(self) -> dict[str, str]:
        """Its outputs by their names; none where there is no stack."""
        return _pairs((self.find() or {}).get("Outputs", []), "Output")

    def parameters(self) -> dict[str, str]:
        """Its parameters by their names; none where there is no stack."""
        return _pairs((self.find() or {}).get("Parameters", []), "Parameter")

    def resources(self) -> list[dict[str, Any]]:
        """ListStackResources' answer, without what is gone."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = (one for page in pages for one in page["StackResourceSummaries"])
        return [one for one in found if one["ResourceStatus"] != "DELETE_COMPLETE"]

    def prepare(self, template: str, parameters: dict[str, str]) -> Plan | None:
        """Make a change set; a parameter that is not given stays as it is, or is the template's default.

        Returns:
            None where there is nothing to change.

        Raises:
            BoardError: the template or a parameter is wrong, or the stack is in no state for it.
        """
        known = self._known(template, parameters)
        before = self._settled()
        earlier = {one["ParameterKey"] for one in (before or {}).get("Parameters", [])}
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        kept = known & earlier - set(parameters)
        with self._valid():
            made = self._cloudformation.create_change_set(
                StackName=self.name,
                ChangeSetName=f"up-{uuid.uuid4().hex[:12]}",
                ChangeSetType="UPDATE" if before else "CREATE",
                TemplateBody=template,
                Parameters=given + [{"ParameterKey": one, "UsePreviousValue": True} for one in sorted(kept)],
                Capabilities=CAPABILITIES,
            )
        plan = Plan(made["Id"], before is None, ())
        try:
            waiter = self._cloudformation.get_waiter("change_set_create_complete")
            with progress.status(f"{self.name}: what changes"):
                waiter.wait(ChangeSetName=plan.change_set, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
        except WaiterError:
            reason = self._cloudformation.describe_change_set(ChangeSetName=plan.change_set)
            self.discard(plan)
            text = reason.get("StatusReason") or reason["Status"]
            if any(one in text.lower() for one in _NO_CHANGE):
                return None
            raise BoardError(f"{self.name}: {text}", outcome.remedy(text)) from None
        pages = self._cloudformation.get_paginator("describe_change_set").paginate(
            ChangeSetName=plan.change_set
        )
        found = (one["ResourceChange"] for page in pages for one in page["Changes"])
        return Plan(plan.change_set, plan.is_first, tuple(changes.change(one) for one in found))

    def show(self, plan: Plan) -> None:
        """The changes, as a table or an object each."""
        changes.show(self._out, self.name, plan)

    def discard(self, plan: Plan) -> None:
        """Nothing of it is left: no change set, and no shell of a stack."""
        if plan.is_first:
            self._cloudformation.delete_stack(StackName=self.name)
        else:
            self._cloudformation.delete_change_set(ChangeSetName=plan.change_set)

    def execute(self, plan: Plan) -> None:
        """Do it, telling each resource's end. What was made by a first attempt that fails is removed.

        Raises:
            BoardError: names the first cause and its resource.
        """
        token = uuid.uuid4().hex
        stack_id = self._cloudformation.describe_change_set(ChangeSetName=plan.change_set)["StackId"]
        self._cloudformation.execute_change_set(ChangeSetName=plan.change_set, ClientRequestToken=token)
        status, events = self._follow(stack_id, token, len(plan.changes))
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
            return
        failure = outcome.failure(self.name, status, events)
        if status in _NEVER_WORKED:
            self._remove(stack_id)
        raise failure

    def delete(self) -> None:
        """Remove it with all that it made.

        Raises:
            BoardError: names what is left, and why.
        """
        if (found := self._settled(to_delete=True)) is not None:
            self._remove(found["StackId"])

    def _remove(self, stack_id: str) -> None:
        token = uuid.uuid4().hex
        there = len(self.resources())
        self._cloudformation.delete_stack(StackName=stack_id, ClientRequestToken=token)
        status, events = self._follow(stack_id, token, there)
        if status != "DELETE_COMPLETE":
            raise outcome.remains(self.name, events)

    def _known(self, template: str, parameters: dict[str, str]) -> set[str]:
        """The template's parameters; BoardError where one that is given is none of them."""
        with self._valid():
            summary = self._cloudformation.get_template_summary(TemplateBody=template)
        known = {one["ParameterKey"] for one in summary["Parameters"]}
        for name in parameters:
            if name not in known:
                raise BoardError(
                    f"{self.name}: the template has no parameter {name!r}",
                    f"These it has: {', '.join(sorted(known)) or 'none'}.",
                )
        return known

    @contextmanager
    def _valid(self) -> Iterator[None]:
        """While a template or parameters are looked at: BoardError for what is wrong with them."""
        try:
            yield
        except ClientError as error:
            if code(error) not in ("ValidationError", "InsufficientCapabilitiesException"):
                raise
            text = str(error.response["Error"].get("Message", ""))
            raise BoardError(f"{self.name}: {text}", outcome.remedy(text)) from None

    def _settled(self, to_delete: bool = False) -> dict[str, Any] | None:
        """The stack once nothing happens to it; None where none is there, or one that never worked.

        Raises:
            BoardError: it can be neither updated nor made anew.
        """
        found = self._describe(self.name)
        if found is not None and _is_moving(found):
            with progress.status(f"{self.name}: what somebody else began"):
                for _ in self._account.turns(None):
                    found = self._describe(self.name)
                    if found is None or not _is_moving(found):
                        break
        if found is None or to_delete:
            return found
        status = found["StackStatus"]
        if status == _SHELL:
            return None
        if status in _NEVER_WORKED:
            self._remove(found["StackId"])
            return None
        if status == "DELETE_FAILED":
            raise BoardError(
                f"{self.name}: was removed in part", "Go on with that: python3 -m tools aws down."
            )
        if status.endswith("_FAILED"):
            raise BoardError(
                f"{self.name}: is in state {status}",
                f"Have AWS go on: aws cloudformation continue-update-rollback --stack-name {self.name}",
            )
        return found

    def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return found

    def _follow(self, stack_id: str, token: str, total: int) -> tuple[str, list[dict[str, Any]]]:
        """Tell what comes of a request until it ends; the stack's status, and all its events in order."""
        events: list[dict[str, Any]] = []
        seen: set[str] = set()
        done: set[str] = set()
        with progress.bar() as bar:
            for _ in self._account.turns(None):
                found = self._describe(stack_id)
                status = found["StackStatus"] if found else "DELETE_COMPLETE"
                for event in self._events(stack_id, token):
                    if event["EventId"] not in seen:
                        seen.add(event["EventId"])
                        events.append(event)
                        self._tell(event, done)
                        bar(self.name, min(len(done), total), total)
                if not status.endswith("_IN_PROGRESS"):
                    break
        return status, events

    def _events(self, stack_id: str, token: str) -> list[dict[str, Any]]:
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        newest_first = (one for page in pages for one in page["StackEvents"])
        ours = takewhile(lambda one: one.get("ClientRequestToken") == token, newest_first)
        return list(ours)[::-1]

    def _tell(self, event: dict[str, Any], done: set[str]) -> None:
        """A resource's end; its beginning is only shown by the bar."""
        status, name = event["ResourceStatus"], event["LogicalResourceId"]
        if status.endswith("_IN_PROGRESS") or event["PhysicalResourceId"] == event["StackId"]:
            return
        done.add(name)
        reason = event.get("ResourceStatusReason", "")
        value = {"stack": self.name, "resource": name, "type": event["ResourceType"], "status": status}
        style = "red" if status.endswith("_FAILED") else "green"
        word = status.replace("_", " ").lower()
        self._out.change(value | ({"reason": reason} if reason else {}), (word, style), name, reason)


def _is_moving(stack: dict[str, Any]) -> bool:
    status: str = stack["StackStatus"]
    return status.endswith("_IN_PROGRESS") and status != _SHELL


def _pairs(found: list[dict[str, str]], kind: str) -> dict[str, str]:
    return {one[f"{kind}Key"]: one[f"{kind}Value"] for one in found}
