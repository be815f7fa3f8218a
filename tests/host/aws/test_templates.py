"""The CloudFormation templates: what cfn-lint says of all there are, and what the base's allows whom."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint_file
from cfnlint.decode import decode

from tools.aws.stacks import BASE, STACKS
from tools.cloud import fleet

TOOLS = Path(__file__).resolve().parents[3] / "tools"
TEMPLATES = sorted(
    path for path in TOOLS.rglob("*.y*ml") if "AWSTemplateFormatVersion" in path.read_text(errors="replace")
)
NAMES = [str(path.relative_to(TOOLS)) for path in TEMPLATES]


def test_each_stack_has_its_template_among_them() -> None:
    assert STACKS[BASE].template in TEMPLATES
    assert {one.template for one in STACKS.values() if one.template.exists()} <= set(TEMPLATES)


@pytest.mark.parametrize("path", TEMPLATES, ids=NAMES)
def test_cfn_lint_finds_nothing(path: Path) -> None:
    found = lint_file(path, config=ManualArgs(regions=["us-east-1", "eu-central-1"]))
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("path", TEMPLATES, ids=NAMES)
def test_a_template_is_of_no_account_region_or_partition(path: Path) -> None:
    text = path.read_text()
    assert not re.findall(r"\b\d{12}\b|arn:aws[a-z-]*:|\b[a-z]{2}-[a-z]+-\d\b", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=NAMES)
def test_no_role_may_do_all_of_a_service(path: Path) -> None:
    for name, statement in allowed(load(path)):
        actions = listed(statement["Action"])
        assert not [one for one in actions if "*" in one], name
        if "*" in listed(statement["Resource"]):
            assert not {"iam", "s3", "dynamodb", "logs"} & {one.partition(":")[0] for one in actions}, name


@pytest.mark.parametrize("path", TEMPLATES, ids=NAMES)
def test_each_function_has_a_log_group_of_the_template(path: Path) -> None:
    """Lambda makes one where none is named, for ever, and that is left behind."""
    template = load(path)
    wide = template.get("Globals", {}).get("Function", {})
    for name, resource in template["Resources"].items():
        if resource["Type"] in ("AWS::Lambda::Function", "AWS::Serverless::Function"):
            group = {**wide, **resource["Properties"]}.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
            assert group in template["Resources"], name
            assert template["Resources"][group]["Type"] == "AWS::Logs::LogGroup", name


def test_devices_and_claims_may_what_those_of_the_local_cloud_may() -> None:
    resources = load(STACKS[BASE].template)["Resources"]
    body = json.loads(fleet.template_body(arn, "iot"))
    of_thing = json.loads(body["Resources"]["policy"]["Properties"]["PolicyDocument"])
    assert resolved(resources["DevicePolicy"]["Properties"]["PolicyDocument"]) == of_thing
    of_claim = fleet.claim_policy(arn, "iot")
    assert resolved(resources["ClaimPolicy"]["Properties"]["PolicyDocument"]) == of_claim


def load(path: Path) -> dict[str, Any]:
    """The template, !Sub and the like as objects."""
    template, faults = decode(str(path))
    assert template is not None, faults
    return json.loads(json.dumps(template))


def allowed(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each role and policy of IAM allows."""
    for name, resource in template["Resources"].items():
        if not resource["Type"].startswith(("AWS::IAM", "AWS::Serverless")):
            continue
        properties = resource["Properties"]
        inner = [one for one in listed(properties.get("Policies", [])) if isinstance(one, dict)]
        documents = [one.get("PolicyDocument", one) for one in [*inner, properties]]
        for document in documents:
            for statement in listed(document.get("Statement", [])):
                if statement["Effect"] == "Allow":
                    yield name, statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def arn(resource: str) -> str:
    return f"arn:P:iot:R:A:{resource}"


def resolved(value: Any) -> Any:
    """With the name `iot`; what is `${!…}` is a variable of the policy's."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for name, put in (
            ("AWS::Partition", "P"),
            ("AWS::Region", "R"),
            ("AWS::AccountId", "A"),
            ("Name", "iot"),
        ):
            text = text.replace(f"${{{name}}}", put)
        return text.replace("${!", "${")
    if isinstance(value, dict):
        return {name: resolved(one) for name, one in value.items()}
    return [resolved(one) for one in value] if isinstance(value, list) else value
