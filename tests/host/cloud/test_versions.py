"""Versions of policies and templates, and the state of a cloud from before there were any."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud.support import ANYTHING, Bench, policy
from tools.cloud import ca, errors, fleet
from tools.cloud.database import Database
from tools.cloud.registry import Registry

DOCUMENT = json.dumps(ANYTHING)
OTHER = json.dumps(policy(("Deny", "iot:*", "*")))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    database = Database(tmp_path)
    yield Registry(database, ca.Authority(tmp_path))
    database.close()


def test_a_policys_versions(registry: Registry) -> None:
    registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    second = registry.create_policy_version(policyName="p", policyDocument=OTHER)
    assert (second["policyVersionId"], second["isDefaultVersion"]) == ("2", False)
    assert registry.get_policy(policyName="p")["policyDocument"] == DOCUMENT
    registry.set_default_policy_version(policyName="p", policyVersionId="2")
    assert registry.get_policy(policyName="p")["policyDocument"] == OTHER
    assert registry.get_policy(policyName="p")["defaultVersionId"] == "2"
    first = registry.get_policy_version(policyName="p", policyVersionId="1")
    assert (first["policyDocument"], first["isDefaultVersion"]) == (DOCUMENT, False)
    listed = registry.list_policy_versions(policyName="p")["policyVersions"]
    assert [(one["versionId"], one["isDefaultVersion"]) for one in listed] == [("2", True), ("1", False)]


def test_five_versions_and_no_number_twice(registry: Registry) -> None:
    registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    for number in range(2, 6):
        made = registry.create_policy_version(policyName="p", policyDocument=OTHER, setAsDefault=True)
        assert made["policyVersionId"] == str(number)
    with pytest.raises(errors.VersionsLimitExceededException, match="5 versions"):
        registry.create_policy_version(policyName="p", policyDocument=OTHER)
    with pytest.raises(errors.DeleteConflictException, match="default"):
        registry.delete_policy_version(policyName="p", policyVersionId="5")
    registry.set_default_policy_version(policyName="p", policyVersionId="1")
    registry.delete_policy_version(policyName="p", policyVersionId="5")
    with pytest.raises(errors.ResourceNotFoundException):
        registry.get_policy_version(policyName="p", policyVersionId="5")
    assert registry.create_policy_version(policyName="p", policyDocument=OTHER)["policyVersionId"] == "6"
    with pytest.raises(errors.DeleteConflictException, match="versions"):
        registry.delete_policy(policyName="p")
    for identifier in ("2", "3", "4", "6"):
        registry.delete_policy_version(policyName="p", policyVersionId=identifier)
    registry.delete_policy(policyName="p")
    registry.create_policy(policyName="p", policyDocument=DOCUMENT)  # and begins anew
    assert registry.get_policy(policyName="p")["defaultVersionId"] == "1"


def test_versions_of_what_is_not_there(registry: Registry) -> None:
    calls: list[tuple[Callable[..., Any], dict[str, str]]] = [
        (registry.create_policy_version, {"policyDocument": DOCUMENT}),
        (registry.list_policy_versions, {}),
        (registry.get_policy_version, {"policyVersionId": "1"}),
        (registry.set_default_policy_version, {"policyVersionId": "1"}),
        (registry.delete_policy_version, {"policyVersionId": "1"}),
        (registry.list_targets_for_policy, {}),
    ]
    for call, arguments in calls:
        with pytest.raises(errors.ResourceNotFoundException, match="policy p does not exist"):
            call(policyName="p", **arguments)
    registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    with pytest.raises(errors.ResourceNotFoundException, match="has no version 2"):
        registry.set_default_policy_version(policyName="p", policyVersionId="2")
    with pytest.raises(errors.MalformedPolicyException):
        registry.create_policy_version(policyName="p", policyDocument="{}")


def test_a_templates_versions(registry: Registry) -> None:
    body, role = fleet.template_body(registry.arn), "arn:aws:iam::123456789012:role/r"
    registry.create_provisioning_template(templateName="t", templateBody=body, provisioningRoleArn=role)
    other = json.dumps(json.loads(body) | {"DeviceConfiguration": {"a": "b"}})
    made = registry.create_provisioning_template_version(templateName="t", templateBody=other)
    assert (made["versionId"], made["isDefaultVersion"]) == (2, False)
    about = registry.describe_provisioning_template(templateName="t")
    assert (about["defaultVersionId"], about["templateBody"]) == (1, body)
    registry.update_provisioning_template(templateName="t", defaultVersionId=2, enabled=True, description="d")
    about = registry.describe_provisioning_template(templateName="t")
    assert (about["defaultVersionId"], about["templateBody"], about["enabled"]) == (2, other, True)
    assert (about["description"], about["provisioningRoleArn"]) == ("d", role)
    version = registry.describe_provisioning_template_version(templateName="t", versionId=1)
    assert (version["templateBody"], version["isDefaultVersion"]) == (body, False)
    listed = registry.list_provisioning_template_versions(templateName="t")["versions"]
    assert [one["versionId"] for one in listed] == [1, 2]
    with pytest.raises(errors.DeleteConflictException):
        registry.delete_provisioning_template(templateName="t")
    registry.delete_provisioning_template_version(templateName="t", versionId=1)
    registry.delete_provisioning_template(templateName="t")
    with pytest.raises(errors.ResourceNotFoundException):
        registry.describe_provisioning_template(templateName="t")


async def test_another_default_holds_for_a_connection_that_is_there(cloud: Bench) -> None:
    registry = cloud.cloud.registry
    made = registry.create_keys_and_certificate(setAsActive=True)
    registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    registry.attach_policy(policyName="p", target=made["certificateArn"])
    peer = await cloud.client("lamp", (made["certificatePem"], made["keyPair"]["PrivateKey"]))
    await peer.publish("a", b"")
    registry.create_policy_version(policyName="p", policyDocument=OTHER, setAsDefault=True)
    peer.send(b"\x30\x03\x00\x01a")
    await peer.closed()
    assert (await cloud.event("disconnected")).reason == "AUTH_ERROR"


def test_a_state_from_before(tmp_path: Path) -> None:
    database = Database(tmp_path)
    registry = Registry(database, ca.Authority(tmp_path))
    registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    registry.groups.create_thing_group(thingGroupName="g")
    registry.groups.create_thing_type(thingTypeName="t")
    database.close()
    with sqlite3.connect(tmp_path / "cloud.sqlite3") as old:
        for table in ("versions", "thing_group_details", "thing_type_details", "claims", "retained_times"):
            old.execute(f"DROP TABLE {table}")
    old.close()
    database = Database(tmp_path)
    registry = Registry(database, ca.Authority(tmp_path))
    assert registry.get_policy(policyName="p")["policyDocument"] == DOCUMENT
    assert registry.create_policy_version(policyName="p", policyDocument=OTHER)["policyVersionId"] == "2"
    group: dict[str, Any] = registry.groups.describe_thing_group(thingGroupName="g")
    assert (group["version"], group["thingGroupProperties"]) == (1, {})
    assert registry.groups.describe_thing_type(thingTypeName="t")["thingTypeProperties"] == {}
    registry.groups.create_thing_group(thingGroupName="g")  # the same once more
    database.close()
