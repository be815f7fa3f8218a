"""Things, types and groups as a control plane keeps them; what a group's policy lets its things do."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.cloud.support import ANYTHING, Bench, Clock, policy
from tools.cloud import ca, errors
from tools.cloud.database import Database
from tools.cloud.registry import Registry


@pytest.fixture
def registry(tmp_path: Path, clock: Clock) -> Iterator[Registry]:
    database = Database(tmp_path)
    yield Registry(database, ca.Authority(tmp_path), clock)
    database.close()


def names(found: dict[str, list[dict[str, str]]]) -> list[str]:
    return [one["groupName"] for one in found["thingGroups"]]


def test_a_tree_of_groups(registry: Registry) -> None:
    groups = registry.groups
    for name, parent in (("house", None), ("cellar", "house"), ("boiler", "cellar"), ("garden", None)):
        groups.create_thing_group(thingGroupName=name, parentGroupName=parent)
    assert names(groups.list_thing_groups()) == ["boiler", "cellar", "garden", "house"]
    assert names(groups.list_thing_groups(recursive=False)) == ["garden", "house"]
    assert names(groups.list_thing_groups(parentGroup="house")) == ["cellar"]
    assert names(groups.list_thing_groups(parentGroup="house", recursive=True)) == ["boiler", "cellar"]
    assert names(groups.list_thing_groups(namePrefixFilter="h")) == ["house"]
    about = groups.describe_thing_group(thingGroupName="boiler")["thingGroupMetadata"]
    assert about["parentGroupName"] == "cellar"
    assert [one["groupName"] for one in about["rootToParentThingGroups"]] == ["house", "cellar"]
    registry.create_thing(thingName="valve")
    groups.add_thing_to_thing_group(thingGroupArn=registry.arn("thinggroup/boiler"), thingName="valve")
    assert groups.list_things_in_thing_group(thingGroupName="house") == {"things": []}
    assert groups.list_things_in_thing_group(thingGroupName="house", recursive=True) == {"things": ["valve"]}
    with pytest.raises(errors.InvalidRequestException, match="below it"):
        groups.delete_thing_group(thingGroupName="cellar")
    groups.delete_thing_group(thingGroupName="boiler")
    groups.delete_thing_group(thingGroupName="boiler")  # as on AWS no error
    assert groups.list_thing_groups_for_thing(thingName="valve") == {"thingGroups": []}
    with pytest.raises(errors.ResourceNotFoundException, match="thing group nowhere"):
        groups.create_thing_group(thingGroupName="x", parentGroupName="nowhere")


def test_groups_are_at_most_seven_deep(registry: Registry) -> None:
    parent = None
    for depth in range(7):
        registry.groups.create_thing_group(thingGroupName=f"g{depth}", parentGroupName=parent)
        parent = f"g{depth}"
    with pytest.raises(errors.InvalidRequestException, match="7 deep"):
        registry.groups.create_thing_group(thingGroupName="g7", parentGroupName=parent)


def test_a_groups_properties(registry: Registry) -> None:
    groups = registry.groups
    made = {"thingGroupDescription": "lamps", "attributePayload": {"attributes": {"a": "1", "b": "2"}}}
    for _ in range(2):
        groups.create_thing_group(thingGroupName="g", thingGroupProperties=made)
    with pytest.raises(errors.ResourceAlreadyExistsException):
        groups.create_thing_group(thingGroupName="g")
    merge = {"attributePayload": {"attributes": {"a": "", "c": "3"}, "merge": True}}
    assert groups.update_thing_group(thingGroupName="g", thingGroupProperties=merge) == {"version": 2}
    about = groups.describe_thing_group(thingGroupName="g")
    assert about["thingGroupProperties"] == {
        "thingGroupDescription": "lamps",
        "attributePayload": {"attributes": {"b": "2", "c": "3"}},
    }
    with pytest.raises(errors.VersionConflictException, match="is 2, not 1"):
        groups.update_thing_group(thingGroupName="g", thingGroupProperties={}, expectedVersion=1)
    with pytest.raises(errors.VersionConflictException):
        groups.delete_thing_group(thingGroupName="g", expectedVersion=1)


def test_a_types_life(registry: Registry, clock: Clock) -> None:
    groups = registry.groups
    properties = {"thingTypeDescription": "a lamp"}
    for _ in range(2):
        groups.create_thing_type(thingTypeName="Lamp", thingTypeProperties=properties)
    with pytest.raises(errors.ResourceAlreadyExistsException):
        groups.create_thing_type(thingTypeName="Lamp")
    groups.update_thing_type(thingTypeName="Lamp", thingTypeProperties={"searchableAttributes": ["a"]})
    about = groups.describe_thing_type(thingTypeName="Lamp")
    assert about["thingTypeProperties"] == properties | {"searchableAttributes": ["a"]}
    assert groups.list_thing_types(thingTypeName="Door") == {"thingTypes": []}
    registry.create_thing(thingName="l", thingTypeName="Lamp")
    with pytest.raises(errors.InvalidRequestException, match="deprecate it"):
        groups.delete_thing_type(thingTypeName="Lamp")
    groups.deprecate_thing_type(thingTypeName="Lamp")
    registry.create_thing(thingName="l", thingTypeName="Lamp")  # the same thing once more
    with pytest.raises(errors.InvalidRequestException, match="deprecated"):
        registry.create_thing(thingName="m", thingTypeName="Lamp")
    clock.now_s += 300
    with pytest.raises(errors.InvalidRequestException, match="there are things"):
        groups.delete_thing_type(thingTypeName="Lamp")
    registry.update_thing(thingName="l", removeThingType=True)
    assert "thingTypeName" not in registry.describe_thing(thingName="l")
    groups.deprecate_thing_type(thingTypeName="Lamp", undoDeprecate=True)
    with pytest.raises(errors.InvalidRequestException, match="deprecate it"):
        groups.delete_thing_type(thingTypeName="Lamp")
    groups.deprecate_thing_type(thingTypeName="Lamp")
    clock.now_s += 300
    groups.delete_thing_type(thingTypeName="Lamp")
    assert groups.list_thing_types() == {"thingTypes": []}


def test_which_things_are_listed(registry: Registry) -> None:
    registry.groups.create_thing_type(thingTypeName="Lamp")
    for name, place in (("a", "hall"), ("b", "hallway"), ("c", "")):
        attributes = {"attributes": {"place": place} if place else {}}
        registry.create_thing(thingName=name, thingTypeName="Lamp", attributePayload=attributes)
    registry.create_thing(thingName="d", attributePayload={"attributes": {"place": "hall"}})

    def found(**wanted: object) -> list[str]:
        return [thing["thingName"] for thing in registry.list_things(**wanted)["things"]]  # type: ignore[arg-type]

    assert found(attributeName="place") == ["a", "b", "d"]
    assert found(attributeName="place", attributeValue="hall") == ["a", "d"]
    assert found(attributeName="place", attributeValue="hall", usePrefixAttributeValue=True) == [
        "a",
        "b",
        "d",
    ]
    assert found(thingTypeName="Lamp") == ["a", "b", "c"]
    assert found(thingTypeName="Lamp", attributeName="place", attributeValue="hall") == ["a"]
    with pytest.raises(errors.InvalidRequestException, match="attributeName"):
        found(attributeValue="hall")


def test_the_end_of_a_thing_and_of_a_certificate(registry: Registry) -> None:
    made = registry.create_keys_and_certificate(setAsActive=True)
    arn, identifier = made["certificateArn"], made["certificateId"]
    registry.create_thing(thingName="a")
    registry.attach_thing_principal(thingName="a", principal=arn)
    registry.create_policy(policyName="p", policyDocument=json.dumps(ANYTHING))
    registry.attach_policy(policyName="p", target=arn)
    assert registry.list_targets_for_policy(policyName="p") == {"targets": [arn]}
    with pytest.raises(errors.InvalidRequestException, match="still attached"):
        registry.delete_thing(thingName="a")
    with pytest.raises(errors.CertificateStateException):
        registry.delete_certificate(certificateId=identifier, forceDelete=True)
    registry.update_certificate(certificateId=identifier, newStatus="INACTIVE")
    with pytest.raises(errors.DeleteConflictException, match="things"):
        registry.delete_certificate(certificateId=identifier, forceDelete=True)
    registry.detach_thing_principal(thingName="a", principal=arn)
    with pytest.raises(errors.DeleteConflictException, match="policies"):
        registry.delete_certificate(certificateId=identifier)
    with pytest.raises(errors.VersionConflictException):
        registry.delete_thing(thingName="a", expectedVersion=7)
    registry.delete_thing(thingName="a", expectedVersion=1)
    registry.delete_thing(thingName="a")  # as on AWS no error
    registry.delete_certificate(certificateId=identifier, forceDelete=True)
    assert registry.list_targets_for_policy(policyName="p") == {"targets": []}
    with pytest.raises(errors.ResourceNotFoundException):
        registry.describe_certificate(certificateId=identifier)


async def test_a_groups_policy_holds_for_a_thing_by_its_own_name(cloud: Bench) -> None:
    registry = cloud.cloud.registry
    identity = cloud.cloud.create_identity(policy(("Allow", "iot:Connect", "*")))
    registry.create_thing(thingName="valve")
    certificate = registry.list_certificates()["certificates"][0]["certificateArn"]
    registry.attach_thing_principal(thingName="valve", principal=certificate)
    registry.groups.create_thing_group(thingGroupName="house")
    registry.groups.create_thing_group(thingGroupName="cellar", parentGroupName="house")
    house = registry.arn("thinggroup/house")
    publish = policy(("Allow", "iot:Publish", "*"))
    registry.create_policy(policyName="publish", policyDocument=json.dumps(publish))
    registry.attach_policy(policyName="publish", target=house)
    peer = await cloud.client("valve", identity)
    registry.groups.add_thing_to_thing_group(thingGroupName="cellar", thingName="valve")
    await peer.publish("a", b"")
    cellar = registry.arn("thinggroup/cellar")
    assert registry.list_attached_policies(target=cellar) == {"policies": []}
    inherited = registry.list_attached_policies(target=cellar, recursive=True)["policies"]
    assert [one["policyName"] for one in inherited] == ["publish"]
    effective = registry.get_effective_policies(principal=certificate, thingName="valve")
    assert "publish" in [one["policyName"] for one in effective["effectivePolicies"]]
    other = await cloud.client("another-name", identity)
    other.send(b"\x30\x03\x00\x01a")
    await other.closed()
    registry.groups.remove_thing_from_thing_group(thingGroupName="cellar", thingName="valve")
    peer.send(b"\x30\x03\x00\x01a")
    await peer.closed()


async def test_a_certificate_that_is_deleted_is_out(cloud: Bench) -> None:
    registry = cloud.cloud.registry
    identity = cloud.cloud.create_identity(ANYTHING)
    certificate = registry.list_certificates()["certificates"][0]["certificateId"]
    peer = await cloud.client("lamp", identity)
    registry.update_certificate(certificateId=certificate, newStatus="INACTIVE")
    await peer.closed()
    registry.delete_certificate(certificateId=certificate, forceDelete=True)
    await (await cloud.open(identity)).closed()
