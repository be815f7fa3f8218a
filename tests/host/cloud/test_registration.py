"""RegisterThing with thing types, groups and billing groups, of a new thing and of one that exists."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud import aws_templates
from tests.host.cloud.support import ANYTHING, bench
from tests.host.cloud.test_provisioning import PROVISION, accepted, claim, rejected, token
from tools.cloud import Cloud, ca, errors
from tools.cloud.database import Database
from tools.cloud.registration import register
from tools.cloud.registry import Registry
from tools.cloud.template import Template

VALUES = {"SerialNumber": "7", "DeviceLocation": "Seattle"}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    database = Database(tmp_path)
    registry = Registry(database, ca.Authority(tmp_path))
    for name in ("Lamp", "Door", "Type_7"):
        registry.groups.create_thing_type(thingTypeName=name)
    for name in ("lamps", "doors", "WA", "v1"):
        registry.groups.create_thing_group(thingGroupName=name)
    registry.groups.create_billing_group(billingGroupName="LampCustomers")
    registry.groups.create_billing_group(billingGroupName="Others")
    yield registry
    database.close()


def groups_of(registry: Registry, thing: str) -> list[str]:
    entries = registry.groups.list_thing_groups_for_thing(thingName=thing)["thingGroups"]
    return [entry["groupName"] for entry in entries]


def run(registry: Registry, body: dict[str, Any], status: str = "PENDING_ACTIVATION") -> str:
    """Register by a template; returns the certificate's status."""
    identifier = registry.create_keys_and_certificate()["certificateId"]
    registry.set_certificate_status(identifier, status)
    register(registry, Template(json.dumps(body)).resolve(identifier, VALUES), identifier)
    described = registry.describe_certificate(certificateId=identifier)
    return described["certificateDescription"]["status"]


def fleet(
    thing: dict[str, Any], overrides: dict[str, str] | None = None, **certificate: Any
) -> dict[str, Any]:
    """A template for the thing `lamp`."""
    made = aws_templates.resources(
        {"ThingName": "lamp"} | thing, {"CertificateId": aws_templates.ID}, ANYTHING
    )
    made["thing"]["OverrideSettings"] = overrides or {}
    made["certificate"] |= certificate
    return aws_templates.FLEET | {"Resources": made}


def test_a_new_thing_gets_all_that_its_template_has(registry: Registry) -> None:
    assert run(registry, aws_templates.FLEET) == "ACTIVE"
    thing = registry.describe_thing(thingName="lamp_7")
    assert thing["attributes"] == {"version": "v1", "serialNumber": "7"}
    assert (thing["thingTypeName"], thing["billingGroupName"]) == ("Type_7", "LampCustomers")
    assert groups_of(registry, "lamp_7") == ["WA", "lamps"], "although OverrideSettings have DO_NOTHING"
    groups = registry.groups
    assert groups.list_things_in_thing_group(thingGroupName="lamps") == {"things": ["lamp_7"]}
    assert groups.list_things_in_billing_group(billingGroupName="LampCustomers") == {"things": ["lamp_7"]}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (None, ["WA", "doors", "lamps"]),
        ("MERGE", ["WA", "doors", "lamps"]),
        ("REPLACE", ["WA", "lamps"]),
        ("DO_NOTHING", ["WA", "doors"]),
        ("FAIL", None),
    ],
)
def test_groups_of_a_thing_that_exists(
    registry: Registry, override: str | None, expected: list[str] | None
) -> None:
    registry.create_thing(thingName="lamp")
    for name in ("WA", "doors"):
        registry.groups.add_thing_to_thing_group(thingGroupName=name, thingName="lamp")
    body = fleet({"ThingGroups": ["WA", "lamps"]}, {"ThingGroups": override} if override else None)
    if expected is None:
        with pytest.raises(errors.ResourceConflictsException, match="ThingGroups"):
            run(registry, body)
    else:
        run(registry, body)
        assert groups_of(registry, "lamp") == expected


