"""A stack's changes as a table, its failures in words, with a CloudFormation that says what a test wants."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tools.aws import outcome
from tools.aws.changes import Plan
from tools.aws.stack import Stack
from tools.board.errors import BoardError
from tools.thing.output import Output

CHANGES = [
    {"Action": "Add", "LogicalResourceId": "Hook", "ResourceType": "AWS::Lambda::Function"},
    {
        "Action": "Modify",
        "LogicalResourceId": "Bucket",
        "ResourceType": "AWS::S3::Bucket",
        "Replacement": "True",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "BucketName"}}],
    },
    {
        "Action": "Modify",
        "LogicalResourceId": "Rule",
        "ResourceType": "AWS::IoT::TopicRule",
        "Replacement": "Conditional",
        "Details": [{"Target": {"Attribute": "Tags"}}, {"Target": {"Attribute": "Tags"}}],
    },
    {
        "Action": "Modify",
        "LogicalResourceId": "Logs",
        "ResourceType": "AWS::Logs::LogGroup",
        "Replacement": "False",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "RetentionInDays"}}],
    },
    {"Action": "Remove", "LogicalResourceId": "Table", "ResourceType": "AWS::DynamoDB::Table"},
]


class CloudFormation:
    """Answers as told, and remembers what was asked.

    Args:
        reason: why the change set cannot be made; "" where it can.
        there: DescribeStacks' stack, or none.
    """

    def __init__(self, reason: str = "", there: dict[str, Any] | None = None) -> None:
        self.reason = reason
        self.there = there
        self.asked: list[str] = []
        self.made: dict[str, Any] = {}

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        if self.there is None:
            error = {"Error": {"Code": "ValidationError", "Message": "Stack with id iot does not exist"}}
            raise ClientError(error, "DescribeStacks")
        return {"Stacks": [self.there]}

    def get_template_summary(self, **_: Any) -> dict[str, Any]:
        return {"Parameters": [{"ParameterKey": "Name"}, {"ParameterKey": "Email"}]}

    def create_change_set(self, **made: Any) -> dict[str, Any]:
        self.made = made
        return {"Id": "arn:change-set", "StackId": "arn:stack"}

    def get_waiter(self, _name: str) -> "CloudFormation":
        return self

    def wait(self, **_: Any) -> None:
        if self.reason:
            raise WaiterError("change_set_create_complete", self.reason, {})

    def describe_change_set(self, **_: Any) -> dict[str, Any]:
        return {"Status": "FAILED", "StatusReason": self.reason}

    def get_paginator(self, _name: str) -> "CloudFormation":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Changes": [{"ResourceChange": one} for one in CHANGES]}]

    def __getattr__(self, name: str) -> Any:
        return lambda **_: self.asked.append(name)


class Account:
    where = "AWS"

    def __init__(self, cloudformation: CloudFormation) -> None:
        self.cloudformation = cloudformation

    def client(self, _name: str) -> CloudFormation:
        return self.cloudformation

    def turns(self, _wait_s: float | None) -> list[None]:
        return [None]


def stack(cloudformation: CloudFormation, as_json: bool = False) -> Stack:
    return Stack(Account(cloudformation), Output(as_json), "iot")  # type: ignore[arg-type]


def test_the_table_says_what_is_added_changed_replaced_and_removed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = stack(CloudFormation())
    plan = one.prepare("Resources: {}", {"Name": "iot"})
    assert plan is not None and plan.is_first
    one.show(plan)
    assert [line.split(None, 1)[0] for line in capsys.readouterr().out.splitlines()] == [
        "added",
        "replaced",
        "perhaps",
        "changed",
        "removed",
    ]
    stack(CloudFormation(), as_json=True).show(plan)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[1] == {
        "stack": "iot",
        "action": "replaced",
        "resource": "Bucket",
        "type": "AWS::S3::Bucket",
        "properties": ["BucketName"],
    }
    assert told[2]["action"] == "perhaps replaced" and told[2]["properties"] == ["Tags"]


def test_a_parameter_that_is_not_told_again_stays() -> None:
    there = {
        "StackStatus": "UPDATE_COMPLETE",
        "Parameters": [{"ParameterKey": "Email", "ParameterValue": "a@example.com"}],
    }
    cloudformation = CloudFormation(there=there)
    plan = stack(cloudformation).prepare("Resources: {}", {"Name": "iot"})
    assert plan is not None and not plan.is_first and cloudformation.made["ChangeSetType"] == "UPDATE"
    assert {"ParameterKey": "Email", "UsePreviousValue": True} in cloudformation.made["Parameters"]


def test_a_parameter_that_there_is_not_is_named() -> None:
    with pytest.raises(BoardError, match="no parameter 'Nmae'") as refused:
        stack(CloudFormation()).prepare("Resources: {}", {"Nmae": "iot"})
    assert "Email, Name" in refused.value.remedy


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information.",
        "No updates are to be performed.",
    ],
)
def test_nothing_to_change_is_no_failure_and_leaves_nothing(reason: str) -> None:
    cloudformation = CloudFormation(reason, {"StackStatus": "CREATE_COMPLETE"})
    assert stack(cloudformation).prepare("Resources: {}", {}) is None
    assert cloudformation.asked == ["delete_change_set"]


def test_a_change_set_that_fails_tells_why_and_leaves_no_shell() -> None:
    cloudformation = CloudFormation("Template format error: Unresolved resource dependencies [Hok]")
    with pytest.raises(BoardError, match="Unresolved resource dependencies") as refused:
        stack(cloudformation).prepare("Resources: {}", {})
    assert "Correct" in refused.value.remedy and cloudformation.asked == ["delete_stack"]


@pytest.mark.parametrize(("is_first", "asked"), [(True, "delete_stack"), (False, "delete_change_set")])
def test_of_what_is_refused_nothing_stays(is_first: bool, asked: str) -> None:
    cloudformation = CloudFormation()
    stack(cloudformation).discard(Plan("arn:change-set", is_first, ()))
    assert cloudformation.asked == [asked]


@pytest.mark.parametrize("status", ["DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"])
def test_a_stack_that_cannot_be_changed_has_a_remedy(status: str) -> None:
    with pytest.raises(BoardError, match="iot") as refused:
        stack(CloudFormation(there={"StackStatus": status})).prepare("Resources: {}", {})
    assert "aws down" in refused.value.remedy or "continue-update-rollback" in refused.value.remedy


def event(name: str, status: str, reason: str = "", physical: str = "") -> dict[str, Any]:
    return {
        "LogicalResourceId": name,
        "PhysicalResourceId": physical,
        "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "StackId": "arn:stack",
    }


def test_a_failure_names_the_first_cause_not_what_followed() -> None:
    events = [
        event("Table", "CREATE_IN_PROGRESS"),
        event("Rule", "CREATE_FAILED", "Resource creation cancelled"),
        event("Bucket", "CREATE_FAILED", "iot-releases already exists\x1b[31m", "iot-releases"),
        event("Logs", "CREATE_FAILED", "Rate exceeded"),
    ]
    error = outcome.failure("iot", "ROLLBACK_COMPLETE", events)
    assert error.text.startswith("iot: Bucket (S3::Bucket iot-releases): iot-releases already exists")
    assert "\x1b" not in error.text and "nothing of it is left" in error.text and "--name" in error.remedy
    assert "as it was" in outcome.failure("iot", "UPDATE_ROLLBACK_COMPLETE", events).text
    assert "UPDATE_FAILED" in outcome.failure("iot", "UPDATE_FAILED", []).text


def test_what_is_left_is_named_with_its_reason() -> None:
    events = [
        event("Bucket", "DELETE_FAILED", "The bucket is not empty", "iot-bucket"),
        event("iot", "DELETE_FAILED", "The following resource(s) failed to delete: [Bucket]", "arn:stack"),
    ]
    error = outcome.remains("iot", events)
    assert "Bucket (S3::Bucket iot-bucket): The bucket is not empty" in error.text
    assert "following" not in error.text and "aws down" in error.remedy
