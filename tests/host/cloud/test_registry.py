"""The registry, called as boto3's `iot` client is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.cloud.support import ANYTHING, policy
from tools.cloud import ca, errors
from tools.cloud.authorization import Authorization
from tools.cloud.database import Database
from tools.cloud.identity import thing_variables
from tools.cloud.registry import Registry

DOCUMENT = json.dumps(ANYTHING)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    database = Database(tmp_path)
    yield Registry(database, ca.Authority(tmp_path))
    database.close()


def test_certificate_life(registry: Registry) -> None:
    made = registry.create_keys_and_certificate(setAsActive=True)
    assert set(made) == {"certificateArn", "certificateId", "certificatePem", "keyPair"}
    assert "PRIVATE KEY" in made["keyPair"]["PrivateKey"]
    assert "PUBLIC KEY" in made["keyPair"]["PublicKey"]
    identifier = made["certificateId"]
    assert (
        registry.describe_certificate(certificateId=identifier)["certificateDescription"]["status"]
        == "ACTIVE"
    )
    registry.update_certificate(certificateId=identifier, newStatus="INACTIVE")
    assert registry.list_certificates()["certificates"][0]["status"] == "INACTIVE"
    assert registry.create_keys_and_certificate()["certificateId"] != identifier
    with pytest.raises(errors.InvalidRequestException, match="newStatus"):
        registry.update_certificate(certificateId=identifier, newStatus="PENDING_ACTIVATION")
    with pytest.raises(errors.ResourceNotFoundException):
        registry.describe_certificate(certificateId="0" * 64)


def test_policy_life(registry: Registry) -> None:
    arn = registry.create_keys_and_certificate()["certificateArn"]
    made = registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    assert made["policyArn"] == "arn:aws:iot:us-east-1:123456789012:policy/p"
    assert made["policyDocument"] == DOCUMENT
    registry.attach_policy(policyName="p", target=arn)
    registry.attach_policy(policyName="p", target=arn)
    assert [p["policyName"] for p in registry.list_attached_policies(target=arn)["policies"]] == ["p"]
    with pytest.raises(errors.DeleteConflictException):
        registry.delete_policy(policyName="p")
    registry.detach_policy(policyName="p", target=arn)
    registry.delete_policy(policyName="p")
    assert registry.list_policies() == {"policies": []}


def test_policy_errors(registry: Registry) -> None:
    registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    with pytest.raises(errors.ResourceAlreadyExistsException) as caught:
        registry.create_policy(policyName="p", policyDocument=DOCUMENT)
    assert (caught.value.code, caught.value.status) == ("ResourceAlreadyExistsException", 409)
    with pytest.raises(errors.MalformedPolicyException):
        registry.create_policy(policyName="q", policyDocument="{}")
    with pytest.raises(errors.InvalidRequestException, match="policyName"):
        registry.create_policy(policyName="a b", policyDocument=DOCUMENT)
    with pytest.raises(errors.InvalidRequestException, match="not the ARN of a certificate"):
        registry.attach_policy(policyName="p", target="arn:aws:iot:us-east-1:123456789012:thing/x")
    with pytest.raises(errors.ResourceNotFoundException):
        registry.attach_policy(policyName="q", target=registry.arn("cert/x"))


def test_thing_life(registry: Registry) -> None:
    arn = registry.create_keys_and_certificate()["certificateArn"]
    attributes = {"attributes": {"place": "hall", "size": "7"}}
    with pytest.raises(errors.ResourceNotFoundException, match="thing type Lamp does not exist"):
        registry.create_thing(thingName="lamp", thingTypeName="Lamp")
    registry.groups.create_thing_type(thingTypeName="Lamp")
    for _ in range(2):
        registry.create_thing(thingName="lamp", thingTypeName="Lamp", attributePayload=attributes)
    with pytest.raises(errors.ResourceAlreadyExistsException):
        registry.create_thing(thingName="lamp")
    registry.update_thing(
        thingName="lamp", attributePayload={"attributes": {"size": "", "a": "b"}, "merge": True}
    )
    thing = registry.describe_thing(thingName="lamp")
    assert thing["attributes"] == {"place": "hall", "a": "b"}
    assert (thing["thingTypeName"], thing["version"]) == ("Lamp", 2)
    registry.attach_thing_principal(thingName="lamp", principal=arn)
    assert registry.list_thing_principals(thingName="lamp") == {"principals": [arn]}
    assert registry.list_principal_things(principal=arn) == {"things": ["lamp"]}
    registry.detach_thing_principal(thingName="lamp", principal=arn)
    assert registry.list_thing_principals(thingName="lamp") == {"principals": []}
    assert [t["thingName"] for t in registry.list_things()["things"]] == ["lamp"]
    with pytest.raises(errors.InvalidRequestException, match="thingName"):
        registry.create_thing(thingName="a/b")


def test_template_name(registry: Registry) -> None:
    role = "arn:aws:iam::123456789012:role/r"
    with pytest.raises(errors.InvalidRequestException, match="templateName"):
        registry.create_provisioning_template(
            templateName="x" * 37, templateBody="{}", provisioningRoleArn=role
        )
    with pytest.raises(errors.InvalidRequestException, match="Resources"):
        registry.create_provisioning_template(templateName="x", templateBody="{}", provisioningRoleArn=role)
    with pytest.raises(errors.InvalidRequestException, match="type: 'JITP' is not supported here"):
        registry.create_provisioning_template(
            templateName="x", templateBody="{}", provisioningRoleArn=role, type="JITP"
        )
    with pytest.raises(errors.ResourceNotFoundException):
        registry.describe_provisioning_template(templateName="x")


def test_thing_variables_need_the_thing_attached_and_its_name_as_client_id(registry: Registry) -> None:
    made = registry.create_keys_and_certificate(setAsActive=True)
    arn, identifier = made["certificateArn"], made["certificateId"]
    thing = "${iot:Connection.Thing.ThingName}"
    document = policy(("Allow", "iot:Connect", f"*:client/{thing}"))
    registry.attach_policy(policyName=registry.ensure_policy(json.dumps(document)), target=arn)
    connection = Authorization(registry, identifier, "lamp")
    assert not connection.allows("iot:Connect", "client/lamp")
    registry.groups.create_thing_type(thingTypeName="Lamp")
    registry.create_thing(
        thingName="lamp", thingTypeName="Lamp", attributePayload={"attributes": {"place": "hall"}}
    )
    registry.attach_thing_principal(thingName="lamp", principal=arn)
    assert connection.allows("iot:Connect", "client/lamp"), "the same connection sees the change"
    assert not Authorization(registry, identifier, "door").allows("iot:Connect", "client/door")
    values = thing_variables(registry, identifier, "lamp")
    assert values["iot:Connection.Thing.Attributes[place]"] == "hall"
    assert values["iot:Connection.Thing.ThingTypeName"] == "Lamp"
    assert values["iot:Certificate.Subject.CommonName"] == "AWS IoT Certificate"
    assert values["iot:Certificate.Issuer.CommonName"] == "Local AWS IoT Core CA"
    assert thing_variables(registry, identifier, "door")["iot:Connection.Thing.IsAttached"] == "false"