@pytest.mark.parametrize(
    ("override", "expected"), [(None, "Lamp"), ("REPLACE", "Lamp"), ("DO_NOTHING", "Door"), ("FAIL", None)]
)
def test_the_type_of_a_thing_that_exists(
    registry: Registry, override: str | None, expected: str | None
) -> None:
    registry.create_thing(thingName="lamp", thingTypeName="Door")
    body = fleet({"ThingTypeName": "Lamp"}, {"ThingTypeName": override} if override else None)
    if expected is None:
        with pytest.raises(errors.ResourceConflictsException, match="ThingTypeName"):
            run(registry, body)
    else:
        run(registry, body)
        assert registry.describe_thing(thingName="lamp")["thingTypeName"] == expected


@pytest.mark.parametrize("override", ["REPLACE", "FAIL"])
def test_what_a_template_does_not_name_stays(registry: Registry, override: str) -> None:
    registry.create_thing(thingName="lamp", thingTypeName="Door", attributePayload={"attributes": {"a": "b"}})
    registry.groups.add_thing_to_thing_group(thingGroupName="WA", thingName="lamp")
    registry.groups.add_thing_to_billing_group(billingGroupName="Others", thingName="lamp")
    before = registry.describe_thing(thingName="lamp")
    run(registry, fleet({}, dict.fromkeys(("AttributePayload", "ThingTypeName", "ThingGroups"), override)))
    assert registry.describe_thing(thingName="lamp") == before
    assert groups_of(registry, "lamp") == ["WA"]


def test_the_same_again_is_no_conflict(registry: Registry) -> None:
    thing = {"ThingTypeName": "Lamp", "ThingGroups": ["WA"], "AttributePayload": {"a": "b"}}
    body = fleet(thing, dict.fromkeys(("AttributePayload", "ThingTypeName", "ThingGroups"), "FAIL"))
    run(registry, body)
    version = registry.describe_thing(thingName="lamp")["version"]
    run(registry, body)
    assert registry.describe_thing(thingName="lamp")["version"] == version


def test_a_thing_changes_its_billing_group(registry: Registry) -> None:
    run(registry, fleet({"BillingGroup": "Others"}))
    run(registry, fleet({"BillingGroup": "LampCustomers"}))
    assert registry.describe_thing(thingName="lamp")["billingGroupName"] == "LampCustomers"
    assert registry.groups.list_things_in_billing_group(billingGroupName="Others") == {"things": []}


@pytest.mark.parametrize(
    ("override", "expected"),
    [(None, "ACTIVE"), ("REPLACE", "ACTIVE"), ("DO_NOTHING", "PENDING_ACTIVATION"), ("FAIL", None)],
)
def test_the_certificates_status(registry: Registry, override: str | None, expected: str | None) -> None:
    body = fleet({}, OverrideSettings={"Status": override} if override else {})
    if expected is None:
        with pytest.raises(errors.ResourceConflictsException, match="Status"):
            run(registry, body)
        assert run(registry, body, "ACTIVE") == "ACTIVE"
    else:
        assert run(registry, body) == expected


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        ({"ThingTypeName": "Nobody"}, "thing type Nobody does not exist"),
        ({"ThingGroups": ["WA", "nobodies"]}, "thing group nobodies does not exist"),
        ({"BillingGroup": "Nobody"}, "billing group Nobody does not exist"),
    ],
)
async def test_what_does_not_exist_is_told_and_nothing_is_done(
    tmp_path: Path, thing: dict[str, Any], reason: str
) -> None:
    async with bench(tmp_path) as cloud:
        registry = cloud.cloud.registry
        registry.groups.create_thing_group(thingGroupName="WA")
        registry.create_provisioning_template(
            templateName="LocalTemplate", provisioningRoleArn="arn", enabled=True,
            templateBody=json.dumps(fleet(thing)),
        )  # fmt: skip
        peer = await claim(cloud)
        owner = await token(peer)
        request = {"certificateOwnershipToken": owner, "parameters": VALUES}
        answer = await rejected(peer, PROVISION, request)
        assert (answer["statusCode"], answer["errorCode"]) == (404, "ResourceNotFound")
        assert answer["errorMessage"] == reason
        assert registry.list_things() == {"things": []}
        assert len(registry.list_policies()["policies"]) == 1, "the claim's"
        registry.groups.create_thing_type(thingTypeName="Nobody")
        registry.groups.create_thing_group(thingGroupName="nobodies")
        registry.groups.create_billing_group(billingGroupName="Nobody")
        await accepted(peer, PROVISION, request)


def test_groups_themselves(registry: Registry) -> None:
    groups = registry.groups
    arn = groups.create_thing_group(thingGroupName="lamps")["thingGroupArn"]
    assert arn == "arn:aws:iot:us-east-1:123456789012:thinggroup/lamps"
    assert {"groupName": "lamps", "groupArn": arn} in groups.list_thing_groups()["thingGroups"]
    assert "Lamp" in [kind["thingTypeName"] for kind in groups.list_thing_types()["thingTypes"]]
    assert [group["groupName"] for group in groups.list_billing_groups()["billingGroups"]] == [
        "LampCustomers",
        "Others",
    ]
    with pytest.raises(errors.InvalidRequestException, match="thing group 'a/b': must be 1 to 128"):
        groups.create_thing_group(thingGroupName="a/b")
    with pytest.raises(errors.ResourceNotFoundException, match="thing nobody does not exist"):
        groups.add_thing_to_thing_group(thingGroupName="lamps", thingName="nobody")
    registry.create_thing(thingName="lamp")
    with pytest.raises(errors.InvalidRequestException, match="is not in billing group Others"):
        groups.remove_thing_from_billing_group(billingGroupName="Others", thingName="lamp")
    groups.add_thing_to_billing_group(billingGroupName="Others", thingName="lamp")
    groups.remove_thing_from_billing_group(billingGroupName="Others", thingName="lamp")
    assert "billingGroupName" not in registry.describe_thing(thingName="lamp")
    for number in range(10):
        groups.create_thing_group(thingGroupName=f"g{number}")
        groups.add_thing_to_thing_group(thingGroupName=f"g{number}", thingName="lamp")
    groups.add_thing_to_thing_group(thingGroupName="g0", thingName="lamp")
    with pytest.raises(errors.LimitExceededException, match="is in 10 groups"):
        groups.add_thing_to_thing_group(thingGroupName="lamps", thingName="lamp")
    groups.remove_thing_from_thing_group(thingGroupName="g0", thingName="lamp")
    groups.add_thing_to_thing_group(thingGroupName="lamps", thingName="lamp")


@pytest.mark.parametrize(
    ("attributes", "typed", "reason"),
    [
        ({"a b": "c"}, False, "attribute 'a b': a name must be"),
        ({"a": "b c"}, False, "attribute a: 'b c', must be"),
        ({"a": "b" * 801}, False, "at most 800"),
        (dict.fromkeys("abcd", "e"), False, "4 attributes: a thing without a type has at most 3"),
        ({f"a{n}": "b" for n in range(51)}, True, "51 attributes: a thing with a type has at most 50"),
    ],
)
def test_attributes_that_a_thing_cannot_have(
    registry: Registry, attributes: dict[str, str], typed: bool, reason: str
) -> None:
    kind = "Lamp" if typed else None
    with pytest.raises(errors.InvalidRequestException, match=reason):
        registry.create_thing(thingName="t", thingTypeName=kind, attributePayload={"attributes": attributes})
    registry.create_thing(thingName="t", thingTypeName=kind)
    with pytest.raises(errors.InvalidRequestException, match=reason):
        registry.update_thing(thingName="t", attributePayload={"attributes": attributes})
    assert registry.describe_thing(thingName="t")["attributes"] == {}
    thing = {"AttributePayload": attributes} | ({"ThingTypeName": "Lamp"} if typed else {})
    with pytest.raises(errors.InvalidRequestException, match="AttributePayload: .*" + reason):
        Template(json.dumps(fleet(thing)))


def test_a_state_from_before_groups_gets_them(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    for table in (
        "thing_types",
        "thing_groups",
        "thing_group_members",
        "billing_groups",
        "billing_group_members",
    ):
        cloud._database.run(f"DROP TABLE {table}")
    cloud.registry._db.run("INSERT INTO things VALUES ('lamp', NULL, '{}', 1)")
    cloud._database.close()
    again = Cloud(tmp_path)
    again.registry.groups.create_thing_group(thingGroupName="g")
    again.registry.groups.add_thing_to_thing_group(thingGroupName="g", thingName="lamp")
    again._database.close()
